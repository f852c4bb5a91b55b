import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { ClientError } from '@treering/client';
import { encodeRecord, printable } from '@treering/record';
import { signStatement } from '@treering/statement';
import { EXIT, exitOf } from '../exit.js';
import type { Session } from '../session.js';
import { requireNoMistake } from '../submit.js';
import { readRecordFile } from './record-file.js';

/** `record batch`: signs the records of many files and submits them in one request, in their order. Each has its own outcome. */
export async function recordBatch(session: Session, files: readonly string[]): Promise<number> {
  const { terminal, cwd } = session;
  const records = await Promise.all(files.map((file) => readRecordFile(resolve(cwd, file))));
  for (const record of records) requireNoMistake(record);
  const { iss, signer } = await session.signer();
  const iat = Math.floor(Date.now() / 1000);
  const statements = [];
  for (const record of records)
    statements.push(await signStatement({ iss, sub: record.subject, iat }, encodeRecord(record), signer));
  const outcomes = await session.client().submitBatch(statements);
  let exit: number = EXIT.ok;
  const results: object[] = [];
  for (const [i, outcome] of outcomes.entries()) {
    const name = `${records[i].type} ${records[i].subject}`;
    if (outcome instanceof ClientError) {
      exit = exitOf(outcome).exit;
      terminal.line(`${terminal.colour('bad', '✗')} ${printable(files[i])}: ${name}: ${outcome.message}`);
      results.push({ file: files[i], error: { code: outcome.problem ?? outcome.code, message: outcome.message } });
      continue;
    }
    const proof = `${resolve(cwd, files[i]).replace(/\.(?:ya?ml|json)$/, '')}.tlog-proof`;
    await writeFile(proof, outcome.proofFile);
    terminal.line(`${terminal.colour('good', '✓')} ${name} is entry ${outcome.index}`);
    results.push({ file: files[i], index: outcome.index, leaf: Buffer.from(outcome.leaf).toString('hex'), proof });
  }
  terminal.result({ results });
  return exit;
}
