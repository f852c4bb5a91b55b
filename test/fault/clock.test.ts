import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initLog } from '@treering/log';
import { test as always } from 'uvu';
import * as assert from 'uvu/assert';
import { Load } from './load.js';
import { type LogChild, spawnLog, startLog, trustOf } from './log-child.js';
import { testNeeding } from './needs.js';
import { reportOutcome } from './results.js';
import { forSize } from './size.js';

const LIBRARY = '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1';
const test = testNeeding('a clock that jumps', { files: { [LIBRARY]: 'libfaketime' } });
const ROUNDS = forSize({ quick: 1, full: 10 });
/** Milliseconds of load at each time of the clock. */
const LOADED = forSize({ quick: 150, full: 1000, soak: 1000 });
const HOUR = 3600;
/** Statements may be dated so many seconds before or after the clock of the log. */
const SKEW = 600;
const BEHIND = '503 sequencer/clock-behind';
const MISDATED = '403 governance/clock';
const REFUSALS: readonly string[] = [BEHIND, MISDATED];
const ORIGIN = 'clock.test/log';
const folders: string[] = [];
always.after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

interface Times {
  readonly committed: number;
  readonly published: number;
}

/** A log in a process whose clock the test sets, and clients with a clock of their own. */
class Clockwork {
  readonly data: string;
  /** Seconds by which the clocks of the clients are ahead of that of the machine. */
  clients = 0;
  /** What submissions were refused with, and when to come back, where it was said. */
  readonly refusals = new Map<string, string | undefined>();
  readonly #file: string;
  #offset = 0;
  #times: Times = { committed: 0, published: 0 };
  #load: Load | undefined;

  private constructor(folder: string) {
    this.data = join(folder, 'data');
    this.#file = join(folder, 'clock');
    this.set(0);
  }

  static async begin(): Promise<Clockwork> {
    const folder = mkdtempSync(join(tmpdir(), 'treering-clock-'));
    folders.push(folder);
    const clockwork = new Clockwork(folder);
    await initLog(clockwork.data, { origin: ORIGIN });
    clockwork.#load = await Load.on(clockwork.data, {
      origin: ORIGIN,
      trust: await trustOf(clockwork.data, ORIGIN),
      random: Math.random,
      clock: () => Date.now() + clockwork.clients * 1000,
      tolerate: ({ status, code = '', retryAfter }) => {
        const refusal = `${status} ${code}`;
        clockwork.refusals.set(refusal, retryAfter ?? clockwork.refusals.get(refusal));
        return REFUSALS.includes(refusal);
      },
    });
    return clockwork;
  }

  get load(): Load {
    return this.#load as Load;
  }

  set(offset: number): void {
    this.#offset = offset;
    writeFileSync(`${this.#file}.new`, `${offset < 0 ? '' : '+'}${offset}\n`);
    renameSync(`${this.#file}.new`, this.#file);
  }

  get env(): Record<string, string> {
    return {
      LD_PRELOAD: LIBRARY,
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      DONT_FAKE_MONOTONIC: '1',
    };
  }

  start(): Promise<LogChild> {
    return startLog(this.data, { env: this.env });
  }

  /** Load for a while, and until something is answered. @returns how many more were acknowledged */
  async under(log: LogChild): Promise<number> {
    const before = this.load.promises.acknowledged.size;
    this.refusals.clear();
    const more = (): number => this.load.promises.acknowledged.size - before;
    const answered = async (): Promise<void> => {
      await pause(LOADED);
      while (more() === 0 && this.refusals.size === 0) {
        this.load.check();
        await pause(5);
      }
    };
    await this.load.run(log.url, answered());
    return more();
  }

  /** The times of the heads; they have not gone back since the last call. */
  async times(log: LogChild): Promise<Times> {
    const { committed, published } = (await (await fetch(`${log.url}/v1/log`)).json()) as Record<
      string,
      { time: number } | null
    >;
    const times = { committed: committed?.time ?? 0, published: published?.time ?? 0 };
    assert.ok(times.committed >= this.#times.committed, 'the time of the committed head went back');
    assert.ok(times.published >= this.#times.published, 'the time of the published head went back');
    this.#times = times;
    return times;
  }

  /** The time of the newest head is that of the clock now. */
  async expectNow(log: LogChild): Promise<void> {
    const { committed } = await this.times(log);
    assert.ok(Math.abs(committed - (Date.now() + this.#offset * 1000)) < 30_000, new Date(committed).toISOString());
  }
}

test(`a clock that jumps forward and back while the log runs: heads never go back in time, ${ROUNDS} times`, async () => {
  const clockwork = await Clockwork.begin();
  const { load, refusals } = clockwork;
  let log = await clockwork.start();
  let forward = 0;
  let jumps = 0;
  const jump = (seconds: number): void => {
    jumps++;
    clockwork.set(seconds);
  };
  for (let round = 0; round < ROUNDS; round++) {
    assert.ok((await clockwork.under(log)) > 0);
    await clockwork.expectNow(log);
    // A leap second is a step of one second back: nobody is turned away, and heads keep their time.
    jump(forward - 1);
    assert.ok((await clockwork.under(log)) > 0);
    assert.equal([...refusals], []);
    const before = await clockwork.times(log);
    // An hour ahead of its clients: it takes nothing from them, so that no head is dated so; and an hour back it goes on.
    jump(forward + HOUR);
    assert.is(await clockwork.under(log), 0);
    assert.equal([...refusals.keys()], [MISDATED]);
    assert.is((await clockwork.times(log)).committed, before.committed);
    jump(forward);
    assert.ok((await clockwork.under(log)) > 0);
    await clockwork.expectNow(log);
    // Five minutes ahead are within what statements may differ by: heads are dated so.
    const ahead = forward + SKEW / 2;
    jump(ahead);
    assert.ok((await clockwork.under(log)) > 0);
    await clockwork.expectNow(log);
    const signed = await clockwork.times(log);
    // Back: nothing is signed, everybody is told to come back, and reads go on.
    jump(forward);
    assert.is(await clockwork.under(log), 0);
    assert.equal([...refusals.keys()], [BEHIND]);
    assert.ok(Number(refusals.get(BEHIND)) > 0, 'with Retry-After');
    assert.is((await clockwork.times(log)).committed, signed.committed);
    assert.is((await fetch(`${log.url}/checkpoint`)).status, 200);
    // When the clock has caught up it goes on by itself.
    jump(ahead);
    assert.ok((await clockwork.under(log)) > 0);
    // With a clock behind its newest head it does not start either.
    jump(forward);
    assert.is((await log.end('SIGTERM')).code, 0);
    const { code, errors } = await spawnLog(clockwork.data, { env: clockwork.env }).ended;
    assert.is(code, 1, errors);
    assert.match(errors, /sequencer\/clock-behind/);
    forward = ahead;
    clockwork.clients = forward;
    jump(forward);
    log = await clockwork.start();
  }
  assert.is((await log.end('SIGTERM')).code, 0);
  await load.promises.checkStore(clockwork.data);
  report(
    'clock',
    'The clock of a running log jumps: a second back, an hour forward and back, five minutes forward and back',
    jumps,
    load,
  );
});

test('the year 2038 and a leap day are days like others', async () => {
  const clockwork = await Clockwork.begin();
  // In their order, because the clock does not go back. A quick run has one of them: each takes two starts.
  const all = ['2028-02-28T23:59:59Z', '2028-02-29T23:59:59Z', '2038-01-19T03:14:06Z', '2106-02-07T06:28:14Z'];
  const moments = forSize({ quick: 0, full: 1, soak: 1 }) === 1 ? all : all.slice(2, 3);
  let log = await clockwork.start();
  for (const moment of moments) {
    clockwork.clients = Math.floor((Date.parse(moment) - Date.now()) / 1000);
    clockwork.set(clockwork.clients);
    assert.ok((await clockwork.under(log)) > 0, moment);
    await clockwork.expectNow(log);
    await log.end('SIGTERM');
    log = await clockwork.start();
    await pause(1500);
    assert.ok((await clockwork.under(log)) > 0, `after ${moment}`);
    await clockwork.expectNow(log);
  }
  assert.is((await log.end('SIGTERM')).code, 0);
  await clockwork.load.promises.checkStore(clockwork.data);
  report(
    'clock-far',
    'The last second before a leap day, before 2038 and before 2106, each with a restart',
    moments.length,
    clockwork.load,
  );
});

function report(name: string, scenario: string, runs: number, { promises }: Load): void {
  reportOutcome({
    name,
    group: 'time',
    scenario,
    runs,
    unit: 'jumps',
    acknowledged: promises.acknowledged.size,
    heads: promises.heads.size,
  });
}

always.run();
