import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { nodeMeans } from '@treering/foreign/node';
import { type OpenedKey, openKey, requireNoteSigner, requireStatementSigner } from '@treering/keys';
import { createSigner, formatVerifierKey, KEY_TYPE } from '@treering/note';
import { nodeEd25519, writeKeyFile } from '@treering/note/node';
import { ByteBudget, createLogger, listen } from '@treering/server';
import type { Logger } from 'pino';
import { createApp } from './app.js';
import { type MonitorConfig, MonitorConfigError } from './config.js';
import { createMetrics } from './metrics.js';
import { Monitor } from './monitor.js';
import { MonitorStore } from './store.js';

/** Where things lie in a monitor's data folder. */
export interface MonitorFolder {
  readonly store: string;
  readonly key: string;
}

/** The paths in the folder `data`. */
export function monitorFolder(data: string): MonitorFolder {
  return { store: join(data, 'monitor.db'), key: join(data, 'keys', 'monitor.key') };
}

/** A monitor that is ready to poll. */
export interface OpenMonitor {
  readonly monitor: Monitor;
  readonly vkey: string;
  close(): Promise<void>;
}

/** A monitor that listens and polls. */
export interface ServedMonitor extends OpenMonitor {
  readonly url: string;
}

/**
 * Opens the monitor in a data folder; an empty one gets a key and a store.
 * @throws StorageError, KeyError, NoteError or MonitorConfigError
 */
export async function openMonitor(data: string, config: MonitorConfig, logger: Logger): Promise<OpenMonitor> {
  const folder = monitorFolder(data);
  await mkdir(data, { recursive: true, mode: 0o700 });
  const key = await openOrCreateKey(folder, config);
  try {
    const store = openStore(folder.store);
    const { timeout, peers, webhooks, logs } = config;
    const monitor = new Monitor({
      store,
      name: key.name,
      signer: requireStatementSigner(key),
      logs,
      peers,
      webhooks,
      timeout,
      means: nodeMeans,
      onAlarm: ({ id, origin, kind, message }, event) =>
        event === 'raised'
          ? logger.error({ alarm: id, origin, kind, message }, 'alarm')
          : logger.info({ alarm: id, origin, kind }, 'the alarm is over'),
      onTrouble: (who, error) => logger.debug({ who, why: error.message }, 'somebody could not be asked'),
      onUnproved: ({ id, origin, kind }, error) =>
        logger.error({ alarm: id, origin, kind, err: error }, 'the proof of an alarm could not be made'),
    });
    return {
      monitor,
      vkey: formatVerifierKey(requireNoteSigner(key).key),
      async close() {
        await monitor.close();
        key.close();
      },
    };
  } catch (error) {
    key.close();
    throw error;
  }
}

/** Opens the monitor in a data folder, serves it, and polls until it is closed. */
export async function serveMonitor(
  data: string,
  config: MonitorConfig,
  logger: Logger = createLogger('treering-monitor', config.log_level),
): Promise<ServedMonitor> {
  const opened = await openMonitor(data, config, logger);
  const { monitor, vkey } = opened;
  const server = { monitor, vkey, metrics: createMetrics(monitor), bodies: new ByteBudget(config.body_bytes), logger };
  const http = await listen(createApp(server).fetch, config).catch(async (error) => {
    await opened.close();
    throw error;
  });
  const stop = pollRegularly(monitor, config.interval * 1000, logger);
  logger.info({ url: http.url, name: monitor.name, logs: monitor.logs.length }, 'the monitor is open');
  return {
    monitor,
    vkey,
    url: http.url,
    async close() {
      stop();
      await http.close();
      await opened.close();
    },
  };
}

/**
 * Looks at every log at once and then at an interval, each on its own, and tells webhooks after each look; none waits for that. A
 * log whose entries were not all read is looked at again at once.
 */
function pollRegularly(monitor: Monitor, interval: number, logger: Logger): () => void {
  const timers = new Map<unknown, NodeJS.Timeout>();
  let stopped = false;
  const repeat = (name: unknown, work: () => Promise<void>, wait: () => number): void => {
    const tick = async (): Promise<void> => {
      await work().catch((error: unknown) => logger.error({ err: error }, 'a poll failed'));
      if (!stopped) timers.set(name, setTimeout(tick, wait()));
    };
    timers.set(name, setTimeout(tick, 0));
  };
  for (const log of monitor.logs) {
    const tell = (): void => {
      monitor.tell().catch((error: unknown) => logger.error({ err: error }, 'webhooks could not be told'));
    };
    const wait = (): number => (log.isBehind ? 0 : interval);
    repeat(log, () => monitor.look(log).finally(tell), wait);
  }
  return () => {
    stopped = true;
    for (const timer of timers.values()) clearTimeout(timer);
  };
}

function openStore(path: string): MonitorStore {
  if (!existsSync(path)) MonitorStore.open(path, { mode: 'create' }).close();
  return MonitorStore.open(path, { mode: 'open' });
}

async function openOrCreateKey(folder: MonitorFolder, { key, name }: MonitorConfig): Promise<OpenedKey> {
  if (key === undefined && !existsSync(folder.key)) {
    if (name === undefined) throw new MonitorConfigError('a new monitor needs a name, such as monitor.example.org/1');
    const seed = new Uint8Array(randomBytes(32));
    await writeKeyFile(folder.key, createSigner(name, KEY_TYPE.ed25519, seed, nodeEd25519).key, seed);
  }
  return openKey(key ?? folder.key, { env: process.env });
}
