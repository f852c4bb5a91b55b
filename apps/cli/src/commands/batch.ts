import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { ClientError, type LogClient, type LoggedEntry } from '@treering/client';
import { nodeHasher } from '@treering/merkle/node';
import { type ChangeRecord, encodeRecord, printable } from '@treering/record';
import { type SignedStatement, signStatement } from '@treering/statement';
import { EXIT, exitOf } from '../exit.js';
import type { Session } from '../session.js';
import { isConflict, MOST_REBASES, previousLeaf, requireNoMistake } from '../submit.js';
import { readRecordFile } from './record-file.js';

/** Flags of `record batch`. */
export interface BatchFlags {
  readonly prev: boolean;
  readonly rebase: boolean;
}

/** `record batch`: signs the records of many files and submits them in one request, in their order. Each has its own outcome. */
export async function recordBatch(session: Session, files: readonly string[], flags: BatchFlags): Promise<number> {
  const { terminal, cwd } = session;
  const records = await Promise.all(files.map((file) => readRecordFile(resolve(cwd, file))));
  for (const record of records) requireNoMistake(record);
  const outcomes = await submitAll(session, records, flags);
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

/** Submits records, and once more those whose subject got another newest record meanwhile, on top of that. */
async function submitAll(
  session: Session,
  records: readonly ChangeRecord[],
  flags: BatchFlags,
): Promise<(LoggedEntry | ClientError)[]> {
  const client = session.client();
  const outcomes: (LoggedEntry | ClientError)[] = [];
  let open = [...records.keys()];
  for (let rebases = 0; open.length > 0; rebases++) {
    const statements = await signAll(
      session,
      client,
      open.map((i) => records[i]),
      flags,
    );
    const again: number[] = [];
    for (const [i, outcome] of (await client.submitBatch(statements)).entries()) {
      const at = open[i];
      outcomes[at] = outcome;
      // What a file itself names as the newest is meant.
      if (isConflict(outcome) && flags.rebase && records[at].prev === undefined && rebases < MOST_REBASES) again.push(at);
    }
    if (again.length > 0)
      session.terminal.remark(`${again.length} records have others before them meanwhile. Signing again on top of those.`);
    open = again;
  }
  return outcomes;
}

/** Signs records; each names the newest of its subject, in the log or before it in the batch. */
async function signAll(
  session: Session,
  client: LogClient,
  records: readonly ChangeRecord[],
  flags: BatchFlags,
): Promise<SignedStatement[]> {
  const { iss, signer } = await session.signer();
  const iat = Math.floor(Date.now() / 1000);
  const newest = new Map<string, Uint8Array>();
  const statements: SignedStatement[] = [];
  for (const record of records) {
    const { subject } = record;
    let { prev } = record;
    if (flags.prev) prev ??= newest.get(subject) ?? (await previousLeaf(client, subject));
    const full = prev === undefined ? record : { ...record, prev };
    const statement = await signStatement({ iss, sub: subject, iat }, encodeRecord(full), signer);
    newest.set(subject, nodeHasher.hashLeaf(statement.entry));
    statements.push(statement);
  }
  return statements;
}
