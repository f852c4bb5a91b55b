import { existsSync } from 'node:fs';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { formatVerifierKey, NoteError } from '@treering/note';
import { ByteBudget, createLogger, listen, Problem } from '@treering/server';
import { StorageError } from '@treering/storage';
import type { Logger } from 'pino';
import { createFileAnchor } from './anchor.js';
import { createApp } from './app.js';
import type { WitnessConfig } from './config.js';
import { type WitnessFolder, witnessFolder } from './data-folder.js';
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
/** Milliseconds and bytes for a log's published checkpoint. */
const PATIENCE = 3_000;
const MOST_BYTES = 1024 * 1024;

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
  const keysExist = config.key !== undefined || existsSync(folder.key) || existsSync(folder.mldsaKey);
  if (!existsSync(folder.store)) {
    if (keysExist || existsSync(folder.anchor))
      throw new StorageError(
        'storage/missing',
        `the store ${folder.store} is gone, and a witness that has forgotten what it cosigned must not go on with its keys: bring the store back, or begin anew with new keys in an empty folder`,
      );
    await mkdir(dirname(folder.store), { recursive: true, mode: 0o700 });
    WitnessStore.open(folder.store, { mode: 'create' }, anchor).close();
  }
  const store = WitnessStore.open(folder.store, { mode: 'open' }, anchor);
  try {
    const fresh = store.origins().every((origin) => store.head(origin) === undefined);
    if (fresh && config.key === undefined) {
      if (config.name === undefined && !existsSync(folder.key))
        throw new NoteError('note/bad-key', 'a new witness needs a name, such as witness.example.org/1 (--name)');
      if (config.name !== undefined) await createCosignerKeys(config.name, folder.key, folder.mldsaKey);
    }
    return store;
  } catch (error) {
    store.close();
    throw error;
  }
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
      for (const { origin, keys } of logs)
        if (witness.store.addLog(origin, keys) > 0) logger.info({ origin }, 'a log is followed from now on');
      read = changed;
    } catch (error) {
      logger.error({ err: error, path }, 'the list of logs cannot be read; what was known stays known');
      read = changed;
    }
  };
  const check = async (): Promise<void> => {
    await Promise.all(logs.map((log) => examinePublished(log, witness, logger)));
  };
  await update();
  await check();
  let busy = false;
  const once = (work: () => Promise<void>) => async () => {
    if (busy) return;
    busy = true;
    await work().finally(() => {
      busy = false;
    });
  };
  const timers = [setInterval(once(update), LIST_INTERVAL).unref(), setInterval(once(check), CHECK_INTERVAL).unref()];
  return () => {
    for (const timer of timers) clearInterval(timer);
  };
}

async function examinePublished({ origin, url }: KnownLog, witness: Witness, logger: Logger): Promise<void> {
  if (url === undefined) return;
  try {
    const response = await fetch(`${url.replace(/\/+$/, '')}/checkpoint`, {
      redirect: 'error',
      signal: AbortSignal.timeout(PATIENCE),
    });
    const length = Number(response.headers.get('content-length') ?? 0);
    if (!response.ok || length > MOST_BYTES) return;
    witness.examine(new Uint8Array(await response.arrayBuffer()).subarray(0, MOST_BYTES));
  } catch (error) {
    if (error instanceof Problem && error.code === 'witness/locked')
      logger.error({ origin, why: error.message }, 'the witness locks');
    else logger.debug({ origin, err: error }, 'a log could not be asked for its checkpoint');
  }
}
