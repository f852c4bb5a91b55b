import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeMeans } from '@treering/foreign/node';
import { verifyInclusion } from '@treering/merkle';
import { nodeHasher } from '@treering/merkle/node';
import { createSigner, decodeBase64, encodeUtf8, formatVerifierKey, KEY_TYPE, openCheckpoint } from '@treering/note';
import { nodeEd25519, readKeyFile } from '@treering/note/node';
import { type AttachmentRef, type ChangeRecord, encodeRecord, type PolicyBody } from '@treering/record';
import type { Cosign } from '@treering/sequencer';
import { ByteBudget, RateLimit } from '@treering/server';
import {
  createStatementSigner,
  encodeCoseKey,
  parseReceipt,
  type SignedStatement,
  type StatementSigner,
  signStatement,
  verifyReceipt,
} from '@treering/statement';
import { createMemoryStorage, type Storage } from '@treering/storage';
import { pino } from 'pino';
import {
  createApp,
  createMetrics,
  dataFolder,
  initLog,
  Log,
  type LogConfig,
  logKeysFrom,
  parseConfig,
  type ServedLog,
  STARTING_POLICY,
  serveLog,
} from '../src/index.js';

/** Name of every test log. */
export const ORIGIN = 'log.test/one';

/** Seeds of the test log's keys, each 32 bytes; the tests look for them where they must not be. */
export const SEED = {
  log: new Uint8Array(32).fill(0x11),
  publication: new Uint8Array(32).fill(0x22),
  admin: new Uint8Array(32).fill(0x33),
} as const;

/** A signer from a seed, or from fresh random bytes. */
export function signerFrom(seed: Uint8Array = new Uint8Array(randomBytes(32))): StatementSigner {
  return createStatementSigner(seed, nodeEd25519);
}

/** What a test statement says; what is left out is filled with something valid and unique. */
export interface StatementParts {
  readonly signer?: StatementSigner;
  readonly id?: string;
  readonly origin?: string;
  readonly subject?: string;
  readonly reason?: string;
  readonly prev?: Uint8Array;
  readonly attachments?: AttachmentRef[];
  /** Seconds since the epoch. */
  readonly iat?: number;
  /** Instead of an incident. */
  readonly record?: ChangeRecord;
}

let counter = 0;

/** A signed statement; by default an incident reported by the administrator. */
export function makeStatement(parts: StatementParts = {}): Promise<SignedStatement> {
  const subject = parts.record?.subject ?? parts.subject ?? 'model/wink';
  const record: ChangeRecord = parts.record ?? {
    v: 1,
    type: 'incident',
    subject,
    reason: parts.reason ?? `Decision number ${++counter} of the tests.`,
    severity: 'low',
    aware_at: 1_760_000_000_000,
    affected: [],
    ...(parts.prev === undefined ? {} : { prev: parts.prev }),
    ...(parts.attachments === undefined ? {} : { attachments: parts.attachments }),
  };
  const claims = {
    iss: `${parts.origin ?? ORIGIN}/identity/${parts.id ?? 'admin'}`,
    sub: subject,
    iat: parts.iat ?? Math.floor(Date.now() / 1000),
  };
  return signStatement(claims, encodeRecord(record), parts.signer ?? signerFrom(SEED.admin));
}

/** A record that enrols a key, or revokes an identity. */
export function identityRecord(action: 'enrol' | 'revoke', id: string, signer: StatementSigner, roles: string[]): ChangeRecord {
  const common = {
    v: 1,
    type: 'identity',
    subject: `identity/${id}`,
    reason: `The tests ${action} this identity.`,
    id,
  } as const;
  if (action === 'revoke') return { ...common, action };
  const valid_until = Math.floor(Date.now() / 1000) + 86_400;
  return { ...common, action, key: encodeCoseKey(signer.key), kind: 'person', roles, valid_until };
}

/** How a test log differs from the usual one. */
export interface LogOptions {
  readonly config?: Readonly<Record<string, unknown>>;
  readonly clock?: () => number;
  readonly storage?: Storage;
  readonly cosign?: Cosign;
  readonly policy?: PolicyBody;
  readonly refresh?: number;
  readonly keepEvery?: number;
}

/** A log in memory with its app. Nothing is published unless a test calls `log.publisher.publish()`. */
export async function memoryLog(options: LogOptions = {}) {
  const config = parseConfig({ data: 'memory', under_way: 100_000, ...options.config });
  const records: string[] = [];
  const logger = pino({ level: 'trace' }, { write: (line: string) => records.push(line) });
  let anchored: Uint8Array | null = null;
  const log = await Log.open({
    storage: options.storage ?? createMemoryStorage(),
    anchor: {
      read: async () => anchored,
      write: async (note) => {
        anchored = note;
      },
    },
    keys: logKeysFrom(
      { name: ORIGIN, type: KEY_TYPE.ed25519, seed: SEED.log },
      { name: ORIGIN, type: KEY_TYPE.mldsa44Cosignature, seed: SEED.publication },
    ),
    means: nodeMeans,
    pool: { entries: config.pool_entries, bytes: config.pool_bytes },
    underWay: config.under_way,
    identityRate: new RateLimit(config.identity_rate, config.identity_burst),
    ...(options.clock === undefined ? {} : { clock: options.clock }),
    ...(options.cosign === undefined ? {} : { cosign: options.cosign }),
    ...(options.refresh === undefined ? {} : { refresh: options.refresh }),
    ...(options.keepEvery === undefined ? {} : { keepEvery: options.keepEvery }),
  });
  const metrics = createMetrics(log);
  const rateLimit = new RateLimit(config.rate, config.burst);
  const app = createApp(
    {
      log,
      config,
      metrics,
      rateLimit,
      url: () => 'http://log.test',
      closing: new AbortController().signal,
      bodies: new ByteBudget(config.body_bytes),
    },
    logger,
  );
  await log.submit((await charter(options.policy ?? STARTING_POLICY, options.clock)).entry);
  return {
    log,
    app,
    records,
    /** Entries in the committed tree. */
    size: () => log.sequencer.head?.size ?? 0,
    /** Submits a body as it is. */
    post: (body: Uint8Array | string, headers: Record<string, string> = {}, query = '') =>
      app.request(`/v1/entries${query}`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/cose', ...headers },
        body: body as Uint8Array<ArrayBuffer>,
      }),
    /** A JSON answer. */
    // biome-ignore lint/suspicious/noExplicitAny: answers have many shapes, and each test looks at its own
    json: async (path: string, init?: RequestInit): Promise<any> => (await app.request(path, init)).json(),
    /** Logs `count` statements, all in one commit if the pool takes them. */
    grow: async (count: number, parts: StatementParts = {}) => {
      const statements = await Promise.all(Array.from({ length: count }, () => makeStatement(parts)));
      return Promise.all(statements.map(({ entry }) => log.submit(entry)));
    },
  };
}

/** What `memoryLog` returns. */
export type MemoryLog = Awaited<ReturnType<typeof memoryLog>>;

function charter(policy: PolicyBody, clock: () => number = Date.now): Promise<SignedStatement> {
  const signer = signerFrom(SEED.admin);
  const record: ChangeRecord = {
    v: 1,
    type: 'charter',
    subject: 'charter',
    reason: 'The test log begins.',
    origin: ORIGIN,
    log_keys: [
      formatVerifierKey(createSigner(ORIGIN, KEY_TYPE.ed25519, SEED.log, nodeEd25519).key),
      formatVerifierKey(createSigner(ORIGIN, KEY_TYPE.mldsa44Cosignature, SEED.publication).key),
    ],
    administrators: [{ id: 'admin', key: encodeCoseKey(signer.key), roles: ['administrator', 'engineer'] }],
    threshold: 1,
    policy,
    witnesses: [],
  };
  return makeStatement({ record, iat: Math.floor(clock() / 1000) });
}

/** A submission's JSON answer. */
export interface Answer {
  readonly index: number;
  readonly leaf: string;
  readonly checkpoint: string;
  readonly inclusion: readonly string[];
  readonly receipt: string;
  readonly statement_url: string;
}

/** Verifies everything that an answer claims about an entry; returns the size of its head. Throws when something fails. */
export function verifyAnswer(log: Log, entry: Uint8Array, answer: Answer): number {
  const { checkpoint } = openCheckpoint(encodeUtf8(answer.checkpoint), log.trust, nodeEd25519);
  const leaf = nodeHasher.hashLeaf(entry);
  if (Buffer.from(leaf).toString('hex') !== answer.leaf) throw new Error('the answer names another leaf');
  verifyInclusion(answer.index, Number(checkpoint.size), leaf, answer.inclusion.map(decodeBase64), checkpoint.root, nodeHasher);
  const receipt = parseReceipt(decodeBase64(answer.receipt));
  const root = verifyReceipt(receipt, leaf, log.receiptKey);
  if (Buffer.compare(root, checkpoint.root) !== 0) throw new Error('the receipt signs another root');
  if (receipt.proof.index !== answer.index || receipt.iss !== log.origin) throw new Error('the receipt is for something else');
  return Number(checkpoint.size);
}

/** A fresh folder, and what removes it. */
export function temporaryFolder(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'treering-log-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** A log on disk that listens on a free port. */
export async function servedLog(config: Readonly<Record<string, unknown>> = {}) {
  const folder = temporaryFolder();
  await initLog(folder.path, { origin: ORIGIN });
  const settings: LogConfig = parseConfig({
    data: folder.path,
    listen: '127.0.0.1:0',
    log_level: 'silent',
    publish_interval: 50,
    ...config,
  });
  const served: ServedLog = await serveLog(settings);
  const admin = signerFrom((await readKeyFile(dataFolder(folder.path).adminKey)).seed);
  return {
    served,
    settings,
    data: folder.path,
    url: served.url,
    port: Number(new URL(served.url).port),
    statement: (parts: StatementParts = {}) => makeStatement({ signer: admin, ...parts }),
    post: (body: Uint8Array) =>
      fetch(`${served.url}/v1/entries`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/cose' },
        body: body as Uint8Array<ArrayBuffer>,
      }),
    async close() {
      await served.close();
      folder.remove();
    },
  };
}

/** Awaits the error of a promise. Throws when there is none. */
export async function rejection(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  try {
    await promise;
  } catch (error) {
    return error as Error & { code?: string };
  }
  throw new Error('it was expected to be refused and was not');
}
