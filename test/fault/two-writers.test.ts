import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dataFolder, initLog } from '@treering/log';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Load, type LoadOptions } from './load.js';
import { type LogChild, spawnLog, startLog, trustOf } from './log-child.js';
import { seededRandom } from './random.js';
import { reportOutcome } from './results.js';
import { forSize } from './size.js';

const ROUNDS = forSize({ quick: 1, full: 25 });
const ZOMBIES = forSize({ quick: 1, full: 25 });
const ORIGIN = 'writers.test/log';
const folders: string[] = [];
test.after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

async function begin(tolerate: LoadOptions['tolerate']): Promise<{ data: string; load: Load }> {
  const data = mkdtempSync(join(tmpdir(), 'treering-writers-'));
  folders.push(data);
  await initLog(data, { origin: ORIGIN });
  const options = { origin: ORIGIN, trust: await trustOf(data, ORIGIN), random: seededRandom(11), tolerate };
  return { data, load: await Load.on(data, options) };
}

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** A second process on the store of the first: it ends with 1, says why, and never listens. */
async function expectLocked(data: string): Promise<void> {
  const { child, ended } = spawnLog(data);
  let output = '';
  child.stdout?.on('data', (chunk) => {
    output += chunk;
  });
  const { code, errors } = await ended;
  assert.is(code, 1, errors);
  assert.is(output, '');
  assert.match(errors, /storage\/locked/);
}

test(`a second process on one store is refused, also while the first is stopped, ${ROUNDS} times; the first goes on`, async () => {
  const { data, load } = await begin(undefined);
  const recovery: number[] = [];
  let log: LogChild = await startLog(data);
  for (let round = 0; round < ROUNDS; round++) {
    const meanwhile = async (): Promise<void> => {
      await expectLocked(data);
      // A first process that is stopped in the middle of a commit, or between two, holds the store all the same.
      await pause((round * 7) % 60);
      process.kill(log.pid, 'SIGSTOP');
      try {
        await expectLocked(data);
      } finally {
        process.kill(log.pid, 'SIGCONT');
      }
      await pause(30);
    };
    await load.run(log.url, meanwhile());
    // Stopped and killed: the kernel lets go of the lock, and the next process goes on with the same history.
    process.kill(log.pid, 'SIGSTOP');
    const next = startLog(data).catch((error: Error) => error);
    await log.end('SIGKILL');
    const second = await next;
    log = second instanceof Error ? await startLog(data) : second;
    recovery.push(log.startTime);
    await load.checkAfterRestart(log.url);
  }
  assert.is((await log.end('SIGTERM')).code, 0);
  const { promises } = load;
  await promises.checkStore(data);
  assert.ok(promises.acknowledged.size > ROUNDS * 20, `the load was on: ${promises.acknowledged.size} were acknowledged`);
  reportOutcome({
    name: 'two-writers',
    group: 'log',
    scenario:
      'A second process on the store while the first runs, while it is stopped (SIGSTOP) under load, and when it is killed',
    runs: 2 * ROUNDS,
    unit: 'second processes',
    acknowledged: promises.acknowledged.size,
    heads: promises.heads.size,
    recovery,
    also: 'all refused as storage/locked',
  });
});

test(`a stopped process whose lock was deleted by hand wakes up beside its successor, and one of them ends; one history, ${ZOMBIES} times`, async () => {
  // What the first is asked when it has woken up, it refuses: it has lost its store, or is about to notice.
  const { data, load } = await begin(
    ({ status, code = '' }) => status === 503 && /^sequencer\/(unknown-outcome|stopped)$/.test(code),
  );
  const ends: number[] = [];
  for (let round = 0; round < ZOMBIES; round++) {
    const first = await startLog(data);
    let stop = (): void => undefined;
    const over = new Promise<void>((resolve) => {
      stop = resolve;
    });
    const loads = [load.run(first.url, over)];
    await pause(50 + ((round * 13) % 60));
    process.kill(first.pid, 'SIGSTOP');
    rmSync(`${dataFolder(data).store}.lock`);
    const second = await startLog(data);
    await load.checkAfterRestart(second.url);
    loads.push(load.run(second.url, over));
    await pause(100);
    const woken = performance.now();
    process.kill(first.pid, 'SIGCONT');
    // Whichever commits upon a head that is no longer the newest ends; one that was stopped within a commit may be the one to stay.
    const loser = await Promise.race([first.ended.then(() => first), second.ended.then(() => second)]);
    const survivor = loser === first ? second : first;
    const { code, errors } = await loser.ended;
    assert.is(code, 1, errors);
    assert.match(errors, /storage\/(conflict|corrupt|immutable)|sequencer\/corrupt/);
    ends.push(performance.now() - woken);
    await pause(50);
    stop();
    await Promise.all(loads);
    assert.is((await survivor.end('SIGTERM')).code, 0, 'the other goes on');
    await load.promises.checkStore(data);
  }
  const { promises } = load;
  reportOutcome({
    name: 'zombie-writers',
    group: 'log',
    scenario:
      'A process stopped under load, its lock deleted by hand, a second one on its store, and the first woken (SIGCONT)',
    runs: ZOMBIES,
    unit: 'zombies',
    acknowledged: promises.acknowledged.size,
    heads: promises.heads.size,
    also: `one of the two ended by itself, at the latest ${Math.ceil(Math.max(...ends))} ms after the first woke up`,
  });
});

test.run();
