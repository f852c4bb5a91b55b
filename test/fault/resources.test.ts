import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initLog } from '@treering/log';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Load } from './load.js';
import { startLog, trustOf } from './log-child.js';
import { MemoryLimit } from './memory-limit.js';
import { testNeeding } from './needs.js';
import { reportOutcome } from './results.js';
import { forSize } from './size.js';

const ORIGIN = 'scarce.test/log';
/** File descriptors beside those that a log without clients has open. */
const DESCRIPTORS = 12;
const EXHAUSTED = forSize({ quick: 1, full: 20 });
const OUT_OF_MEMORY = forSize({ quick: 1, full: 20 });
/** Milliseconds within which a log notices that there are descriptors again. */
const PATIENCE = 20_000;

const wait = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Runs work with a new log in a folder of its own. */
async function withLog(work: (data: string, load: Load) => Promise<void>): Promise<void> {
  const data = mkdtempSync(join(tmpdir(), 'treering-scarce-'));
  try {
    await initLog(data, { origin: ORIGIN });
    const load = await Load.on(data, {
      origin: ORIGIN,
      trust: await trustOf(data, ORIGIN),
      random: () => 0.5,
      tolerate: ({ status }) => status === 503,
    });
    await work(data, load);
    await load.promises.checkStore(data);
    const again = await startLog(data, { built: true });
    await load.checkAfterRestart(again.url);
    assert.ok(load.isAnswered);
    const { code, errors } = await again.end('SIGTERM');
    assert.is(code, 0, errors);
    await load.promises.checkStore(data);
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
}

/** Connections that ask for nothing, as many as the log lets in and more. */
async function takeConnections(url: string, count: number): Promise<Socket[]> {
  const { hostname, port } = new URL(url);
  return Promise.all(
    Array.from({ length: count }, async () => {
      const socket = connect(Number(port), hostname);
      socket.on('error', () => undefined);
      await Promise.race([once(socket, 'connect'), once(socket, 'close')]);
      return socket;
    }),
  );
}

const descriptorTest = testNeeding('a log without descriptors', { commands: { prlimit: 'util-linux' } });

descriptorTest(`a log runs out of descriptors ${EXHAUSTED} times, and goes on when there are some again`, () =>
  withLog(async (data, load) => {
    const log = await startLog(data, { built: true });
    const most = readdirSync(`/proc/${log.pid}/fd`).length + DESCRIPTORS;
    execFileSync('prlimit', ['--pid', String(log.pid), `--nofile=${most}`]);
    const recovery: number[] = [];
    try {
      for (let i = 0; i < EXHAUSTED; i++) {
        let sockets: Socket[] = [];
        const taken = wait(30)
          .then(() => takeConnections(log.url, 4 * DESCRIPTORS))
          .then(async (all) => {
            sockets = all;
            await wait(200);
          });
        await load.run(log.url, taken);
        assert.is(log.child.exitCode, null, 'it lives');
        for (const socket of sockets) socket.destroy();
        const freed = performance.now();
        for (;;) {
          assert.ok(performance.now() - freed < PATIENCE, 'the log takes entries again');
          const reached = await load.checkAfterRestart(log.url).then(
            () => true,
            (error: unknown) => {
              if (error instanceof TypeError && /fetch failed|terminated/.test(error.message)) return false;
              throw error;
            },
          );
          if (reached && load.isAnswered && (await load.submit(log.url, 1))) break;
          await wait(20);
        }
        recovery.push(performance.now() - freed);
      }
    } finally {
      await log.end('SIGKILL');
    }
    reportOutcome({
      name: 'descriptors',
      group: 'time',
      scenario: 'Connections take all file descriptors under load, and are given free again, without a restart',
      runs: EXHAUSTED,
      unit: 'times',
      acknowledged: load.promises.acknowledged.size,
      heads: load.promises.heads.size,
      recovery,
      also: `${load.unanswered} submissions cut off or refused with 503 and sent again`,
    });
  }),
);

const probe = MemoryLimit.make(`treering-probe-${process.pid}`);
probe?.remove();
if (probe === undefined) console.log('no control group can be made: a log without memory is not tested');
const memoryTest = probe === undefined ? test.skip : test;

memoryTest(`the kernel kills a log for want of memory ${OUT_OF_MEMORY} times: nothing that was acknowledged is lost`, () =>
  withLog(async (data, load) => {
    const recovery: number[] = [];
    for (let i = 0; i < OUT_OF_MEMORY; i++) {
      const limit = MemoryLimit.make(`treering-${process.pid}-${i}`);
      assert.ok(limit);
      const log = await startLog(data, { built: true, around: limit.around });
      try {
        recovery.push(log.startTime);
        await load.checkAfterRestart(log.url);
        let alive = true;
        const squeezing = (async () => {
          const before = load.promises.acknowledged.size;
          while (alive && load.promises.acknowledged.size === before) await wait(5);
          while (alive) {
            limit.squeeze();
            await wait(10);
          }
        })();
        await load.run(
          log.url,
          log.ended.then(() => {
            alive = false;
          }),
        );
        await squeezing;
        assert.is((await log.ended).signal, 'SIGKILL', (await log.ended).errors);
      } finally {
        await log.end('SIGKILL');
        limit.remove();
      }
    }
    reportOutcome({
      name: 'memory',
      group: 'time',
      scenario: 'The kernel kills the process under load because memory has run out',
      runs: OUT_OF_MEMORY,
      unit: 'kills',
      acknowledged: load.promises.acknowledged.size,
      heads: load.promises.heads.size,
      recovery: recovery.slice(1),
      also: `${load.unanswered} submissions cut off and sent again`,
    });
  }),
);

test.run();
