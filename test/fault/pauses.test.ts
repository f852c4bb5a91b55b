import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initLog } from '@treering/log';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Load } from './load.js';
import { startLog, trustOf } from './log-child.js';
import { reportOutcome } from './results.js';
import { forSize } from './size.js';

/** Milliseconds of each time that the process does not run. */
const PAUSES = [forSize({ quick: 1000, full: 60_000, soak: 600_000 }), ...Array(forSize({ quick: 2, full: 20 })).fill(700)];
const ORIGIN = 'pause.test/log';
const data = mkdtempSync(join(tmpdir(), 'treering-pauses-'));
test.after(() => rmSync(data, { recursive: true, force: true }));

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

test(`a process that stands still under load, ${PAUSES[0] / 1000} s and ${PAUSES.length - 1} times less, goes on and has lost nothing`, async () => {
  await initLog(data, { origin: ORIGIN });
  const load = await Load.on(data, { origin: ORIGIN, trust: await trustOf(data, ORIGIN), random: Math.random });
  const log = await startLog(data);
  const recovery: number[] = [];
  const { promises } = load;
  for (const [i, length] of PAUSES.entries()) {
    const stopAndContinue = async (): Promise<void> => {
      await pause(100 + ((i * 17) % 50));
      process.kill(log.pid, 'SIGSTOP');
      await pause(length);
      const before = promises.acknowledged.size;
      const woken = performance.now();
      process.kill(log.pid, 'SIGCONT');
      while (promises.acknowledged.size === before) {
        load.check();
        await pause(1);
      }
      recovery.push(performance.now() - woken);
      await pause(50);
    };
    await load.run(log.url, stopAndContinue());
    await load.checkAfterRestart(log.url);
  }
  assert.is((await fetch(`${log.url}/readyz`)).status, 200);
  const { code, errors } = await log.end('SIGTERM');
  assert.is(code, 0, errors);
  await promises.checkStore(data);
  assert.ok(
    promises.acknowledged.size > PAUSES.length * 20,
    `the load was on: ${promises.acknowledged.size} were acknowledged`,
  );
  reportOutcome({
    name: 'pauses',
    group: 'time',
    scenario: `The process does not run for a time under load (SIGSTOP, SIGCONT): once ${PAUSES[0] / 1000} s, else 0.7 s`,
    runs: PAUSES.length,
    unit: 'pauses',
    acknowledged: promises.acknowledged.size,
    heads: promises.heads.size,
    recovery,
  });
});

test.run();
