import { dataFolder, initLog } from '@treering/log';
import { nodeEd25519, readKeyFile } from '@treering/note/node';
import { encodeRecord, type RecordOf } from '@treering/record';
import { createStatementSigner, signStatement } from '@treering/statement';

/** Begins a log in the folder `data` and signs `count` distinct evaluations with its administrator's key, as of now. */
export async function beginLogAndSign(data: string, count: number): Promise<Buffer[]> {
  const { origin } = await initLog(data);
  const { name, seed } = await readKeyFile(dataFolder(data).adminKey);
  const signer = createStatementSigner(seed, nodeEd25519);
  const digest = new Uint8Array(32).fill(0x2a);
  const iat = Math.floor(Date.now() / 1000);
  const statements: Buffer[] = [];
  for (let i = 0; i < count; i++) {
    const record: RecordOf<'evaluation'> = {
      v: 1,
      type: 'evaluation',
      subject: `evaluation/suite-${i % 100}`,
      reason: `Nightly evaluation, run ${i}.`,
      model: digest,
      config: digest,
      suite: 'safety',
      dataset: digest,
      metrics: [{ name: 'refusal rate', value: '0.993' }],
      verdict: 'pass',
      tolerances: [],
    };
    const claims = { iss: `${origin}/identity/${name}`, sub: record.subject, iat };
    statements.push(Buffer.from((await signStatement(claims, encodeRecord(record), signer)).entry));
  }
  return statements;
}
