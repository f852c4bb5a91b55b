import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createSigner, formatVerifierKey, KEY_TYPE } from '@treering/note';
import { nodeEd25519, readKeyFile, writeKeyFile } from '@treering/note/node';
import { encodeRecord, type PolicyBody, type RecordOf } from '@treering/record';
import { createStatementSigner, encodeCoseKey, signStatement } from '@treering/statement';
import { StorageError } from '@treering/storage';
import { isUnused, openSqliteStorage } from '@treering/storage-sqlite';
import { dataFolder, openAnchor } from './data-folder.js';
import { Log } from './log.js';

/** The policy that a log begins with when its operator brings none: everybody who is enrolled records what is theirs. */
export const STARTING_POLICY: PolicyBody = {
  rules: [
    { name: 'administrators', who: { roles: ['administrator'] }, may: ['*'], on: ['**'] },
    {
      name: 'engineers',
      who: { roles: ['engineer'] },
      may: ['system', 'model', 'config', 'evaluation', 'deployment', 'change-plan', 'verification', 'incident'],
      on: ['**'],
    },
    { name: 'approvers', who: { roles: ['approver'] }, may: ['approval', 'assessment', 'incident', 'freeze'], on: ['**'] },
    { name: 'machines', who: { roles: ['machine'] }, may: ['deployment', 'attestation', 'verification'], on: ['**'] },
  ],
};

/** What a new log begins with. */
export interface InitOptions {
  /** Names the log; without one `localhost/treering-<8 random hex digits>`. */
  readonly origin?: string;
  /** The first administrator's id. */
  readonly administrator?: string;
  readonly policy?: PolicyBody;
  readonly anchor?: string;
}

/**
 * Begins a new log in a folder: keys with mode 600, an empty store, and the charter as entry 0. It runs only when it is asked
 * for, and only in a folder without a log; a run that was interrupted goes on with the keys that it finds.
 * @throws StorageError (storage/schema) when there is a log already
 */
export async function initLog(data: string, options: InitOptions = {}): Promise<{ origin: string }> {
  const folder = dataFolder(data, options.anchor);
  await mkdir(data, { recursive: true, mode: 0o700 });
  if (await hasLog(data)) throw new StorageError('storage/schema', `there is a log in ${data} already`);
  if (existsSync(folder.anchor)) {
    throw new StorageError(
      'storage/missing',
      `${folder.anchor} remembers a head, but the store is gone: bring back the store from a backup, or move the anchor away to begin another log`,
    );
  }
  const origin = existsSync(folder.logKey)
    ? (await readKeyFile(folder.logKey)).name
    : (options.origin ?? `localhost/treering-${randomBytes(4).toString('hex')}`);
  const logKey = await keyAt(folder.logKey, origin, KEY_TYPE.ed25519);
  const publicationKey = await keyAt(folder.publicationKey, origin, KEY_TYPE.mldsa44Cosignature);
  const admin = await keyAt(folder.adminKey, options.administrator ?? 'admin', KEY_TYPE.ed25519);

  const signer = createStatementSigner(admin.seed, nodeEd25519);
  const vkeys = [
    createSigner(origin, KEY_TYPE.ed25519, logKey.seed, nodeEd25519),
    createSigner(origin, KEY_TYPE.mldsa44Cosignature, publicationKey.seed),
  ].map(({ key }) => formatVerifierKey(key));
  const charter: RecordOf<'charter'> = {
    v: 1,
    type: 'charter',
    subject: 'charter',
    reason: 'The log begins with its name, its keys, its administrators and its rules.',
    origin,
    log_keys: vkeys,
    administrators: [{ id: admin.name, key: encodeCoseKey(signer.key), roles: ['administrator', 'engineer'] }],
    threshold: 1,
    policy: options.policy ?? STARTING_POLICY,
    witnesses: [],
  };
  const claims = { iss: `${origin}/identity/${admin.name}`, sub: 'charter', iat: Math.floor(Date.now() / 1000) };
  const statement = await signStatement(claims, encodeRecord(charter), signer);
  const mode = isUnused(folder.store) ? 'create' : 'open';
  const log = await Log.open({
    storage: openSqliteStorage(folder.store, { mode }),
    anchor: openAnchor(folder),
    logKey,
    publicationKey,
  });
  try {
    await log.submit(statement.entry);
    // The anchor could not be written, for example: the charter is stored, but the log is not begun as it should be.
    if (log.sequencer.trouble !== undefined) throw log.sequencer.trouble;
  } finally {
    await log.close();
  }
  return { origin };
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
