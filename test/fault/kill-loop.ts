import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initLog } from '@treering/log';
import { Load } from './load.js';
import { type LogChild, spawnLog, startLog, trustOf } from './log-child.js';

const ORIGIN = 'kill.test/log';

/** What a run came to. */
export interface KillReport {
  readonly kills: number;
  /** Of these, kills before the log was ready. */
  readonly killsAtStart: number;
  /** Entries whose submission was answered. */
  readonly acknowledged: number;
  /** Submissions that were cut off, and were sent again. */
  readonly unanswered: number;
  /** Different sizes for which a signed head was seen. */
  readonly heads: number;
  readonly entries: number;
  /** Milliseconds of each start after a kill. */
  readonly recovery: readonly number[];
}

/**
 * Serves a log in a child process under load, kills it with SIGKILL at random moments and starts it again, `kills` times.
 * Throws when anything that the log ever answered is not so afterwards.
 */
export async function runKillLoop(kills: number, random: () => number): Promise<KillReport> {
  const data = mkdtempSync(join(tmpdir(), 'treering-kill-'));
  try {
    await initLog(data, { origin: ORIGIN });
    const load = await Load.on(data, { origin: ORIGIN, trust: await trustOf(data, ORIGIN), random });
    return await new KillLoop(data, load, random).run(kills);
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
}

class KillLoop {
  readonly #data: string;
  readonly #load: Load;
  readonly #random: () => number;
  readonly #recovery: number[] = [];
  #killsAtStart = 0;

  constructor(data: string, load: Load, random: () => number) {
    this.#data = data;
    this.#load = load;
    this.#random = random;
  }

  async run(kills: number): Promise<KillReport> {
    for (let kill = 0; kill < kills; kill++) {
      if (this.#random() < 0.1) {
        await this.#killAtStart(this.#random() * Math.min(500, ...this.#recovery) * 1.2);
        continue;
      }
      const log = await this.#start();
      await this.#loadUntilKilled(log, 10 + this.#random() * 250);
    }
    const log = await this.#start();
    const { code, errors } = await log.end('SIGTERM');
    if (code !== 0) throw new Error(`the log ended with ${code}: ${errors}`);
    const { promises, unanswered } = this.#load;
    const entries = await promises.checkStore(this.#data);
    return {
      kills,
      killsAtStart: this.#killsAtStart,
      acknowledged: promises.acknowledged.size,
      unanswered,
      heads: promises.heads.size,
      entries,
      recovery: this.#recovery,
    };
  }

  async #start(): Promise<LogChild> {
    const log = await startLog(this.#data);
    this.#recovery.push(log.startTime);
    await this.#load.checkAfterRestart(log.url);
    return log;
  }

  async #killAtStart(after: number): Promise<void> {
    this.#killsAtStart++;
    const { child, ended } = spawnLog(this.#data);
    child.stdout?.resume();
    await new Promise((resolve) => setTimeout(resolve, after));
    child.kill('SIGKILL');
    const { signal, code, errors } = await ended;
    if (signal !== 'SIGKILL') throw new Error(`the log ended with ${code ?? signal}: ${errors}`);
  }

  async #loadUntilKilled(log: LogChild, after: number): Promise<void> {
    const killed = new Promise((resolve) => setTimeout(resolve, after)).then(() => log.end('SIGKILL'));
    await this.#load.run(log.url, killed);
    const { signal, code, errors } = await killed;
    if (signal !== 'SIGKILL') throw new Error(`the log ended with ${code ?? signal}: ${errors}`);
  }
}
