import { dataFolder } from '@treering/log';
import { nodeEd25519, readKeyFile } from '@treering/note/node';
import { encodeRecord } from '@treering/record';
import { createStatementSigner, type SignedStatement, type StatementSigner, signStatement } from '@treering/statement';

/** What is needed of a running log to write to it as its administrator. */
export interface LogAddress {
  readonly url: string;
  readonly origin: string;
  readonly data: string;
}

let counter = 0;

/** The administrator's signer of a log on this machine. */
export async function administrator({ data }: Pick<LogAddress, 'data'>): Promise<StatementSigner> {
  return createStatementSigner((await readKeyFile(dataFolder(data).adminKey)).seed, nodeEd25519);
}

/** A small statement that is different from all others. */
export function incident({ origin }: Pick<LogAddress, 'origin'>, signer: StatementSigner): Promise<SignedStatement> {
  const subject = `incident/${++counter}`;
  const payload = encodeRecord({
    v: 1,
    type: 'incident',
    subject,
    reason: `Incident number ${counter} of the tests.`,
    severity: 'low',
    aware_at: 1_767_225_600_000,
    affected: [],
  });
  const claims = { iss: `${origin}/identity/admin`, sub: subject, iat: Math.floor(Date.now() / 1000) };
  return signStatement(claims, payload, signer);
}

/** Submits a statement. Throws unless it is logged. */
export async function submit(url: string, { entry }: SignedStatement): Promise<void> {
  const headers = { 'Content-Type': 'application/cose' };
  const response = await fetch(`${url}/v1/entries`, { method: 'POST', headers, body: entry as Uint8Array<ArrayBuffer> });
  const text = await response.text();
  if (response.status !== 201) throw new Error(`a statement was answered with ${response.status}: ${text}`);
}

/** Submissions at once: a log takes 128. */
const AT_ONCE = 64;

/** Logs `count` small statements, many at once. */
export async function logStatements(log: LogAddress, count: number): Promise<void> {
  const signer = await administrator(log);
  let left = count;
  const submitter = async (): Promise<void> => {
    while (left-- > 0) await submit(log.url, await incident(log, signer));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, submitter));
}
