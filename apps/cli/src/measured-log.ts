import { randomInt, randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { AttestationError, decodeEvent, encodeEvent, type MeasuredEvent, replayEvents } from '@treering/attestation';
import { UsageError } from './exit.js';
import { type Boot, type Tpm, TpmError } from './tpm.js';

/** What is needed of a TPM. */
type Registers = Pick<Tpm, 'boot' | 'readPcr' | 'extend'>;

const FIRST_LINE = /^treering measured events v1, register ([0-9]{1,2}), reset ([0-9]+), restart ([0-9]+)$/;

/**
 * What this host has measured into one register since the TPM was reset: a text file, a line for each event in base64. An event is
 * written and synced before the register is extended, so that the register never holds more than the file explains. An event that was
 * written and not extended, because the machine stopped in between, is extended when the file is next opened.
 */
export class MeasuredLog {
  readonly #path: string;
  readonly #tpm: Registers;
  readonly #pcr: number;
  #events: MeasuredEvent[] = [];

  private constructor(path: string, tpm: Registers, pcr: number) {
    this.#path = path;
    this.#tpm = tpm;
    this.#pcr = pcr;
  }

  /** All events since the reset, in their order. */
  get events(): readonly MeasuredEvent[] {
    return this.#events;
  }

  /**
   * Opens the log of a register, compares it with the register, and runs `work` while nobody else changes either.
   * @throws TpmError (tpm/unexplained) when the register holds what the log does not explain; UsageError while another runs
   */
  static async use<T>(folder: string, tpm: Registers, pcr: number, work: (log: MeasuredLog) => Promise<T>): Promise<T> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const path = join(folder, `register-${pcr}.events`);
    const unlock = await lock(`${path}.lock`);
    try {
      const log = new MeasuredLog(path, tpm, pcr);
      await log.#open();
      return await work(log);
    } finally {
      await unlock();
    }
  }

  /** Writes an event, and then extends the register with it. */
  async measure(event: MeasuredEvent): Promise<void> {
    const file = await open(this.#path, 'a', 0o600);
    try {
      await file.write(`${Buffer.from(encodeEvent(event)).toString('base64')}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    this.#events.push(event);
    await this.#tpm.extend(this.#pcr, event.digest);
  }

  async #open(): Promise<void> {
    const boot = await this.#tpm.boot();
    const value = Buffer.from(await this.#tpm.readPcr(this.#pcr));
    const untouched = value.every((byte) => byte === 0);
    const known = await this.#read();
    const sameBoot = known?.boot.resets === boot.resets && known.boot.restarts === boot.restarts;
    if (known === undefined || (untouched && !sameBoot)) {
      if (!untouched) throw this.#unexplained('before anything was measured here');
      if (known !== undefined) await rename(this.#path, `${this.#path}.${known.boot.resets}-${known.boot.restarts}`);
      await this.#begin(boot);
      return;
    }
    this.#events = known.events;
    const is = (count: number): boolean => value.equals(replayEvents(known.events.slice(0, count)));
    const count = known.events.length;
    if (is(count)) return;
    if (count === 0 || !is(count - 1)) throw this.#unexplained('that its event log does not explain');
    await this.#tpm.extend(this.#pcr, known.events[count - 1].digest);
  }

  #unexplained(what: string): TpmError {
    return new TpmError(
      'tpm/unexplained',
      `register ${this.#pcr} holds something ${what} (${this.#path}): something else extends it, or the log was altered; take another register with --pcr, or reset the machine`,
    );
  }

  async #read(): Promise<{ boot: Boot; events: MeasuredEvent[] } | undefined> {
    const text = await readFile(this.#path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (text === undefined) return undefined;
    // A last line without its end was being written when the machine stopped: the register was not extended with it.
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    if (whole.length < text.length) await truncate(this.#path, Buffer.byteLength(whole));
    const [first, ...lines] = whole.split('\n').slice(0, -1);
    const [, pcr, resets, restarts] = FIRST_LINE.exec(first ?? '') ?? [];
    if (pcr !== String(this.#pcr)) throw new UsageError(`${this.#path} is no event log of register ${this.#pcr}`);
    return { boot: { resets: Number(resets), restarts: Number(restarts) }, events: lines.map((line) => this.#event(line)) };
  }

  #event(line: string): MeasuredEvent {
    try {
      return decodeEvent(new Uint8Array(Buffer.from(line, 'base64')));
    } catch (error) {
      if (error instanceof AttestationError) throw new UsageError(`${this.#path} cannot be read: ${error.message}`);
      throw error;
    }
  }

  async #begin({ resets, restarts }: Boot): Promise<void> {
    const text = `treering measured events v1, register ${this.#pcr}, reset ${resets}, restart ${restarts}\n`;
    const part = `${this.#path}.new`;
    await writeFile(part, text, { mode: 0o600, flush: true });
    await rename(part, this.#path);
    const folder = await open(dirname(this.#path), constants.O_RDONLY);
    await folder.sync().finally(() => folder.close());
  }
}

/**
 * One process at a time. Each puts down a mark under a name that is never used again, and only then looks for marks of others: of two,
 * the later one sees the other's at least. Nothing is ever taken over, and to remove the mark of a process that is gone takes nothing away
 * from anybody. The mark's name says whose it is, so that what it holds does not matter.
 * @returns what gives the lock back
 */
async function lock(path: string): Promise<() => Promise<void>> {
  for (let attempt = 1; ; attempt++) {
    const mark = `${path}.${process.pid}-${randomUUID()}`;
    await writeFile(mark, '', { flag: 'wx', mode: 0o600 });
    const unlock = (): Promise<void> => rm(mark, { force: true });
    try {
      const other = await otherMark(path, mark);
      if (other === undefined) return unlock;
      if (attempt === ATTEMPTS)
        throw new UsageError(`${other} is there: another "treering attest" is at work, or remove the file`);
    } catch (error) {
      await unlock();
      throw error;
    }
    // Two that began at once have seen each other: the one that comes back first goes on.
    await unlock();
    await setTimeout(randomInt(10, 20 * attempt));
  }
}

/** How often a lock is tried, within half a second. */
const ATTEMPTS = 8;

/** The mark of another process that runs. Those of processes that are gone are removed. */
async function otherMark(path: string, own: string): Promise<string | undefined> {
  const folder = dirname(path);
  for (const name of await readdir(folder)) {
    const other = join(folder, name);
    if (other === own || !other.startsWith(`${path}.`)) continue;
    const [, holder] = /^([0-9]+)-[0-9a-f-]{36}$/.exec(other.slice(path.length + 1)) ?? [];
    if (holder === undefined || isRunning(Number(holder))) return other;
    await rm(other, { force: true });
  }
  return undefined;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
