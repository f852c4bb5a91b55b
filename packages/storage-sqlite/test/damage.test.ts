import { copyFileSync, mkdtempSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Storage, StorageError, type StoredHead } from '@treering/storage';
import Database from 'better-sqlite3';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openSqliteStorage } from '../src/index.js';

const folder = mkdtempSync(join(tmpdir(), 'treering-damage-'));
let next = 0;
const fresh = (): string => join(folder, `${next++}.db`);
const hash = (i: number): Uint8Array => {
  const out = new Uint8Array(32);
  new DataView(out.buffer).setUint32(4, i + 1);
  return out;
};
const head = (size: number): StoredHead => ({ size, root: hash(size), time: size, note: hash(size) });

async function grow(storage: Storage, count: number, bytes: number): Promise<void> {
  const size = (await storage.head())?.size ?? 0;
  const entries = Array.from({ length: count }, (_, i) => ({
    bytes: new Uint8Array(bytes).fill(i),
    leafHash: hash(size + i),
    topic: `topic/${i % 3}`,
  }));
  await storage.commit({ entries, tiles: [], head: head(size + count) }, size === 0 ? null : head(size));
}

async function made(count: number): Promise<string> {
  const path = fresh();
  const storage = openSqliteStorage(path, { mode: 'create' });
  await grow(storage, count, 100);
  await storage.close();
  return path;
}

/** Opens a store and reads everything in it: 'whole', or the code of the StorageError that says what is wrong. */
async function read(path: string, size: number): Promise<string> {
  try {
    const storage = openSqliteStorage(path, { mode: 'open' });
    try {
      const stored = (await storage.head())?.size ?? 0;
      if (stored !== size) return `it holds ${stored} entries`;
      await storage.entries(0, size);
      await storage.entryInfos(0, size);
      const damage = await storage.integrity();
      return damage.length === 0 ? 'whole' : 'storage/corrupt';
    } finally {
      await storage.close();
    }
  } catch (error) {
    if (error instanceof StorageError) return error.code;
    return `not a StorageError: ${error}`;
  }
}

const mutilations: [string, (path: string) => void][] = [
  ['cut to half of a page', (path) => truncateSync(path, 2048)],
  ['cut to one page', (path) => truncateSync(path, 4096)],
  ['cut in the middle', (path) => truncateSync(path, Math.floor(readFileSync(path).length / 8192) * 4096)],
  ['the first 100 bytes gone', (path) => overwrite(path, 0, 100)],
  ['the schema gone', (path) => overwrite(path, 100, 3000)],
  ['everything but the header gone', (path) => overwrite(path, 100, readFileSync(path).length - 100)],
  ['a page in the middle gone', (path) => overwrite(path, 4096 * 4, 4096)],
];

function overwrite(path: string, from: number, count: number): void {
  const bytes = readFileSync(path);
  bytes.fill(0, from, from + count);
  writeFileSync(path, bytes);
}

test('every mutilation is a StorageError that says damage, never a shorter log, and the lock is given back', async () => {
  const path = await made(300);
  assert.is(await read(path, 300), 'whole');
  for (const [what, mutilate] of mutilations) {
    const copy = fresh();
    copyFileSync(path, copy);
    mutilate(copy);
    for (const attempt of ['first', 'second'])
      assert.match(await read(copy, 300), /^storage\/(corrupt|schema)$/, `${what}, ${attempt} attempt`);
  }
});

test('a file with our marks and other tables is refused as no log of this schema, and its lock is given back', async () => {
  const path = fresh();
  const db = new Database(await made(1));
  const marks = ['application_id', 'user_version'].map((name) => [name, db.pragma(name, { simple: true })]);
  db.close();
  const foreign = new Database(path);
  for (const [name, value] of marks) foreign.pragma(`${name} = ${value}`);
  foreign.exec('CREATE TABLE t (a)');
  foreign.close();
  for (const attempt of ['first', 'second']) assert.is(await read(path, 1), 'storage/schema', attempt);
});

test('garbage beside a store that was closed is no harm: an old -shm, an empty -wal', async () => {
  const path = await made(20);
  writeFileSync(`${path}-shm`, 'x'.repeat(32_768));
  writeFileSync(`${path}-wal`, '');
  assert.is(await read(path, 20), 'whole');
});

test('the lock holds when the store is opened through a symbolic link', async () => {
  const path = await made(3);
  const first = openSqliteStorage(path, { mode: 'open' });
  const symbolic = fresh();
  symlinkSync(path, symbolic);
  try {
    assert.is(await read(symbolic, 3), 'storage/locked', 'through a symbolic link');
  } finally {
    await first.close();
  }
  assert.is(await read(symbolic, 3), 'whole', 'and is free afterwards');
});

test('REPLACE, which fires no trigger for DELETE, changes nothing that is stored either', async () => {
  const db = new Database(await made(3));
  db.exec('INSERT INTO tiles VALUES (0, 0, zeroblob(32), zeroblob(8192))');
  const other = `x'${'ee'.repeat(32)}'`;
  const before = JSON.stringify(['entries', 'tiles', 'heads'].map((table) => db.prepare(`SELECT * FROM ${table}`).all()));
  for (const sql of [
    `REPLACE INTO entries (idx, leaf, topic, bytes) VALUES (1, ${other}, '', x'00')`,
    "REPLACE INTO entries (idx, leaf, topic, bytes) SELECT 3, leaf, '', x'00' FROM entries WHERE idx = 1",
    `REPLACE INTO tiles (level, idx, root, hashes) VALUES (0, 0, ${other}, zeroblob(8192))`,
    'REPLACE INTO heads (kind, size, root, time, note) SELECT kind, 1, root, time, note FROM heads',
    `UPDATE heads SET root = ${other}`,
  ]) {
    let refusal: unknown;
    try {
      db.exec(sql);
    } catch (error) {
      refusal = error;
    }
    assert.ok(refusal instanceof Database.SqliteError, `not refused: ${sql.slice(0, 90)}`);
  }
  const after = JSON.stringify(['entries', 'tiles', 'heads'].map((table) => db.prepare(`SELECT * FROM ${table}`).all()));
  assert.is(after, before);
  db.close();
});

test('a backup ends although the log never stops growing', async () => {
  const path = fresh();
  const copy = fresh();
  const storage = openSqliteStorage(path, { mode: 'create' });
  for (let i = 0; i < 8; i++) await grow(storage, 20, 50_000);
  const reader = openSqliteStorage(path, { mode: 'read' });
  const from = (await storage.head())?.size as number;
  const writer = setInterval(() => void grow(storage, 1, 100), 1);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve('not done after 4 seconds'), 4_000);
  });
  const backup = reader.backup(copy).then(() => 'done');
  const outcome = await Promise.race([backup, late]);
  clearTimeout(timer);
  clearInterval(writer);
  await backup;
  await reader.close();
  await storage.close();
  assert.is(outcome, 'done');
  const restored = openSqliteStorage(copy, { mode: 'read' });
  assert.ok(((await restored.head())?.size as number) >= from);
  await restored.close();
});

const ENTRIES_MAY_GO =
  'DROP TRIGGER entries_stay; CREATE TRIGGER entries_stay BEFORE DELETE ON entries WHEN 0 BEGIN SELECT 1; END';

/** What is altered, and the place that must be named. */
const alterations: [string, string, RegExp][] = [
  ['the time of the head', "UPDATE heads SET time = time + 1 WHERE kind = 'committed'", /^committed head: its row/],
  [
    'the time of the published head',
    "UPDATE heads SET time = time + 1 WHERE kind = 'published'",
    /^published checkpoint: its row/,
  ],
  [
    'a line of a witness',
    "UPDATE heads SET note = CAST(note || x'0a' AS BLOB) WHERE kind = 'published'",
    /^published checkpoint: its row/,
  ],
  ['the sum itself', "UPDATE heads SET sum = x'0000000000000000' WHERE kind = 'published'", /^published checkpoint: its row/],
  ['a kept head', 'UPDATE kept_newest SET time = 77', /^kept head 2: its row/],
  ['a trigger that is gone', 'DROP TRIGGER entries_stay', /^database: trigger entries_stay is not/],
  ['a trigger that does nothing', ENTRIES_MAY_GO, /^database: trigger entries_stay is not/],
  ['an index that is gone', 'DROP INDEX entries_by_topic', /^database: index entries_by_topic is not/],
  ['a table too many', 'CREATE TABLE more (a)', /^database: table more is not/],
];

test('what neither the signatures nor SQLite would notice is found and named: rows of heads, and the schema', async () => {
  const path = fresh();
  const made = openSqliteStorage(path, { mode: 'create' });
  await grow(made, 3, 100);
  for (const published of [head(2), { ...head(2), time: 9 }, head(3)]) await made.publish(published, true);
  assert.equal(await made.integrity(), []);
  await made.close();
  for (const [what, sql, expected] of alterations) {
    const copy = fresh();
    copyFileSync(path, copy);
    const db = new Database(copy);
    db.exec(sql);
    db.close();
    const storage = openSqliteStorage(copy, { mode: 'read' });
    const damage = (await storage.integrity()).map(({ where, what }) => `${where}: ${what}`);
    await storage.close();
    assert.is(damage.length, 1, `${what}: ${damage}`);
    assert.match(damage[0], expected, what);
  }
});

test.after(() => rmSync(folder, { recursive: true }));
test.run();
