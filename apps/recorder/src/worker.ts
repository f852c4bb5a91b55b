import type { Logger } from 'pino';
import { RecorderError } from './errors.js';
import { parseEvent } from './event.js';
import type { Publisher } from './publisher.js';
import { resolveSource, type SourceMapping } from './source-map.js';
import type { RecorderStore, Waiting } from './store.js';

/** What a worker works with. */
export interface WorkerParts {
  readonly store: RecorderStore;
  readonly publisher: Publisher;
  readonly mappings: readonly SourceMapping[];
  readonly logger: Logger;
  /** Milliseconds since the epoch. */
  readonly clock?: () => number;
  /** Milliseconds before the first repetition; each further one waits twice as long, up to LONGEST. */
  readonly pause?: number;
}

const LONGEST = 300_000;

/** Records what the store holds, one delivery after the other, until it is told to end. */
export class Worker {
  readonly #parts: WorkerParts;
  readonly #clock: () => number;
  readonly #pause: number;
  #stopped = false;
  #wake: () => void = () => undefined;
  #running: Promise<void> | undefined;

  constructor(parts: WorkerParts) {
    this.#parts = parts;
    this.#clock = parts.clock ?? Date.now;
    this.#pause = parts.pause ?? 1_000;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Something new is there. */
  wake(): void {
    this.#wake();
  }

  /** Ends after what is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { logger } = this.#parts;
    let failures = 0;
    while (!this.#stopped) {
      const due = this.#parts.store.due(this.#clock());
      if (due === undefined) {
        const next = this.#parts.store.nextAt();
        await this.#sleep(next === undefined ? LONGEST : Math.max(next - this.#clock(), 1), true);
        continue;
      }
      const reached = await this.work(due).catch((error: unknown) => {
        logger.error({ err: error, delivery: due.id }, 'the store of the recorder fails');
        return false;
      });
      failures = reached ? 0 : failures + 1;
      if (!reached) await this.#sleep(this.#backoff(failures - 1), false);
    }
  }

  /**
   * Works on one delivery. Whatever happens is in the store when this returns.
   * @returns false when the log could not be reached, so that nothing else can be recorded either
   */
  async work(waiting: Waiting): Promise<boolean> {
    const { store, logger } = this.#parts;
    const { id, attempts } = waiting;
    try {
      await this.#record(waiting);
      return true;
    } catch (error) {
      const { message } = error as Error;
      const code = error instanceof RecorderError ? error.code : undefined;
      const logged = store.isLogged(id);
      if (code === 'recorder/refused' && logged) {
        store.leaveNotUploaded(id, message);
        logger.error({ delivery: id, why: message }, 'attachments of what is recorded are not uploaded');
        return true;
      }
      if (code === 'recorder/refused') {
        store.finish(id, 'refused', { message });
        logger.error({ delivery: id, why: message }, 'a delivery is refused');
        return true;
      }
      if (code === 'recorder/stale' && !logged) store.dropPrepared(id);
      const at = this.#clock() + (code === 'recorder/unavailable' ? 0 : this.#backoff(attempts));
      store.postpone(id, at, message);
      logger.warn({ delivery: id, attempts: attempts + 1, why: message }, 'a delivery has to wait');
      return code !== 'recorder/unavailable';
    }
  }

  async #record({ id, body }: Waiting): Promise<void> {
    const { store, publisher, mappings, logger } = this.#parts;
    let prepared = store.prepared(id);
    if (prepared === undefined) {
      const { about } = parseEvent(body);
      if (about === undefined) throw new RecorderError('recorder/refused', 'the event announces no version of a model');
      const { name, version, sentence } = about;
      const segment = store.segment(name);
      const source = about.source ?? store.source(name, version) ?? `models:/${name}/${version}`;
      const folder = await resolveSource(mappings, source);
      const outcome = await publisher.prepare({ name, segment, version, source, folder, reason: sentence });
      if ('known' in outcome) {
        store.finish(id, 'known', { leaf: outcome.known });
        logger.info({ delivery: id, subject: `model/${segment}`, version }, 'the log has this version as it is');
        return;
      }
      store.keepPrepared(id, outcome);
      prepared = outcome;
    }
    const { leaf, index } = await publisher.submit(prepared);
    store.logged(id, leaf);
    await publisher.upload(prepared, index);
    store.finish(id, 'recorded', { leaf });
    logger.info({ delivery: id, index, leaf: Buffer.from(leaf).toString('hex') }, 'a version is recorded');
  }

  #backoff(attempts: number): number {
    return Math.min(this.#pause * 2 ** Math.min(attempts, 20), LONGEST);
  }

  /** Sleeps until it is over, the end is asked for, or, if that may be, something new is there. */
  #sleep(milliseconds: number, byNews: boolean): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        if (!byNews && !this.#stopped) return;
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
