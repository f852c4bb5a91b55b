import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StoredHead } from '@treering/storage';
import Database from 'better-sqlite3';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openSqliteStorage } from '../src/index.js';
import { LOG_SCHEMA, migrate } from '../src/schema.js';

const folder = mkdtempSync(join(tmpdir(), 'treering-kept-'));
let next = 0;
const fresh = (): string => join(folder, `${next++}.db`);
const head = (size: number, time = size): StoredHead => ({
  size,
  root: new Uint8Array(32).fill(size),
  time,
  note: Uint8Array.of(size, time),
});
const batch = (from: number, to: number) => ({
  entries: Array.from({ length: to - from }, (_, i) => ({
    bytes: Uint8Array.of(from + i),
    leafHash: new Uint8Array(32).fill(from + i + 1),
    topic: 'a',
  })),
  tiles: [],
  head: head(to),
});

/** A store of 5 entries in which the heads of 2 (twice) and 4 entries are kept. */
async function made(): Promise<string> {
  const path = fresh();
  const storage = openSqliteStorage(path, { mode: 'create' });
  await storage.commit(batch(0, 5), null);
  for (const published of [head(2), head(2, 3), head(4)]) await storage.publish(published, true);
  await storage.close();
  return path;
}

/** A store as it was written before heads were kept: 5 entries, and a published head of 3. */
function madeBefore(): string {
  const path = fresh();
  const db = new Database(path);
  migrate(db, { ...LOG_SCHEMA, steps: LOG_SCHEMA.steps.slice(0, 1) });
  for (const { bytes, leafHash } of batch(0, 5).entries)
    db.prepare('INSERT INTO entries (idx, leaf, topic, bytes) VALUES (?, ?, ?, ?)').run(bytes[0], leafHash, '', bytes);
  for (const [kind, { size, root, time, note }] of Object.entries({ committed: head(5), published: head(3) }))
    db.prepare('INSERT INTO heads VALUES (?, ?, ?, ?, ?)').run(kind, size, root, time, note);
  db.close();
  return path;
}

test('a store from before heads were kept is brought to the new schema, with everything in it', async () => {
  const path = madeBefore();
  const storage = openSqliteStorage(path, { mode: 'open' });
  assert.is((await storage.entries(0, 5)).length, 5);
  assert.equal(await storage.published(), head(3));
  assert.equal(await storage.keptHeads(0, 10), []);
  assert.is(await storage.lastKept(), null);
  await storage.publish(head(4), true);
  assert.equal(await storage.keptHeads(0, 10), [head(4)]);
  await storage.close();
  const again = openSqliteStorage(path, { mode: 'open' });
  assert.equal(await again.lastKept(), head(4), 'the schema is not made a second time');
  assert.equal(await again.integrity(), []);
  await again.close();
});

test('rows of heads from before they had sums are brought to the new schema, and are no damage', async () => {
  const path = madeBefore();
  const db = new Database(path);
  db.exec(LOG_SCHEMA.steps[1]);
  db.pragma('user_version = 2');
  const { size, root, time, note } = head(2);
  db.prepare('INSERT INTO kept_first VALUES (?, ?, ?, ?)').run(size, root, time, note);
  db.close();
  const reader = openSqliteStorage(path, { mode: 'read' });
  assert.equal(await reader.keptHeads(0, 10), [head(2)]);
  assert.equal(await reader.integrity(), []);
  await reader.close();
  const storage = openSqliteStorage(path, { mode: 'open' });
  assert.equal(await storage.keptHeads(0, 10), [head(2)]);
  await storage.publish(head(4), true);
  assert.equal(await storage.integrity(), []);
  await storage.close();
});

test('a store from before heads were kept is read as it is, and backed up', async () => {
  const path = madeBefore();
  const copy = fresh();
  const reader = openSqliteStorage(path, { mode: 'read' });
  assert.equal(await reader.published(), head(3));
  assert.equal(await reader.keptHeads(0, 10), []);
  assert.is(await reader.lastKept(), null);
  await reader.backup(copy);
  await reader.close();
  const restored = openSqliteStorage(copy, { mode: 'open' });
  await restored.publish(head(5), true);
  assert.equal(await restored.keptHeads(0, 10), [head(5)]);
  await restored.close();
});

test('a backup has the kept heads', async () => {
  const copy = fresh();
  const reader = openSqliteStorage(await made(), { mode: 'read' });
  await reader.backup(copy);
  await reader.close();
  const restored = openSqliteStorage(copy, { mode: 'read' });
  assert.equal(await restored.keptHeads(0, 10), [head(2), head(2, 3), head(4)]);
  await restored.close();
});

test('kept heads are not changed or removed; only the newest of a size gives way to a newer one', async () => {
  const db = new Database(await made());
  const tables = ['kept_first', 'kept_newest'];
  const content = (): string => JSON.stringify(tables.map((table) => db.prepare(`SELECT * FROM ${table}`).all()));
  const before = content();
  const other = `x'${'ee'.repeat(32)}'`;
  for (const sql of [
    'UPDATE kept_first SET time = 9',
    'DELETE FROM kept_first',
    'DELETE FROM kept_newest',
    'UPDATE kept_newest SET size = 4',
    `UPDATE kept_newest SET root = ${other}`,
    'INSERT INTO kept_newest SELECT 3, root, time, note, sum FROM kept_first WHERE size = 2',
    `INSERT INTO kept_newest VALUES (4, ${other}, 9, x'00', NULL)`,
    "REPLACE INTO kept_first SELECT size, root, 9, x'00', NULL FROM kept_first",
    `REPLACE INTO kept_newest SELECT size, ${other}, 9, x'00', NULL FROM kept_newest`,
    'UPDATE OR REPLACE kept_first SET size = 4 WHERE size = 2',
  ])
    assert.throws(() => db.exec(sql), /never/, sql);
  assert.is(content(), before);
  db.exec("UPDATE kept_newest SET time = 9, note = x'00'");
  assert.is.not(content(), before);
  db.close();
});

test.after(() => rmSync(folder, { recursive: true }));
test.run();
