import { existsSync } from 'node:fs';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { formatVerifierKey, MAX_NOTE_SIZE, NoteError } from '@treering/note';
import { ByteBudget, createLogger, listen, Problem } from '@treering/server';
import { StorageError } from '@treering/storage';
import { isUnused } from '@treering/storage-sqlite';
import type { Logger } from 'pino';
import { createFileAnchor } from './anchor.js';
import { createApp } from './app.js';
import type { WitnessConfig } from './config.js';
import { type WitnessFolder, witnessFolder } from './data-folder.js';
import { WitnessError } from './errors.js';
import { type CosignerKeys, createCosignerKeys, openCosignerKeys } from './keys.js';
import { type KnownLog, parseLogList } from './log-list.js';
import { createMetrics } from './metrics.js';
import type { Mirror } from './mirror.js';
import { openMirror, type ServedMirror } from './open-mirror.js';
import { WitnessStore } from './store.js';
import { Witness } from './witness.js';

/** A witness that listens. */
export interface ServedWitness {
  readonly witness: Witness;
  readonly url: string;
  /** Verifier keys: Ed25519, then ML-DSA-44. */
  readonly vkeys: readonly string[];
  /** The mirror, when there is one. */
  readonly mirror: Mirror | undefined;
  close(): Promise<void>;
}

/** Milliseconds between two looks at the list of logs, and at what logs publish. */
const LIST_INTERVAL = 2_000;
const CHECK_INTERVAL = 3_600_000;
/** Milliseconds for a log's published checkpoint. */
const PATIENCE = 3_000;

/**
 * Opens the witness in `config.data` and serves it. An empty folder gets a new store and new keys; a folder that has lost one of
 * them is refused, because a witness that forgets cosigns anything.
 * @throws StorageError, NoteError, KeyError or WitnessError when it may not start
 */
export async function serveWitness(
  config: WitnessConfig,
  logger: Logger = createLogger('treering-witness', config.log_level),
): Promise<ServedWitness> {
  const folder = witnessFolder(config);
  const store = await openStore(config, folder);
  let keys: CosignerKeys | undefined;
  let mirroring: ServedMirror | undefined;
  try {
    keys = await openCosignerKeys([config.key ?? folder.key, folder.mldsaKey]);
    const { name } = keys.signers[0].key;
    if (config.name !== undefined && config.name !== name)
      throw new WitnessError('witness/wrong-key', `the keys are those of ${name}, not of ${config.name}`);
    if (config.mirror) mirroring = await openMirror(config, folder, store, keys, logger);
    const mirror = mirroring?.mirror;
    const witness = new Witness({
      store,
      signers: keys.signers,
      mirrorSigners: mirror?.signers ?? [],
      pending: config.pending,
    });
    const stopFollowing = await followList(folder.logs, witness, logger);
    const server = {
      witness,
      mirror: mirror === undefined ? undefined : { mirror, uploads: new ByteBudget(config.body_bytes) },
      metrics: createMetrics(witness, mirror),
      bodies: new ByteBudget(config.body_bytes),
      logger,
    };
    const http = await listen(createApp(server).fetch, config).catch((error) => {
      stopFollowing();
      throw error;
    });
    logger.info({ url: http.url, name: witness.name, logs: store.origins().length }, 'the witness is open');
    if (store.locked !== undefined) logger.error({ why: store.locked }, 'the witness is locked');
    return {
      witness,
      url: http.url,
      vkeys: keys.signers.map(({ key }) => formatVerifierKey(key)),
      mirror,
      async close() {
        stopFollowing();
        await http.close();
        mirroring?.close();
        store.close();
        keys?.close();
      },
    };
  } catch (error) {
    mirroring?.close();
    store.close();
    keys?.close();
    throw error;
  }
}

async function openStore(config: WitnessConfig, folder: WitnessFolder): Promise<WitnessStore> {
  const anchor = createFileAnchor(folder.anchor);
  if (isUnused(folder.store)) {
    if ([folder.key, folder.mldsaKey, folder.anchor].some(existsSync))
      throw new StorageError(
        'storage/missing',
        `the store ${folder.store} is gone, and a witness that has forgotten what it cosigned must not go on with its keys: bring the store back, or begin anew with new keys in an empty folder`,
      );
    if (config.key !== undefined && !config.create)
      throw new StorageError(
        'storage/missing',
        `there is no store ${folder.store}, and a witness that has forgotten what it cosigned must not go on with its key: bring the store back, or say --create if the key has never cosigned`,
      );
    await mkdir(dirname(folder.store), { recursive: true, mode: 0o700 });
    WitnessStore.open(folder.store, { mode: 'create' }, anchor).close();
  }
  const store = WitnessStore.open(folder.store, { mode: 'open' }, anchor);
  try {
    // A store that knows logs was opened with keys before: those are never replaced by new ones.
    if (store.origins().length === 0) await createKeys(config, folder);
    return store;
  } catch (error) {
    store.close();
    throw error;
  }
}

async function createKeys({ name, key }: WitnessConfig, folder: WitnessFolder): Promise<void> {
  if (name !== undefined) await createCosignerKeys(name, key === undefined ? folder.key : undefined, folder.mldsaKey);
  else if (!existsSync(folder.mldsaKey))
    throw new NoteError('note/bad-key', 'a new witness needs a name, such as witness.example.org/1 (--name)');
}

/**
 * Adds the logs of a list that is read again whenever it changes; those that disappear from it stay known. Logs that say where
 * they publish are asked for cosignatures that this witness may have forgotten.
 */
async function followList(path: string, witness: Witness, logger: Logger): Promise<() => void> {
  let read = -1;
  let logs: KnownLog[] = [];
  const update = async (): Promise<void> => {
    const changed = await stat(path).then(
      ({ mtimeMs }) => mtimeMs,
      () => -1,
    );
    if (changed === read || changed === -1) return;
    try {
      logs = parseLogList(await readFile(path, 'utf8'));
      for (const origin of witness.store.addLogs(logs)) logger.info({ origin }, 'a log is followed from now on');
      read = changed;
    } catch (error) {
      logger.error({ err: error, path }, 'the list of logs cannot be read; what was known stays known');
      read = changed;
    }
  };
  let checked = 0;
  const follow = async (): Promise<void> => {
    const before = logs;
    await update();
    if (logs === before && performance.now() - checked < CHECK_INTERVAL) return;
    await Promise.all(logs.map((log) => examinePublished(log, witness, logger)));
    checked = performance.now();
  };
  await follow();
  let busy = false;
  const once = async (): Promise<void> => {
    if (busy) return;
    busy = true;
    await follow().finally(() => {
      busy = false;
    });
  };
  const timer = setInterval(once, LIST_INTERVAL).unref();
  return () => clearInterval(timer);
}

async function examinePublished({ origin, url }: KnownLog, witness: Witness, logger: Logger): Promise<void> {
  if (url === undefined) return;
  try {
    const response = await fetch(`${url.replace(/\/+$/, '')}/checkpoint`, {
      redirect: 'error',
      signal: AbortSignal.timeout(PATIENCE),
    });
    if (!response.ok || response.body === null) return;
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      size += chunk.length;
      if (size > MAX_NOTE_SIZE) return;
      chunks.push(chunk);
    }
    witness.examine(new Uint8Array(Buffer.concat(chunks)));
  } catch (error) {
    if (error instanceof Problem && error.code === 'witness/locked')
      logger.error({ origin, why: error.message }, 'the witness locks');
    else logger.debug({ origin, err: error }, 'a log could not be asked for its checkpoint');
  }
}
