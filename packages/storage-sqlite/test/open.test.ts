import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { StorageError, type StoredHead } from '@treering/storage';
import Database from 'better-sqlite3';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isUnused, openSqliteStorage } from '../src/index.js';
import { openDatabase, requireDurability, requireVersion } from '../src/open.js';
import { LOG_SCHEMA, migrate } from '../src/schema.js';

const folder = mkdtempSync(join(tmpdir(), 'treering-open-'));
let next = 0;
const fresh = (): string => join(folder, `${next++}.db`);
const leaf = (i: number): Uint8Array => Uint8Array.from({ length: 32 }, (_, k) => (i * 7 + k) & 255).fill(i & 255, 0, 4);
const head = (size: number): StoredHead => ({
  size,
  root: new Uint8Array(32).fill(size),
  time: size,
  note: Uint8Array.of(size),
});

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof StorageError) return error.code;
    throw error;
  }
  throw new Error('it did not fail');
}

async function made(path: string, entries = 3): Promise<string> {
  const storage = openSqliteStorage(path, { mode: 'create' });
  const batch = Array.from({ length: entries }, (_, i) => ({ bytes: Uint8Array.of(i), leafHash: leaf(i), topic: 'a' }));
  await storage.commit({ entries: batch, tiles: [], head: head(entries) }, null);
  await storage.close();
  return path;
}

test('durability is asked for and read back', () => {
  const { db, lock } = openDatabase(fresh(), { mode: 'create' });
  assert.is(db.pragma('synchronous', { simple: true }), 2);
  assert.is(db.pragma('journal_mode', { simple: true }), 'wal');
  db.close();
  lock?.close();
});

test('versions of SQLite that lose commits are refused, and settings that are not accepted', () => {
  for (const version of ['3.40.1', '3.51.2', '3.9.99', '2.99.0', 'unknown'])
    assert.is(
      codeOf(() => requireVersion(version)),
      'storage/unsupported',
      version,
    );
  for (const version of ['3.51.3', '3.52.0', '4.0.0']) requireVersion(version);
  const answering = (journal: string, synchronous: number) => ({
    pragma: (source: string) => (source.startsWith('journal_mode') ? journal : synchronous),
  });
  for (const [journal, synchronous] of [
    ['delete', 2],
    ['wal', 1],
    ['wal', 0],
  ] as const)
    assert.is(
      codeOf(() => requireDurability(answering(journal, synchronous))),
      'storage/unsupported',
    );
  requireDurability(answering('wal', 2));
});

test('every connection that writes waits for the disk', () => {
  const path = fresh();
  const first = openDatabase(path, { mode: 'create' });
  const beside = openDatabase(path, { mode: 'join' });
  assert.is(beside.db.pragma('synchronous', { simple: true }), 2);
  beside.db.close();
  first.db.close();
  first.lock?.close();
  const again = openDatabase(path, { mode: 'open' });
  assert.is(again.db.pragma('synchronous', { simple: true }), 2);
  again.db.close();
  again.lock?.close();
});

test('a new store is never made over another, and an old one never out of nothing', async () => {
  const path = await made(fresh());
  assert.is(
    codeOf(() => openSqliteStorage(path, { mode: 'create' })),
    'storage/schema',
  );
  assert.is(
    codeOf(() => openSqliteStorage(fresh(), { mode: 'open' })),
    'storage/missing',
  );
  const empty = fresh();
  writeFileSync(empty, '');
  assert.is(
    codeOf(() => openSqliteStorage(empty, { mode: 'open' })),
    'storage/missing',
  );
  assert.is(
    codeOf(() => openSqliteStorage(empty, { mode: 'read' })),
    'storage/missing',
  );
});

test('what an interrupted creation left can be created again', () => {
  const path = fresh();
  const db = new Database(path);
  db.pragma('journal_mode = WAL');
  db.close();
  assert.ok(statSync(path).size > 0 && isUnused(path));
  void openSqliteStorage(path, { mode: 'create' }).close();
});

test('garbage, other databases and newer schemas are refused', async () => {
  const garbage = fresh();
  writeFileSync(garbage, 'x'.repeat(10_000));
  assert.is(
    codeOf(() => openSqliteStorage(garbage, { mode: 'open' })),
    'storage/corrupt',
  );
  assert.is(
    codeOf(() => openSqliteStorage(garbage, { mode: 'create' })),
    'storage/schema',
  );
  const foreign = fresh();
  new Database(foreign).exec('CREATE TABLE t (a)').close();
  assert.is(
    codeOf(() => openSqliteStorage(foreign, { mode: 'open' })),
    'storage/schema',
  );
  const newer = await made(fresh());
  const db = new Database(newer);
  db.pragma('user_version = 99');
  db.close();
  assert.is(
    codeOf(() => openSqliteStorage(newer, { mode: 'open' })),
    'storage/schema',
  );
});

test('a truncated store is damage, not a shorter log', async () => {
  const path = await made(fresh(), 200);
  truncateSync(path, Math.floor(statSync(path).size / 8192) * 4096);
  let damage: unknown[] = [];
  try {
    const storage = openSqliteStorage(path, { mode: 'read' });
    damage = await storage.integrity();
    await storage.close();
  } catch (error) {
    damage = [(error as Error).message];
  }
  assert.ok(damage.length > 0);
});

test('entries and tiles cannot be changed or removed, heads cannot shrink', async () => {
  const db = new Database(await made(fresh()));
  for (const sql of [
    'UPDATE entries SET topic = 1',
    'DELETE FROM entries',
    "UPDATE heads SET size = 1 WHERE kind = 'committed'",
    'DELETE FROM heads',
  ]) {
    assert.throws(() => db.exec(sql), /never|shrinks/, sql);
  }
  db.exec(`INSERT INTO tiles VALUES (0, 0, zeroblob(32), zeroblob(8192))`);
  assert.throws(() => db.exec('UPDATE tiles SET idx = 1'), /never/);
  assert.throws(() => db.exec('DELETE FROM tiles'), /never/);
  db.close();
});

test('a migration is done whole or not at all', () => {
  const db = new Database(':memory:');
  assert.throws(
    () => migrate(db, { ...LOG_SCHEMA, steps: [...LOG_SCHEMA.steps, 'CREATE TABLE later (a); CREATE TABLE later (a);'] }),
    /later/,
  );
  assert.is(db.pragma('user_version', { simple: true }), LOG_SCHEMA.steps.length);
  assert.is(db.prepare("SELECT count(*) FROM sqlite_master WHERE name = 'later'").pluck().get(), 0);
  db.close();
});

/** A process that holds a store open. */
async function holder(path: string): Promise<ChildProcess> {
  const module = fileURLToPath(new URL('../src/index.ts', import.meta.url));
  const code = `import(${JSON.stringify(module)}).then(({ openSqliteStorage }) => { globalThis.s = openSqliteStorage(${JSON.stringify(path)}, { mode: 'open' }); console.log('open'); setInterval(() => {}, 1e6); })`;
  const child = spawn(process.execPath, ['--conditions=@treering/source', '--import', 'tsx', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  return child;
}

test('one process writes: another is refused, also while the first is stopped, until the first has ended', async () => {
  const path = await made(fresh());
  const first = await holder(path);
  assert.is(
    codeOf(() => openSqliteStorage(path, { mode: 'open' })),
    'storage/locked',
  );
  first.kill('SIGSTOP');
  assert.is(
    codeOf(() => openSqliteStorage(path, { mode: 'open' })),
    'storage/locked',
  );
  const reader = openSqliteStorage(path, { mode: 'read' });
  assert.is((await reader.head())?.size, 3, 'reading stays possible');
  await reader.close();
  first.kill('SIGCONT');
  first.kill('SIGKILL');
  await once(first, 'exit');
  const second = openSqliteStorage(path, { mode: 'open' });
  assert.is((await second.head())?.size, 3);
  await second.close();
});

test('a backup taken while the log grows is one moment of it', async () => {
  const path = fresh();
  const storage = openSqliteStorage(path, { mode: 'create' });
  let size = 0;
  const grow = async (): Promise<void> => {
    const entries = Array.from({ length: 50 }, (_, i) => ({
      bytes: new Uint8Array(2000).fill(i),
      leafHash: digest(size + i),
      topic: '',
    }));
    await storage.commit({ entries, tiles: [], head: head(size + 50) }, size === 0 ? null : head(size));
    size += 50;
  };
  for (let i = 0; i < 10; i++) await grow();
  const reader = openSqliteStorage(path, { mode: 'read' });
  const copies = [0, 1, 2].map((i) => join(folder, `copy-${i}.db`));
  for (const copy of copies) await Promise.all([reader.backup(copy), grow().then(grow)]);
  await reader.close();
  for (const copy of copies) {
    const restored = openSqliteStorage(copy, { mode: 'read' });
    const restoredSize = (await restored.head())?.size as number;
    assert.is((await restored.entries(0, restoredSize)).length, restoredSize);
    assert.equal(await restored.integrity(), []);
    await restored.close();
  }
  await storage.close();
});

test('on a full disk nothing is stored, and it goes on when there is space', async () => {
  const mount = mkdtempSync(join(tmpdir(), 'treering-full-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', mount], { stdio: 'ignore' });
  } catch {
    console.log('a small tmpfs cannot be mounted here: the full disk is not tested');
    return;
  }
  try {
    const storage = openSqliteStorage(join(mount, 'log.db'), { mode: 'create' });
    const commit = (size: number) =>
      storage.commit(
        { entries: [{ bytes: new Uint8Array(60_000), leafHash: digest(size), topic: '' }], tiles: [], head: head(size + 1) },
        size === 0 ? null : head(size),
      );
    await commit(0);
    writeFileSync(join(mount, 'filler'), new Uint8Array(1_700_000));
    let size = 1;
    let error: unknown;
    for (; size < 200 && error === undefined; size += error === undefined ? 1 : 0) await commit(size).catch((e) => (error = e));
    assert.is((error as StorageError).code, 'storage/full');
    assert.is((await storage.head())?.size, size);
    rmSync(join(mount, 'filler'));
    await commit(size);
    assert.is((await storage.head())?.size, size + 1);
    assert.equal(await storage.integrity(), []);
    await storage.close();
  } finally {
    execFileSync('umount', [mount]);
    rmSync(mount, { recursive: true });
  }
});

test('a WAL that is lost after a clean end is no loss', async () => {
  const path = await made(fresh());
  const copy = fresh();
  copyFileSync(path, copy);
  assert.not(existsSync(`${copy}-wal`));
  const storage = openSqliteStorage(copy, { mode: 'open' });
  assert.is((await storage.entries(0, 3)).length, 3);
  await storage.close();
});

function digest(i: number): Uint8Array {
  const out = new Uint8Array(32);
  new DataView(out.buffer).setUint32(8, i);
  return out;
}

test.after(() => rmSync(folder, { recursive: true }));
test.run();
