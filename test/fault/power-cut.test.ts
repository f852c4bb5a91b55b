import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { initLog } from '@treering/log';
import { formatVerifierKey } from '@treering/note';
import Database from 'better-sqlite3';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TestLog } from '../../apps/witness/test/test-log.js';
import { Load } from './load.js';
import { type LogChild, startLog, trustOf } from './log-child.js';
import { LOOP_DISK_NEEDS, LoopDisk } from './loop-disk.js';
import { testNeeding } from './needs.js';
import type { Promises } from './promises.js';
import { seededRandom } from './random.js';
import { reportOutcome } from './results.js';
import { forSize } from './size.js';
import { standStill } from './stand-still.js';
import { beginWitness, openWitness } from './witnessed.js';

const faultTest = testNeeding('a power cut', LOOP_DISK_NEEDS);
const ORIGIN = 'power.test/log';
const CUTS = forSize({ quick: 2, full: 52 });
/** Cuts after which a log is begun anew, so that the checks do not take longer and longer. */
const CUTS_OF_A_LOG = 13;
const WITNESS_CUTS = forSize({ quick: 1, full: 25 });

const wait = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** The disk of a running log at a moment, and everything that the log had answered by then. */
interface Cut {
  readonly disk: LoopDisk;
  readonly promises: Promises;
}

/** The clock of the test stands still meanwhile, too: what was answered is exactly what was taken in. */
function cutPower(disk: LoopDisk, { promises }: Load, { pid }: LogChild): Cut {
  standStill(pid);
  try {
    return { disk: disk.cut(), promises: promises.copy() };
  } finally {
    process.kill(pid, 'SIGCONT');
  }
}

/** Starts the log on what a power cut left, logs something, and checks everything. @returns milliseconds of the start */
async function checkCut({ disk, promises }: Cut): Promise<number> {
  const data = join(disk.path, 'log');
  const log = await startLog(data, { built: true });
  const load = await Load.on(data, { origin: ORIGIN, trust: await trustOf(data, ORIGIN), random: () => 0 });
  assert.ok(await load.submit(log.url, 2));
  const { code, errors } = await log.end('SIGTERM');
  assert.is(code, 0, errors);
  for (const told of [promises, load.promises]) await told.checkStore(data);
  return log.startTime;
}

faultTest(`${CUTS} power cuts under load lose nothing that was acknowledged before`, async () => {
  const random = seededRandom(7);
  const recovery: number[] = [];
  let [acknowledged, heads] = [0, 0];
  for (let left = CUTS; left > 0; left -= CUTS_OF_A_LOG) {
    const disk = LoopDisk.make(128);
    try {
      const data = join(disk.path, 'log');
      mkdirSync(data);
      await initLog(data, { origin: ORIGIN });
      const log = await startLog(data, { built: true });
      const load = await Load.on(data, { origin: ORIGIN, trust: await trustOf(data, ORIGIN), random });
      try {
        for (let cut = 0; cut < Math.min(left, CUTS_OF_A_LOG); cut++) {
          const cutting = wait(30 + random() * 500).then(() => cutPower(disk, load, log));
          await load.run(log.url, cutting);
          const after = await cutting;
          try {
            recovery.push(await checkCut(after));
          } finally {
            after.disk.remove();
          }
        }
      } finally {
        await log.end('SIGKILL');
      }
      acknowledged += load.promises.acknowledged.size;
      heads += load.promises.heads.size;
    } finally {
      disk.remove();
    }
  }
  assert.is(recovery.length, CUTS);
  assert.ok(acknowledged > CUTS * 10, `the load was on: ${acknowledged} were acknowledged`);
  reportOutcome({
    name: 'power-cut',
    group: 'disk',
    scenario: 'Power cut under load: a copy of what the file system has written, mounted and started from',
    runs: CUTS,
    unit: 'power cuts',
    acknowledged,
    heads,
    recovery,
  });
});

faultTest(`${WITNESS_CUTS} power cuts right after a cosignature: the witness knows what it cosigned`, async () => {
  const disk = LoopDisk.make(64);
  const log = new TestLog();
  const recovery: number[] = [];
  try {
    const data = join(disk.path, 'witness');
    mkdirSync(data);
    const { served } = await beginWitness(data, { origin: log.origin, logKeys: [log.signer.key] });
    const post = (url: string, body: Uint8Array): Promise<Response> =>
      fetch(`${url}/add-checkpoint`, { method: 'POST', body: body as Uint8Array<ArrayBuffer> });
    try {
      for (let size = 1; size <= WITNESS_CUTS; size++) {
        assert.is((await post(served.url, log.add(size - 1, size))).status, 200);
        // The witness is in this process, and nothing else is asked of it.
        const after = disk.cut();
        try {
          const started = performance.now();
          const again = await openWitness(join(after.path, 'witness'));
          recovery.push(performance.now() - started);
          try {
            assert.equal(again.vkeys, served.vkeys, formatVerifierKey(log.signer.key));
            const refused = await post(again.url, log.add(size - 1, size, { root: new Uint8Array(32) }));
            assert.is(refused.status, 409);
            assert.is(await refused.text(), `${size}\n`, 'the size that it cosigned is known');
            assert.is((await fetch(`${again.url}/readyz`)).status, 200, 'it is not locked');
            assert.is((await post(again.url, log.add(size, size + 1))).status, 200, 'it goes on');
          } finally {
            await again.close();
          }
        } finally {
          after.remove();
        }
      }
    } finally {
      await served.close();
    }
  } finally {
    disk.remove();
  }
  reportOutcome({
    name: 'power-cut-witness',
    group: 'witness',
    scenario: 'Power cut right after a witness answered with a cosignature',
    runs: WITNESS_CUTS,
    unit: 'power cuts',
    recovery,
  });
});

/** How many of so many rows are left after a power cut right behind the last commit. */
function rowsAfterCut(synchronous: 'NORMAL' | 'FULL', rows: number): number {
  const disk = LoopDisk.make(32);
  try {
    const db = new Database(join(disk.path, 'rows.db'));
    db.pragma('journal_mode = WAL');
    db.pragma(`synchronous = ${synchronous}`);
    db.exec('CREATE TABLE rows (n)');
    const insert = db.prepare('INSERT INTO rows VALUES (?)');
    for (let n = 0; n < rows; n++) insert.run(n);
    const after = disk.cut();
    db.close();
    try {
      const left = new Database(join(after.path, 'rows.db'));
      try {
        const found = left.prepare("SELECT count(*) FROM sqlite_master WHERE name = 'rows'").pluck().get() as number;
        return found === 0 ? 0 : (left.prepare('SELECT count(*) FROM rows').pluck().get() as number);
      } finally {
        left.close();
      }
    } finally {
      after.remove();
    }
  } finally {
    disk.remove();
  }
}

faultTest('such a power cut does lose commits where SQLite does not wait for the disk', () => {
  assert.is(rowsAfterCut('FULL', 50), 50);
  assert.ok(rowsAfterCut('NORMAL', 50) < 50);
});

test.run();
