import { dataFolder, initLog } from '@treering/log';
import { nodeEd25519, readKeyFile } from '@treering/note/node';
import { encodeRecord, type RecordOf } from '@treering/record';
import { createStatementSigner, signStatement } from '@treering/statement';

/** Bytes of a statement, nearly. */
export const STATEMENT_BYTES = 1024;
/** What a statement without its padding has. */
const UNPADDED_BYTES = 512;

/** Signs distinct evaluations with the administrator's key of a log. */
export interface StatementMaker {
  /** The statement of run `run`, of about 1,024 bytes, signed as of `iat` in seconds since the epoch. */
  make(run: number, iat: number): Promise<Buffer>;
}

/** Begins a log in the folder `data`, and makes statements for it. */
export async function beginLog(data: string): Promise<StatementMaker> {
  const { origin } = await initLog(data);
  const { name, seed } = await readKeyFile(dataFolder(data).adminKey);
  const signer = createStatementSigner(seed, nodeEd25519);
  const digest = new Uint8Array(32).fill(0x2a);
  const padding = 'Every case was read by two people. '
    .repeat(99)
    .slice(0, STATEMENT_BYTES - UNPADDED_BYTES)
    .trim();
  return {
    async make(run, iat) {
      const record: RecordOf<'evaluation'> = {
        v: 1,
        type: 'evaluation',
        subject: `evaluation/suite-${run % 100}`,
        reason: `Nightly evaluation, run ${run}. ${padding}`,
        model: digest,
        config: digest,
        suite: 'safety',
        dataset: digest,
        metrics: [{ name: 'refusal rate', value: '0.993' }],
        verdict: 'pass',
        tolerances: [],
      };
      const claims = { iss: `${origin}/identity/${name}`, sub: record.subject, iat };
      return Buffer.from((await signStatement(claims, encodeRecord(record), signer)).entry);
    },
  };
}

/** Begins a log in the folder `data` and signs `count` distinct statements for it, as of now. */
export async function beginLogAndSign(data: string, count: number): Promise<Buffer[]> {
  const { make } = await beginLog(data);
  const iat = Math.floor(Date.now() / 1000);
  const statements: Buffer[] = [];
  for (let i = 0; i < count; i++) statements.push(await make(i, iat));
  return statements;
}
