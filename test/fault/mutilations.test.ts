import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dataFolder, initLog, parseConfig, type ServedLog, serveLog } from '@treering/log';
import Database from 'better-sqlite3';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Load } from './load.js';
import { startLog, trustOf } from './log-child.js';
import { reportOutcome } from './results.js';
import { forSize } from './size.js';

const ORIGIN = 'mutilated.test/log';
const root = mkdtempSync(join(tmpdir(), 'treering-mutilated-'));
test.after(() => rmSync(root, { recursive: true, force: true }));

/** A log in four states: as it was at a third, as a clean end left it, as SIGKILL left it (most of it in the WAL), and another one. */
const states = {
  older: join(root, 'older'),
  closed: join(root, 'closed'),
  killed: join(root, 'killed'),
  other: join(root, 'other'),
};
const made = join(root, 'made');
await initLog(made, { origin: ORIGIN });
const trust = await trustOf(made, ORIGIN);
const newLoad = (): Promise<Load> => Load.on(made, { origin: ORIGIN, trust, random: Math.random });
const [first, last] = [await newLoad(), await newLoad()];
await grow(first, 20);
cpSync(made, states.older, { recursive: true });
await grow(first, 40);
cpSync(made, states.closed, { recursive: true });
await grow(last, 5, 'SIGKILL');
cpSync(made, states.killed, { recursive: true });
await initLog(states.other, { origin: 'other.test/log' });
await fillOther();
/** What was answered until the state was copied. */
const answered = { older: [], closed: [first], killed: [first, last], other: [] };

async function grow(load: Load, count: number, end: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
  const log = await startLog(made);
  for (let i = 0; i < count; i += 5) assert.ok(await load.submit(log.url, 5));
  await log.end(end);
}

async function fillOther(): Promise<void> {
  const [origin, log] = ['other.test/log', await startLog(states.other)];
  const load = await Load.on(states.other, { origin, trust: await trustOf(states.other, origin), random: Math.random });
  await load.submit(log.url, 20);
  await log.end('SIGTERM');
}

type Mutilation = readonly [what: string, from: keyof typeof states, mutilate: (data: string) => void, outcome: string];

const store = (data: string): string => dataFolder(data).store;
const of = (state: keyof typeof states, pick: (data: string) => string): string => pick(states[state]);
const cut = (bytes: (size: number) => number) => (data: string) => truncateSync(store(data), bytes(statSync(store(data)).size));
const cutWal = (bytes: (size: number) => number) => (data: string) => {
  const path = `${store(data)}-wal`;
  truncateSync(path, bytes(statSync(path).size));
};
const garbage =
  (path: (data: string) => string, size = 20_000) =>
  (data: string) =>
    writeFileSync(path(data), Buffer.alloc(size, 'garbage '));
const gone = (path: (data: string) => string) => (data: string) => rmSync(path(data), { recursive: true });
const folderAt = (path: (data: string) => string) => (data: string) => {
  rmSync(path(data), { force: true });
  mkdirSync(path(data));
};
const taken = (from: keyof typeof states, path: (data: string) => string) => (data: string) =>
  cpSync(of(from, path), path(data));
const all = (mutilations: readonly ((data: string) => void)[]) => (data: string) => {
  for (const mutilate of mutilations) mutilate(data);
};
const anchor = (data: string): string => dataFolder(data).anchor;
const snapshot = (data: string): string => dataFolder(data).snapshot;
const wal = (data: string): string => `${store(data)}-wal`;
const shm = (data: string): string => `${store(data)}-shm`;
const lock = (data: string): string => `${store(data)}.lock`;
const logKey = (data: string): string => dataFolder(data).logKey;
const publicationKey = (data: string): string => dataFolder(data).publicationKey;

/** What is done to the files, and the code with which the log then refuses to start; `starts` where nothing is lost by it. */
const MUTILATIONS: readonly Mutilation[] = [
  ['the store cut to nothing', 'closed', cut(() => 0), 'storage/missing'],
  ['the store cut within its header', 'closed', cut(() => 60), 'storage/corrupt'],
  ['the store cut to one page', 'closed', cut(() => 4096), 'storage/corrupt'],
  ['the store cut in half', 'closed', cut((size) => size >> 1), 'storage/corrupt'],
  ['the store without its last page', 'closed', cut((size) => size - 4096), 'storage/corrupt'],
  ['the store without its last byte', 'closed', cut((size) => size - 1), 'storage/corrupt'],
  ['the store gone', 'closed', gone(store), 'storage/missing'],
  ['the store gone, after SIGKILL', 'killed', gone(store), 'storage/missing'],
  ['the store as it was earlier', 'closed', taken('older', store), 'sequencer/rolled-back'],
  [
    'the store as it was earlier, beside the newest WAL',
    'killed',
    taken('older', store),
    'sequencer/corrupt or storage/corrupt',
  ],
  ["another log's store", 'closed', taken('other', store), 'sequencer/wrong-key'],
  ['garbage for a store', 'closed', garbage(store), 'storage/corrupt'],
  ['a folder for a store', 'closed', folderAt(store), 'storage/io'],
  ['another database for a store', 'closed', otherDatabase, 'storage/schema'],
  ['a symbolic link to the store', 'closed', linkTo, 'starts'],
  ['a symbolic link to nothing', 'closed', linkToNothing, 'storage/missing'],
  ['the WAL gone', 'killed', gone(wal), 'sequencer/rolled-back'],
  ['the WAL cut to nothing', 'killed', cutWal(() => 0), 'sequencer/rolled-back'],
  ['the WAL cut within its header', 'killed', cutWal(() => 20), 'sequencer/rolled-back'],
  ['the WAL cut in half', 'killed', cutWal((size) => size >> 1), 'sequencer/rolled-back'],
  ['garbage for a WAL', 'killed', garbage(wal), 'sequencer/rolled-back'],
  ['garbage beside a store that was closed: a WAL', 'closed', garbage(wal), 'starts'],
  ['garbage for shared memory', 'killed', garbage(shm, 32_768), 'starts'],
  ['shared memory gone', 'killed', gone(shm), 'starts'],
  ['the anchor gone', 'closed', gone(anchor), 'sequencer/no-anchor'],
  ['garbage for an anchor', 'closed', garbage(anchor, 300), 'sequencer/corrupt'],
  ['an empty anchor', 'closed', garbage(anchor, 0), 'sequencer/corrupt'],
  ['a folder for an anchor', 'closed', folderAt(anchor), 'storage/io'],
  ['the anchor as it was earlier', 'closed', taken('older', anchor), 'starts'],
  ["another log's anchor", 'closed', taken('other', anchor), 'sequencer/wrong-key'],
  ['the lock gone', 'closed', gone(lock), 'starts'],
  ['garbage for a lock', 'closed', garbage(lock), 'storage/corrupt'],
  ['a folder for a lock', 'closed', folderAt(lock), 'storage/io'],
  ['the snapshot gone', 'closed', gone(snapshot), 'starts'],
  ['garbage for a snapshot', 'closed', garbage(snapshot), 'starts'],
  ['the snapshot as it was earlier', 'closed', taken('older', snapshot), 'starts'],
  ["another log's snapshot", 'closed', taken('other', snapshot), 'starts'],
  ["another log's key", 'closed', taken('other', logKey), 'sequencer/wrong-key'],
  ["another log's key for publication", 'closed', taken('other', publicationKey), 'sequencer/wrong-key'],
  ['both keys of another log', 'closed', all([taken('other', logKey), taken('other', publicationKey)]), 'sequencer/wrong-key'],
  ['the key gone', 'closed', gone(logKey), 'note/bad-key'],
  ['the key for publication gone', 'closed', gone(publicationKey), 'note/bad-key'],
  ['an empty key', 'closed', garbage(logKey, 0), 'note/bad-key'],
  ['everything gone but the keys and the anchor', 'closed', all([store, snapshot, lock].map(gone)), 'storage/missing'],
];

function otherDatabase(data: string): void {
  rmSync(store(data));
  new Database(store(data)).exec('CREATE TABLE entries (a)').close();
}

function linkTo(data: string): void {
  renameSync(store(data), join(data, 'elsewhere.db'));
  symlinkSync('elsewhere.db', store(data));
}

function linkToNothing(data: string): void {
  rmSync(store(data));
  symlinkSync('nothing.db', store(data));
}

/** Starts the log, and has it take an entry: 'starts', or the code of what it refuses with. */
async function outcomeOf(data: string, load: Load): Promise<string> {
  let served: ServedLog;
  try {
    served = await serveLog(parseConfig({ data, listen: '127.0.0.1:0', log_level: 'silent', publish_interval: 20 }));
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    assert.ok(message.length > 20, message);
    return code ?? message;
  }
  await load.submit(served.url, 1).finally(() => served.close());
  return 'starts';
}

const startTimes: number[] = [];
let held = 0;

// They take half a second each: a quick run tries every second of them.
const STEP = forSize({ quick: 2, full: 1, soak: 1 });
const tried = MUTILATIONS.filter((_, number) => number % STEP === 0);

for (const [number, [what, from, mutilate, outcome]] of tried.entries())
  test(`${what}: ${outcome}`, async () => {
    const data = join(root, `${number}`);
    cpSync(states[from], data, { recursive: true });
    mutilate(data);
    const before = remains(data);
    const [load, started] = [await newLoad(), performance.now()];
    // Which of two checks meets the damage first depends on where pages lie.
    const actual = await outcomeOf(data, load);
    assert.ok(outcome.split(' or ').includes(actual), actual);
    if (outcome !== 'starts') {
      assert.equal(remains(data), before, 'nothing is signed, and no store is begun in the place of one');
    } else {
      startTimes.push(performance.now() - started);
      for (const { promises } of [...answered[from], load]) await promises.checkStore(data);
    }
    rmSync(data, { recursive: true });
    held++;
  });

/** What a refusal leaves as it was: whether there is a store, what it begins with, and the anchor. */
function remains(data: string): unknown {
  const kept = (path: string): string =>
    statSync(path, { throwIfNoEntry: false })?.isFile() ? readFileSync(path).toString('hex') : 'no file';
  return [kept(store(data)).slice(0, 32), kept(anchor(data))];
}

test('all of them were tried, and held', () => {
  assert.is(held, tried.length);
  reportOutcome({
    name: 'mutilations',
    group: 'disk',
    scenario:
      "A file of the log cut, emptied, lost, or replaced by an older one, by another log's or by garbage, and the log started",
    runs: tried.length,
    unit: 'mutilations',
    acknowledged: first.promises.acknowledged.size + last.promises.acknowledged.size,
    heads: first.promises.heads.size + last.promises.heads.size,
    recovery: startTimes,
    also: `${startTimes.length} harm nothing and it starts, at the others it refuses`,
  });
});

test.run();
