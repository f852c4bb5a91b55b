import { cpSync, mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dataFolder, initLog, parseConfig, serveLog } from '@treering/log';
import { openSqliteStorage } from '@treering/storage-sqlite';
import { Load } from './load.js';
import { type Ended, type LogChild, startLog, trustOf } from './log-child.js';
import { callsDuring, type Fault, injectFault, type SystemCall } from './strace.js';
import { beginWitness, type OwnWitness } from './witnessed.js';

const ORIGIN = 'calls.test/log';
/** Entries of the commit that is disturbed. */
const BATCH = 3;
/** A frame of SQLite's write-ahead log, and the number of them from which a commit is followed by a checkpoint. */
const FRAME_BYTES = 24 + 4096;
const CHECKPOINT = 1000;
/** Milliseconds within which a log that goes on has logged and published everything. */
const PATIENCE = 20_000;
/** How often a commit is made until it has the call that is disturbed. */
const TRIES = 3;

/** What the commit begins with. */
export interface CommitOptions {
  /** Entries in the log before. */
  readonly entries: number;
  /** Whether the commit is the one after which SQLite moves its write-ahead log into the database. */
  readonly withCheckpoint?: boolean;
  /** Whether a witness cosigns what is published. */
  readonly witnessed?: boolean;
}

/** A log that is about to make the commit. */
interface Prepared {
  readonly data: string;
  readonly load: Load;
  readonly log: LogChild;
  readonly config: Readonly<Record<string, unknown>>;
  /** Kills the log if it still runs, and removes it. */
  end(): Promise<void>;
}

/** What became of a log whose commit was disturbed at one call. */
export interface CallOutcome {
  /** How the process ended by itself or by the fault; undefined when it went on, and was killed later. */
  readonly ended: Ended | undefined;
  /** Whether the disturbed submission was answered with success before the process ended or was asked again. */
  readonly answered: boolean;
  readonly acknowledged: number;
  readonly heads: number;
  /** Milliseconds until the log was open again. */
  readonly recovery: number;
}

/**
 * One commit with its publication, which can be made again and again from the same state of the disk: it follows the same entries in the
 * same files.
 */
export class OneCommit {
  readonly #folder = realpathSync(mkdtempSync(join(tmpdir(), 'treering-calls-')));
  readonly #origin = join(this.#folder, 'origin');
  readonly #options: CommitOptions;
  #runs = 0;

  private constructor(options: CommitOptions) {
    this.#options = options;
  }

  /** Makes what the commit begins with. */
  static async after(options: CommitOptions): Promise<OneCommit> {
    const { entries, withCheckpoint } = options;
    const commit = new OneCommit(options);
    const data = commit.#origin;
    await initLog(data, { origin: ORIGIN });
    const log = await startLog(data, { built: true });
    const load = await Load.on(data, { origin: ORIGIN, trust: await trustOf(data, ORIGIN), random: () => 0 });
    await load.submit(log.url, entries - 2);
    await log.end('SIGKILL');
    if (withCheckpoint) await commit.#fillWriteAheadLog();
    return commit;
  }

  /** Leaves so little of the write-ahead log that what is logged in preparation just fits. */
  async #fillWriteAheadLog(): Promise<void> {
    const prepared = await this.#prepare();
    const wanted = CHECKPOINT - 2 - (framesOf(prepared.data) - framesOf(this.#origin));
    await prepared.end();
    const storage = openSqliteStorage(dataFolder(this.#origin).store, { mode: 'open' });
    while (framesOf(this.#origin) < wanted) await storage.checkWritable();
    // A store that is closed has no write-ahead log.
    const filled = join(this.#folder, 'filled');
    cpSync(this.#origin, filled, { recursive: true });
    await storage.close();
    rmSync(this.#origin, { recursive: true });
    renameSync(filled, this.#origin);
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** The calls of the commit that change or open files of the log, paths relative to its folder. */
  async calls(): Promise<SystemCall[]> {
    const prepared = await this.#prepare();
    const { data, load, log } = prepared;
    const calls = await callsDuring(log.pid, data, `${data}.strace`, async () => {
      await load.submit(log.url, BATCH);
      await this.#settled(log, load);
    });
    await prepared.end();
    return calls.map((call) => ({ ...call, path: call.path.slice(data.length + 1) }));
  }

  /**
   * Makes the commit with a fault at one call, and checks what is left and what was answered. A commit now and then comes out with a
   * call less, because SQLite was read meanwhile: it is made again then.
   */
  async disturb(call: SystemCall, fault: Fault): Promise<CallOutcome> {
    for (let tries = 0; tries < TRIES; tries++) {
      const outcome = await this.#tryToDisturb(call, fault);
      if (outcome !== undefined) return outcome;
    }
    throw new Error(`${fault} at ${call.name} ${call.path} number ${call.nth}: the call was never made`);
  }

  /** undefined when the call was not made; everything is checked all the same. */
  async #tryToDisturb(call: SystemCall, fault: Fault): Promise<CallOutcome | undefined> {
    const prepared = await this.#prepare();
    const { data, load, log } = prepared;
    try {
      const before = load.promises.acknowledged.size;
      const strace = await injectFault(log.pid, { ...call, path: join(data, call.path) }, fault, `${data}.strace`);
      await load.submit(log.url, BATCH);
      const answered = load.promises.acknowledged.size > before;
      await this.#settled(log, load);
      const ended = await Promise.race([log.ended, new Promise<undefined>((resolve) => setTimeout(resolve, 10))]);
      const { injected } = await strace.detach();
      await log.end('SIGKILL');
      const recovery = await this.#checkAfterRestart(prepared);
      const { acknowledged, heads } = load.promises;
      if (!injected) return undefined;
      return { ended, answered, acknowledged: acknowledged.size, heads: heads.size, recovery };
    } catch (error) {
      throw new Error(`${fault} at ${call.name} ${call.path} number ${call.nth}: ${(error as Error).message}`, {
        cause: error,
      });
    } finally {
      await prepared.end();
    }
  }

  /** A copy of the log that runs, has nothing left to write, and is about to make the commit. */
  async #prepare(): Promise<Prepared> {
    const data = join(this.#folder, String(this.#runs++));
    cpSync(this.#origin, data, { recursive: true });
    const trust = await trustOf(data, ORIGIN);
    let witness: OwnWitness | undefined;
    if (this.#options.witnessed) {
      mkdirSync(`${data}.witness`);
      witness = await beginWitness(`${data}.witness`, trust);
    }
    const config = witness?.config ?? {};
    const log = await startLog(data, { built: true, config });
    const load = await Load.on(data, {
      origin: ORIGIN,
      trust,
      random: () => 0,
      tolerate: ({ status }) => status === 503 || status === 507,
    });
    await load.submit(log.url, 1);
    await this.#settled(log, load);
    const end = async (): Promise<void> => {
      await log.end('SIGKILL');
      await witness?.served.close();
      rmSync(data, { recursive: true, force: true });
    };
    return { data, load, log, config, end };
  }

  /** Waits until everything that was submitted is logged and published, or the process has ended. */
  async #settled({ url, child }: LogChild, load: Load): Promise<void> {
    await waitFor('the log neither ended nor went on', async () => {
      if (child.exitCode !== null || child.signalCode !== null) return true;
      return isSettled(url, load);
    });
  }

  async #checkAfterRestart({ data, load, config }: Prepared): Promise<number> {
    const started = performance.now();
    const served = await serveLog(
      parseConfig({ data, listen: '127.0.0.1:0', log_level: 'silent', publish_interval: 20, ...config }),
    );
    const recovery = performance.now() - started;
    await load.checkAfterRestart(served.url);
    await waitFor('the log that was opened again does not go on', () => isSettled(served.url, load));
    await load.submit(served.url, 1);
    load.check();
    await served.close();
    if (!load.isAnswered) throw new Error('the log takes nothing after its restart');
    await load.promises.checkStore(data);
    return recovery;
  }
}

/** Whether everything that was ever submitted is logged and published; sends again what is not. */
async function isSettled(url: string, load: Load): Promise<boolean> {
  try {
    await load.checkAfterRestart(url);
    const response = await fetch(`${url}/checkpoint`);
    // There is none before the first publication.
    if (!response.ok) return false;
    const published = load.promises.head(await response.text());
    return load.isAnswered && published.size === load.promises.largest;
  } catch (error) {
    if (!(error instanceof TypeError && /fetch failed|terminated/.test(error.message))) throw error;
    return false;
  }
}

async function waitFor(complaint: string, isTrue: () => Promise<boolean>): Promise<void> {
  for (const limit = performance.now() + PATIENCE; !(await isTrue()); ) {
    if (performance.now() > limit) throw new Error(complaint);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function framesOf(data: string): number {
  return Math.floor(statSync(`${dataFolder(data).store}-wal`).size / FRAME_BYTES);
}
