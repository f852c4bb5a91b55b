import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeHasher } from '@treering/merkle/node';
import { nodeEd25519, readKeyFile } from '@treering/note/node';
import { encodeRecord } from '@treering/record';
import { createStatementSigner, type SignedStatement, type StatementSigner, signStatement } from '@treering/statement';
import { dataFolder, initLog, parseConfig, type ServedLog, serveLog } from '../../../apps/log/src/index.js';
import { ClientError, type Fetch, LogClient, type LogClientOptions } from '../src/index.js';

export const ORIGIN = 'log.test/client';

/** A fresh folder, removed when the process ends. */
export function temporaryFolder(): string {
  const path = mkdtempSync(join(tmpdir(), 'treering-client-'));
  process.on('exit', () => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A log that listens, and what its administrator signs. */
export interface TestLog {
  readonly served: ServedLog;
  readonly url: string;
  readonly data: string;
  statement(parts?: { subject?: string; reason?: string; prev?: Uint8Array }): Promise<SignedStatement>;
  client(options?: Partial<LogClientOptions>): LogClient;
}

/** Begins a log in a fresh folder, or serves the one in `data`. */
export async function startLog(data?: string): Promise<TestLog> {
  const folder = data ?? temporaryFolder();
  if (data === undefined) await initLog(folder, { origin: ORIGIN });
  const served = await serveLog(
    parseConfig({ data: folder, listen: '127.0.0.1:0', log_level: 'silent', publish_interval: 20 }),
  );
  const signer = createStatementSigner((await readKeyFile(dataFolder(folder).adminKey)).seed, nodeEd25519);
  return {
    served,
    url: served.url,
    data: folder,
    statement: (parts = {}) => makeStatement(signer, parts),
    client: (options = {}) =>
      new LogClient({
        url: served.url,
        trust: { origin: ORIGIN, logKeys: [served.log.signer.key] },
        hasher: nodeHasher,
        ed25519: nodeEd25519,
        receiptKeys: [served.log.receiptKey],
        ...options,
      }),
  };
}

let counter = 0;

function makeStatement(
  signer: StatementSigner,
  { subject = 'model/wink', reason, prev }: { subject?: string; reason?: string; prev?: Uint8Array },
): Promise<SignedStatement> {
  const record = encodeRecord({
    v: 1,
    type: 'incident',
    subject,
    reason: reason ?? `Decision number ${++counter} of the tests.`,
    severity: 'low',
    aware_at: 1_760_000_000_000,
    affected: [],
    ...(prev === undefined ? {} : { prev }),
  });
  return signStatement({ iss: `${ORIGIN}/identity/admin`, sub: subject, iat: Math.floor(Date.now() / 1000) }, record, signer);
}

/** A request as a lying log sees it, and the honest answer to it. */
interface Exchange {
  readonly path: string;
  readonly method: string;
  /** Sends the request to the honest log. */
  honest(path?: string): Promise<Response>;
}

/** Answers some requests in another way; `undefined` leaves the honest answer. */
export type Lie = (exchange: Exchange) => Promise<Response | undefined> | Response | undefined;

/** A fetch that goes to the log at `url` and lies. */
export function lying(url: string, lie: Lie): Fetch {
  return async (input, init) => {
    const path = input.slice(url.length);
    const honest = (other: string = path): Promise<Response> => fetch(`${url}${other}`, init);
    return (await lie({ path, method: init?.method ?? 'GET', honest })) ?? honest();
  };
}

/** Alters the JSON of answers to paths that match. */
// biome-ignore lint/suspicious/noExplicitAny: answers have many shapes
export function alterJson(pattern: RegExp, alter: (json: any) => unknown): Lie {
  return async ({ path, honest }) => {
    if (!pattern.test(path)) return undefined;
    const response = await honest();
    const json = await response.json();
    const other = alter(json);
    return new Response(JSON.stringify(other ?? json), { status: response.status });
  };
}

/** The ClientError of a promise. Fails when there is none, or another error. */
export async function refusal(promise: Promise<unknown>): Promise<ClientError> {
  let outcome: unknown;
  try {
    outcome = await promise;
  } catch (error) {
    if (error instanceof ClientError) return error;
    throw new Error(`this is no ClientError: ${error}`, { cause: error });
  }
  throw new Error(`it was accepted: ${JSON.stringify(outcome)}`);
}

/** The code of the ClientError of a promise. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  return (await refusal(promise)).code;
}
