import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { nodeMeans } from '@treering/foreign/node';
import { createSigner, formatVerifierKey, KEY_TYPE, type SignerKey } from '@treering/note';
import { nodeEd25519, readKeyFile, writeKeyFile } from '@treering/note/node';
import { encodeRecord, type PolicyBody, type RecordOf } from '@treering/record';
import { createStatementSigner, encodeCoseKey, signStatement } from '@treering/statement';
import { StorageError } from '@treering/storage';
import { isUnused, openSqliteStorage } from '@treering/storage-sqlite';
import { openAnchor } from './anchor.js';
import { type DataFolder, dataFolder } from './data-folder.js';
import { writeDurably } from './durable-file.js';
import { logKeysFrom } from './keys.js';
import { Log } from './log.js';

/** The policy that a log begins with when its operator brings none: everybody who is enrolled records what is theirs. */
export const STARTING_POLICY: PolicyBody = {
  rules: [
    { name: 'administrators', who: { roles: ['administrator'] }, may: ['*'], on: ['**'] },
    {
      name: 'engineers',
      who: { roles: ['engineer'] },
      may: ['system', 'model', 'config', 'evaluation', 'deployment', 'change-plan', 'verification', 'incident', 'foreign'],
      on: ['**'],
    },
    { name: 'approvers', who: { roles: ['approver'] }, may: ['approval', 'assessment', 'incident'], on: ['**'] },
    { name: 'machines', who: { roles: ['machine'] }, may: ['deployment', 'attestation', 'verification'], on: ['**'] },
  ],
};

/** What a new log begins with. */
export interface InitOptions {
  /** Names the log; without one `localhost/treering-<8 random hex digits>`. */
  readonly origin?: string;
  /** The first administrator's id. */
  readonly administrator?: string;
  /** Further administrators, with keys of their own making. */
  readonly administrators?: RecordOf<'charter'>['administrators'];
  /** How many administrators must agree on a change of the rules. */
  readonly threshold?: number;
  readonly policy?: PolicyBody;
  readonly anchor?: string;
}

/**
 * Begins a new log in a folder: keys with mode 600, an empty store, and the charter as entry 0. It runs only when it is asked
 * for, and only where no log was before: keys without a store may have signed heads, and are refused. A run that was interrupted
 * has left a note that says so, and goes on with the same keys and the very same charter.
 * @throws StorageError storage/schema when there is a log already, storage/missing when there are only remains of one
 */
export async function initLog(data: string, options: InitOptions = {}): Promise<{ origin: string }> {
  const folder = dataFolder(data, options.anchor);
  await mkdir(data, { recursive: true, mode: 0o700 });
  if (await hasLog(data)) throw new StorageError('storage/schema', `there is a log in ${data} already`);
  const remains = [folder.anchor, ...(existsSync(folder.beginning) ? [] : [folder.logKey])].find(existsSync);
  if (remains !== undefined) {
    throw new StorageError(
      'storage/missing',
      `${remains} belongs to a log, but the store is gone: bring back the store from a backup. To begin another log, take a new folder; the old keys must not sign a second history`,
    );
  }
  if (!existsSync(folder.beginning)) await writeDurably(folder.beginning, new Uint8Array(0));
  const origin = existsSync(folder.logKey)
    ? (await readKeyFile(folder.logKey)).name
    : (options.origin ?? `localhost/treering-${randomBytes(4).toString('hex')}`);
  const logKey = await keyAt(folder.logKey, origin, KEY_TYPE.ed25519);
  const publicationKey = await keyAt(folder.publicationKey, origin, KEY_TYPE.mldsa44Cosignature);
  const admin = await keyAt(folder.adminKey, options.administrator ?? 'admin', KEY_TYPE.ed25519);

  let charter = new Uint8Array(await readFile(folder.beginning));
  if (charter.length === 0) {
    charter = await signCharter(logKey, publicationKey, admin, options);
    await writeDurably(folder.beginning, charter);
  }
  const mode = isUnused(folder.store) ? 'create' : 'open';
  const log = await Log.open({
    storage: openSqliteStorage(folder.store, { mode }),
    anchor: openAnchor(folder),
    keys: logKeysFrom(logKey, publicationKey),
    means: nodeMeans,
  });
  try {
    await log.begin(charter);
  } finally {
    await log.close();
  }
  await endBeginning(folder);
  return { origin };
}

/** The charter of a new log, signed by its first administrator. */
async function signCharter(
  logKey: SignerKey,
  publicationKey: SignerKey,
  admin: SignerKey,
  { policy = STARTING_POLICY, administrators = [], threshold = 1 }: InitOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const origin = logKey.name;
  const signer = createStatementSigner(admin.seed, nodeEd25519);
  const record: RecordOf<'charter'> = {
    v: 1,
    type: 'charter',
    subject: 'charter',
    reason: 'The log begins with its name, its keys, its administrators and its rules.',
    origin,
    log_keys: [logKey, publicationKey].map(({ name, type, seed }) =>
      formatVerifierKey(createSigner(name, type, seed, nodeEd25519).key),
    ),
    administrators: [
      { id: admin.name, key: encodeCoseKey(signer.key), roles: ['administrator', 'engineer'] },
      ...administrators,
    ],
    threshold,
    policy,
    witnesses: [],
  };
  const claims = { iss: `${origin}/identity/${admin.name}`, sub: 'charter', iat: Math.floor(Date.now() / 1000) };
  return new Uint8Array((await signStatement(claims, encodeRecord(record), signer)).entry);
}

/** A log that has begun cannot begin again: removes the note of its beginning, and what interrupted key writing left. */
export async function endBeginning(folder: DataFolder): Promise<void> {
  await rm(folder.beginning, { force: true });
  const keys = dirname(folder.logKey);
  for (const name of await readdir(keys)) if (/\.key\.\d+\.new$/.test(name)) await rm(join(keys, name), { force: true });
}

/** Whether a folder holds a log with at least its charter. */
export async function hasLog(data: string): Promise<boolean> {
  const { store } = dataFolder(data);
  if (isUnused(store)) return false;
  const storage = openSqliteStorage(store, { mode: 'read' });
  try {
    return (await storage.head()) !== null;
  } finally {
    await storage.close();
  }
}

async function keyAt(path: string, name: string, type: number) {
  if (!existsSync(path)) {
    const seed = new Uint8Array(randomBytes(32));
    await writeKeyFile(path, createSigner(name, type, seed, nodeEd25519).key, seed);
  }
  return readKeyFile(path);
}
