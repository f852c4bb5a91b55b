import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ByteBudget, createLogger, listen } from '@treering/server';
import { isUnused } from '@treering/storage-sqlite';
import type { Logger } from 'pino';
import { createApp } from './app.js';
import type { RecorderConfig } from './config.js';
import type { Publisher } from './publisher.js';
import { RecorderStore } from './store.js';
import { Worker } from './worker.js';

/** A recorder that listens. */
export interface ServedRecorder {
  readonly url: string;
  readonly store: RecorderStore;
  /** Takes no more deliveries, ends what is under way, and closes the store. */
  close(): Promise<void>;
}

/** Where the store lies in a recorder's data folder. */
export function recorderStore(data: string): string {
  return join(data, 'recorder.db');
}

/**
 * Opens the recorder in `config.data` and serves it; an empty folder gets a new store. What was kept before and is not recorded is
 * worked on again, also what was refused.
 * @throws StorageError when it may not start
 */
export async function serveRecorder(
  config: RecorderConfig,
  publisher: Publisher,
  logger: Logger = createLogger('treering-recorder', config.log_level),
): Promise<ServedRecorder> {
  const path = recorderStore(config.data);
  await mkdir(config.data, { recursive: true, mode: 0o700 });
  const store = RecorderStore.open(path, { mode: isUnused(path) ? 'create' : 'open' });
  const worker = new Worker({ store, publisher, mappings: config.mappings, logger });
  const app = createApp({
    store,
    secret: config.secret,
    bodies: new ByteBudget(config.body_bytes),
    logger,
    arrived: () => worker.wake(),
  });
  try {
    store.retryAll();
    const http = await listen(app.fetch, config);
    worker.start();
    logger.info({ url: http.url, ...store.counts() }, 'the recorder is open');
    return {
      url: http.url,
      store,
      async close() {
        await http.close();
        await worker.stop();
        store.close();
      },
    };
  } catch (error) {
    store.close();
    throw error;
  }
}
