import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initLog } from '@treering/log';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { fillDisk } from './full-disk.js';
import { Load } from './load.js';
import { startLog, trustOf } from './log-child.js';
import { LOOP_DISK_NEEDS, LoopDisk } from './loop-disk.js';
import { testNeeding } from './needs.js';
import { seededRandom } from './random.js';
import { reportOutcome } from './results.js';
import { forSize } from './size.js';

const faultTest = testNeeding('a full disk', LOOP_DISK_NEEDS);
const ORIGIN = 'full.test/log';
const TIMES = forSize({ quick: 1, full: 25 });
/** Milliseconds within which a log notices that there is space again. */
const PATIENCE = 20_000;

const wait = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

interface Disk {
  readonly path: string;
  remove(): void;
}

function tmpfs(): Disk {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'treering-tmpfs-')));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=32m', 'tmpfs', path]);
  return {
    path,
    remove() {
      execFileSync('umount', ['-l', path]);
      rmSync(path, { recursive: true, force: true });
    },
  };
}

/** Reading goes on, and whoever asks whether the log is ready is told that it is not, and when to ask again. */
async function checkReads(url: string): Promise<void> {
  for (const path of ['/checkpoint', '/v1/log', '/v1/entries/0', '/v1/proof/inclusion?index=0', '/healthz'])
    assert.is((await fetch(url + path)).status, 200, path);
  const ready = await fetch(`${url}/readyz`);
  if (ready.status !== 200) {
    assert.ok([503, 507].includes(ready.status), `readyz: ${ready.status}`);
    assert.ok(Number(ready.headers.get('retry-after')) > 0);
  }
}

/** Fills the disk again and again, with a little more or less left for the log each time. */
async function run(disk: Disk): Promise<{ load: Load; refused: number; recovery: number[] }> {
  const random = seededRandom(3);
  const data = join(disk.path, 'log');
  mkdirSync(data);
  await initLog(data, { origin: ORIGIN });
  // Temporary files of SQLite lie on the same disk.
  const log = await startLog(data, { built: true, env: { SQLITE_TMPDIR: disk.path } });
  let refused = 0;
  let refuse: () => void = () => undefined;
  const load = await Load.on(data, {
    origin: ORIGIN,
    trust: await trustOf(data, ORIGIN),
    // Nobody waits for a publication, which there is not on a full disk.
    random: () => 0.5,
    tolerate({ status }) {
      refused++;
      refuse();
      return status === 503 || status === 507;
    },
  });
  const recovery: number[] = [];
  try {
    for (let i = 0; i < TIMES; i++) {
      const isRefused = new Promise<void>((resolve) => {
        refuse = resolve;
      });
      const empty = fillDisk(disk.path, Math.floor(random() ** 2 * 400_000));
      await load.run(
        log.url,
        isRefused.then(() => wait(50)),
      );
      await checkReads(log.url);
      empty();
      const freed = performance.now();
      do {
        assert.ok(performance.now() - freed < PATIENCE, 'the log takes entries again');
        await load.checkAfterRestart(log.url);
      } while (!load.isAnswered);
      recovery.push(performance.now() - freed);
      assert.is((await fetch(`${log.url}/readyz`)).status, 200);
    }
  } finally {
    await log.end('SIGKILL');
  }
  assert.ok(refused >= TIMES, `${refused} were refused`);
  await load.promises.checkStore(data);
  const again = await startLog(data, { built: true });
  await load.checkAfterRestart(again.url);
  const { code, errors } = await again.end('SIGTERM');
  assert.is(code, 0, errors);
  await load.promises.checkStore(data);
  return { load, refused, recovery };
}

for (const [name, make] of [
  ['tmpfs', tmpfs],
  ['ext4', () => LoopDisk.make(32)],
] as const) {
  faultTest(
    `a full ${name}: nothing acknowledged is lost, reading goes on, and so does the log when there is space`,
    async () => {
      const disk = make();
      try {
        const { load, refused, recovery } = await run(disk);
        reportOutcome({
          name: `disk-full-${name}`,
          group: 'disk',
          scenario: `The disk (${name}) fills up under load and is given free again, without a restart`,
          runs: TIMES,
          unit: 'times full',
          acknowledged: load.promises.acknowledged.size,
          heads: load.promises.heads.size,
          recovery,
          also: `${refused} submissions refused with 503 or 507 and sent again`,
        });
      } finally {
        disk.remove();
      }
    },
  );
}

test.run();
