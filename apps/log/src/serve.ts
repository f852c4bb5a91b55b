import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { nodeMeans } from '@treering/foreign/node';
import { type OpenedKey, openKey } from '@treering/keys';
import { parseTilePath } from '@treering/merkle';
import { formatVerifierKey, parsePolicy } from '@treering/note';
import { SequencerError } from '@treering/sequencer';
import { ByteBudget, createLogger, KeptAnswers, type Listening, listen, Problem, RateLimit } from '@treering/server';
import { StorageError } from '@treering/storage';
import { openThreadedSqliteStorage } from '@treering/storage-sqlite';
import type { Logger } from 'pino';
import { openAnchor } from './anchor.js';
import { createApp, observeRequest } from './app.js';
import type { LogConfig } from './config.js';
import { dataFolder } from './data-folder.js';
import { pseudonymSecret, Registrar } from './enrolment.js';
import { endBeginning } from './init.js';
import { openLogKeys } from './keys.js';
import { Log } from './log.js';
import { createMetrics } from './metrics.js';
import { TokenVerifier } from './oidc.js';
import { keepVerifierKeys, NO_ANCHOR, openVerifierKeys } from './read-only.js';
import type { Server } from './routes/context.js';
import { createSnapshotFile } from './snapshot.js';
import type { WitnessOptions } from './witnesses.js';

/** Bytes of tiles and bundles that are kept ready. */
const KEPT_BYTES = 64 * 1024 * 1024;
/** Bytes of answers that wait for clients to take them, but for logs with large attachments. */
const ANSWER_BYTES = 256 * 1024 * 1024;

/** Milliseconds after which witnesses that nothing may be logged without are asked again, at most: what submitters are told to wait. */
const MOST_SILENCE = 5000;

/** A log that listens. */
export interface ServedLog {
  readonly log: Log;
  readonly url: string;
  readonly vkey: string;
  /** Stops taking requests, answers those under way, publishes and closes the store. */
  close(): Promise<void>;
  /** Resolves with the cause when the log may not go on. */
  readonly failed: Promise<Error>;
}

/**
 * Opens the log in `config.data` and serves it.
 * @throws SequencerError, StorageError, NoteError or GovernanceError when it may not start
 */
export async function serveLog(
  config: LogConfig,
  logger: Logger = createLogger('treering-log', config.log_level),
): Promise<ServedLog> {
  const folder = dataFolder(config.data, config.anchor);
  let fail: (error: Error) => void = () => undefined;
  const failed = new Promise<Error>((resolve) => {
    fail = resolve;
  });
  const storage = await openThreadedSqliteStorage(folder.store);
  let keys: Awaited<ReturnType<typeof openLogKeys>> | undefined;
  let log: Log;
  try {
    keys = config.read_only ? await openVerifierKeys(folder) : await openLogKeys(folder, config);
    log = await Log.open({
      storage,
      anchor: config.read_only ? NO_ANCHOR : openAnchor(folder),
      keys,
      means: nodeMeans,
      snapshots: createSnapshotFile(folder.snapshot),
      pool: { entries: config.pool_entries, bytes: config.pool_bytes },
      underWay: config.under_way,
      identityRate: new RateLimit(config.identity_rate, config.identity_burst),
      trustStore: config.trust_store || config.read_only,
      readOnly: config.read_only,
      witnesses: config.read_only ? undefined : await readWitnesses(config, logger),
      refresh: config.refresh_interval,
      onFatal: (error) => {
        logger.fatal({ err: error }, 'the log stops: it may not go on from memory');
        fail(error);
      },
    });
    if (log.sequencer.head === null) {
      throw new StorageError('storage/missing', `the log in ${config.data} was never begun; finish "treering log init"`);
    }
    if (!config.read_only) {
      await endBeginning(folder);
      await keepVerifierKeys(folder, keys);
    }
  } catch (error) {
    await storage.close();
    keys?.close();
    throw error;
  }
  const registrarKey = config.registrar_key === undefined ? undefined : await openRegistrar(log, config.registrar_key);
  const secret =
    registrarKey === undefined
      ? undefined
      : await pseudonymSecret(folder.pseudonyms).catch(async (error) => {
          await log.close();
          throw error;
        });
  let url = config.url ?? '';
  const closing = new AbortController();
  const server: Server = {
    log,
    config,
    metrics: createMetrics(log),
    rateLimit: new RateLimit(config.rate, config.burst),
    registrar:
      registrarKey === undefined || secret === undefined
        ? undefined
        : new Registrar(log, registrarKey, new TokenVerifier(), secret),
    bodies: new ByteBudget(config.body_bytes),
    url: () => url,
    closing: closing.signal,
  };
  const http: Listening = await listen(createApp(server, logger).fetch, {
    ...config,
    answerBytes: Math.max(ANSWER_BYTES, 4 * config.attachment_bytes),
    kept: keptTiles(server),
    refuse: refuseWhenFull(server),
  }).catch(async (error) => {
    await log.close();
    throw error;
  });
  url ||= http.url;
  const stopPublishing = config.read_only ? () => undefined : publishRegularly(log, config, logger);
  logger.info({ url, origin: log.origin, size: log.sequencer.head?.size ?? 0 }, 'the log is open');

  return {
    log,
    url,
    vkey: formatVerifierKey(log.signer.key),
    failed,
    async close() {
      stopPublishing();
      closing.abort();
      await http.close();
      await log.close();
      keys?.close();
      registrarKey?.close();
      logger.info({ size: log.sequencer.head?.size ?? 0 }, 'the log is closed');
    },
  };
}

/** Tiles and entry bundles never change, so that they are built and compressed once. */
function keptTiles(server: Server): KeptAnswers {
  return new KeptAnswers({ bytes: KEPT_BYTES, isKept: isTile, observe: observeRequest(server) });
}

/** Answers submissions that there is no room for before anything of them is read. */
function refuseWhenFull({ log, metrics }: Server): (request: IncomingMessage) => Problem | undefined {
  const full = new Problem(
    503,
    'sequencer/overloaded',
    'the log has as many submissions under way as it takes; try again in a second',
    {
      retryAfter: 1,
    },
  );
  return ({ method, url = '' }) => {
    if (!log.isFull || method !== 'POST' || !/^\/v1\/entries(?:\?|$)/.test(url)) return undefined;
    metrics.submissions.inc({ outcome: full.code });
    return full;
  };
}

/** The one spelling of a tile or an entry bundle, and nothing that only leads there or elsewhere: attachments can be erased. */
function isTile(target: string): boolean {
  try {
    parseTilePath(target.slice(1));
    return target.startsWith('/');
  } catch {
    return false;
  }
}

/** The witnesses of the policy that the configuration names. @throws NoteError (note/bad-policy) */
async function readWitnesses(config: LogConfig, logger: Logger): Promise<WitnessOptions | undefined> {
  if (config.witnesses === undefined) return undefined;
  const policy = parsePolicy(await readFile(config.witnesses, 'utf8'));
  return {
    policy,
    timeout: config.witness_timeout,
    onAlarm: (witness, message) => logger.error({ witness, message }, 'a witness contradicts the log'),
  };
}

/** The registrar's key. What was opened before is closed when it cannot be opened. */
async function openRegistrar(log: Log, reference: string): Promise<OpenedKey> {
  try {
    return await openKey(reference, { env: process.env });
  } catch (error) {
    await log.close();
    throw error;
  }
}

/** Publishes at the configured interval. A failure is recorded and tried again: what is published stays as it was. */
function publishRegularly(log: Log, config: LogConfig, logger: Logger): () => void {
  let timer: NodeJS.Timeout;
  let stopped = false;
  const tick = async (): Promise<void> => {
    try {
      await log.publisher.publish();
    } catch (error) {
      const missing = error instanceof SequencerError && error.code === 'sequencer/quorum-not-met';
      if (missing) logger.warn({ why: error.message }, 'the head waits for its witnesses');
      else logger.error({ err: error }, 'the head could not be published');
    }
    // As long as nothing may be logged, witnesses are asked again soon, however rarely heads are published.
    const pause =
      log.witnesses?.silence === undefined ? config.publish_interval : Math.min(config.publish_interval, MOST_SILENCE);
    if (!stopped) timer = setTimeout(tick, pause);
  };
  timer = setTimeout(tick, 0);
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}
