import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { initLog } from '@treering/log';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Load } from './load.js';
import { startLog, trustOf } from './log-child.js';
import { testNeeding } from './needs.js';
import { type CallOutcome, type CommitOptions, OneCommit } from './one-commit.js';
import { reportOutcome } from './results.js';
import { forSize } from './size.js';
import { callsDuring, type Fault, type SystemCall } from './strace.js';

const faultTest = testNeeding('a fault at every system call of a commit', { commands: { strace: 'strace' }, root: true });
const ORIGIN = 'fsync.test/log';
const WORKERS = Math.min(2, availableParallelism());

/** A call of the commit, and what is known about it without the fault. */
interface Place {
  readonly call: SystemCall;
  /** Until this call is done, nothing of the commit is durable. */
  readonly beforeDurable: boolean;
  /**
   * Whether the log may go on after an I/O error here: SQLite copies from its write-ahead log into the database once more; an anchor that
   * could not be written with a commit is written anew, at the latest after the position was read from the disk again.
   */
  readonly madeGood: boolean;
}

/**
 * The pages of a commit differ by some from one run to the next, so that a write of the same number may be behind the point at which the
 * commit is durable. The number of the wait for the disk itself does not change.
 */
const MARGIN = 8;

function placesOf(calls: readonly SystemCall[]): Place[] {
  const isWal = ({ path }: SystemCall): boolean => path === 'log.db-wal';
  const isAnchor = ({ path }: SystemCall): boolean => path.startsWith('anchor');
  const durable = calls.findIndex((call) => isWal(call) && call.name === 'fsync');
  const publication = calls.findLastIndex(({ name, path }) => name === 'openat' && path === 'anchor/head.new');
  assert.ok(durable > 0 && publication > durable, 'the commit is made durable, and then published');
  const copied = calls.map(({ path }) => path === 'log.db');
  return calls.map((call, i) => ({
    call,
    beforeDurable: call.name === 'fsync' ? i <= durable : i <= durable - MARGIN,
    madeGood:
      copied[i] || (isAnchor(call) && i < publication) || (isWal(call) && call.name === 'fsync' && copied[i + 1] === true),
  }));
}

/** No file takes another's place before its bytes are on the disk. */
function checkRenames(calls: readonly SystemCall[]): void {
  calls.forEach(({ name, path }, i) => {
    if (!name.startsWith('rename')) return;
    const own = calls.slice(0, i).filter((call) => call.path === path);
    assert.is(own.at(-1)?.name, 'fsync', `${path} is synchronised before it is renamed`);
  });
}

/** What must hold besides that nothing answered is lost and no head is signed twice, which every run checks. */
function check({ call, beforeDurable, madeGood }: Place, fault: Fault, { ended, answered }: CallOutcome): void {
  const what = `${fault} at ${call.name} ${call.path} number ${call.nth}`;
  if (beforeDurable) assert.not(answered, `${what}: answered before it was durable`);
  if (fault === 'SIGKILL') assert.is(ended?.signal, 'SIGKILL', what);
  else if (ended !== undefined) assert.is(ended.code, 1, what);
  else if (fault === 'EIO') assert.ok(madeGood, `${what}: the log went on`);
  if (fault === 'ENOSPC' && /write|open/.test(call.name)) assert.is(ended, undefined, `${what}: a full disk ended the log`);
}

/** Every fault at every call, or at as many as `most` says, spread evenly. */
function casesOf(places: readonly Place[], faults: readonly Fault[], most: number): { place: Place; fault: Fault }[] {
  const all = places.flatMap((place) => faults.map((fault) => ({ place, fault })));
  const count = Math.min(most, all.length);
  return Array.from({ length: count }, (_, i) => all[Math.floor(((i + 0.5) * all.length) / count)]);
}

/**
 * A commit that comes out with a call less has the call of this number behind the point at which it was durable, and may be answered:
 * it is made again. Who answers before that point does so each time.
 */
async function disturbedAt(commit: OneCommit, place: Place, fault: Fault): Promise<CallOutcome> {
  let outcome = await commit.disturb(place.call, fault);
  for (let tries = 1; tries < TRIES && place.beforeDurable && outcome.answered; tries++)
    outcome = await commit.disturb(place.call, fault);
  return outcome;
}

interface Scenario extends CommitOptions {
  readonly name: string;
  readonly scenario: string;
  readonly faults: readonly Fault[];
  /** Runs at quick size; with 0 it is left to larger ones. */
  readonly quick: number;
  /** Which calls are disturbed; all of the commit without it. */
  readonly only?: (place: Place) => boolean;
}

const TRIES = 3;

const SCENARIOS: readonly Scenario[] = [
  {
    name: 'syscalls-commit',
    scenario:
      'EIO, ENOSPC and SIGKILL at every write, fsync, rename and open of a commit that fills a tile, and its publication',
    entries: 254,
    faults: ['EIO', 'ENOSPC', 'SIGKILL'],
    quick: 4,
  },
  {
    name: 'syscalls-checkpoint',
    scenario:
      'The same where SQLite also copies its write-ahead log into the database and begins it anew, and the anchor gets longer',
    // The size after the commit has one digit more.
    entries: 9,
    withCheckpoint: true,
    faults: ['EIO', 'ENOSPC', 'SIGKILL'],
    quick: 0,
  },
  {
    name: 'syscalls-witnessed',
    scenario: 'SIGKILL at every such call between the commit and the publication of a head that a witness has cosigned',
    entries: 3,
    witnessed: true,
    faults: ['SIGKILL'],
    quick: 0,
    only: ({ beforeDurable }) => !beforeDurable,
  },
];

for (const { name, scenario, faults, quick, only = () => true, ...options } of SCENARIOS) {
  const most = forSize({ quick, full: Number.POSITIVE_INFINITY });
  if (most === 0) continue;
  faultTest(scenario, async () => {
    const commit = await OneCommit.after(options);
    try {
      const calls = await commit.calls();
      const { withCheckpoint = false } = options;
      assert.is(
        calls.some(({ path }) => path === 'log.db'),
        withCheckpoint,
        'the commit is the one that was meant',
      );
      for (const call of ['fsync log.db-wal', 'rename anchor/head.new', 'fsync anchor'])
        assert.ok(
          calls.some(({ name: of, path }) => `${of} ${path}` === call),
          `the commit has ${call}`,
        );
      checkRenames(calls);
      const cases = casesOf(placesOf(calls).filter(only), faults, most);
      const outcomes: CallOutcome[] = [];
      const queue = [...cases];
      const work = async (): Promise<void> => {
        for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
          const outcome = await disturbedAt(commit, next.place, next.fault);
          check(next.place, next.fault, outcome);
          outcomes.push(outcome);
        }
      };
      await Promise.all(Array.from({ length: WORKERS }, work));
      assert.is(outcomes.length, cases.length);
      const sum = (count: (outcome: CallOutcome) => number): number => outcomes.reduce((all, one) => all + count(one), 0);
      reportOutcome({
        name,
        group: 'disk',
        scenario,
        runs: outcomes.length,
        unit: 'system calls',
        acknowledged: sum(({ acknowledged }) => acknowledged),
        heads: sum(({ heads }) => heads),
        recovery: outcomes.map(({ recovery }) => recovery),
        also: `${calls.length} calls in the commit; ${sum(({ ended }) => (ended === undefined ? 0 : 1))} faults ended the process, the log went on after ${sum(({ ended }) => (ended === undefined ? 1 : 0))}`,
      });
    } finally {
      commit.remove();
    }
  });
}

faultTest('each of twenty commits waits for the disk before it is answered', async () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'treering-fsync-')));
  const data = join(folder, 'log');
  try {
    await initLog(data, { origin: ORIGIN });
    const load = await Load.on(data, { origin: ORIGIN, trust: await trustOf(data, ORIGIN), random: () => 0 });
    // Publications, which wait for the disk as well, are left out.
    const log = await startLog(data, { built: true, config: { publish_interval: 3_600_000 } });
    try {
      const calls = await callsDuring(log.pid, data, join(folder, 'strace'), async () => {
        for (let i = 0; i < 20; i++) assert.ok(await load.submit(log.url, 1));
      });
      assert.is(load.promises.acknowledged.size, 20);
      const waits = calls.filter(({ name, path }) => path.endsWith('-wal') && /^f(?:data)?sync$/.test(name));
      assert.ok(waits.length >= 20, `${waits.length} waits for the disk`);
    } finally {
      await log.end('SIGKILL');
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test.run();
