import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type CommitBatch, HeadConflictError, type Storage, StorageError, type StoredHead } from '@treering/storage';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openSqliteStorage, openThreadedSqliteStorage } from '../src/index.js';
import { packBatch, unpackBatch } from '../src/packed-batch.js';

const folder = mkdtempSync(join(tmpdir(), 'treering-thread-'));
let next = 0;

const hash = (i: number): Uint8Array => new Uint8Array(32).fill(i + 1);
const head = (size: number): StoredHead => ({ size, root: hash(size), time: size, note: hash(size) });
const batch = (first: number, count: number): CommitBatch => ({
  entries: Array.from({ length: count }, (_, i) => ({
    bytes: new Uint8Array(10 + i).fill(first + i),
    leafHash: hash(first + i),
    topic: `topic/${i}`,
  })),
  tiles: [],
  head: head(first + count),
});

async function fresh(): Promise<{ path: string; storage: Storage }> {
  const path = join(folder, `${next++}.db`);
  await openSqliteStorage(path, { mode: 'create' }).close();
  return { path, storage: await openThreadedSqliteStorage(path) };
}

async function refusal(work: Promise<unknown>): Promise<StorageError> {
  try {
    await work;
  } catch (error) {
    assert.instance(error, StorageError);
    return error as StorageError;
  }
  throw new Error('it was not refused');
}

test('a commit is readable when it is answered, and after the store is opened again', async () => {
  const { path, storage } = await fresh();
  await storage.commit(batch(0, 3), null);
  assert.is((await storage.head())?.size, 3);
  assert.equal(await storage.indicesOf([hash(2), hash(9)]), [2, undefined]);
  await storage.commit(batch(3, 4), head(3));
  await storage.close();
  const again = openSqliteStorage(path, { mode: 'open' });
  assert.equal(
    (await again.entries(0, 7)).map((bytes) => [bytes.length, bytes[0]]),
    [...batch(0, 3).entries, ...batch(3, 4).entries].map(({ bytes }) => [bytes.length, bytes[0]]),
  );
  await again.close();
});

test('what was committed stays the caller’s own: nothing is taken from its buffers', async () => {
  const { storage } = await fresh();
  const large = new Uint8Array(1000).fill(7);
  const own = { bytes: large.subarray(10, 20), leafHash: hash(0), topic: 'a' };
  const first = { entries: [own], tiles: [], head: head(1) };
  await storage.commit(first, null);
  assert.is(large.length, 1000);
  assert.is(own.bytes[0], 7);
  assert.is(first.head.note.length, 32);
  await storage.close();
});

test('errors of the thread keep their class and code', async () => {
  const { storage } = await fresh();
  await storage.commit(batch(0, 1), null);
  assert.instance(await refusal(storage.commit(batch(1, 1), head(0))), HeadConflictError);
  const twice = await refusal(storage.commit({ ...batch(1, 1), entries: batch(0, 1).entries }, head(1)));
  assert.is(twice.code, 'storage/immutable');
  assert.instance(await refusal(storage.publish(head(9))), HeadConflictError);
  await storage.commit(batch(1, 1), head(1));
  await storage.close();
});

test('a second writer is kept out, and a missing store is no new one', async () => {
  const { path, storage } = await fresh();
  assert.is((await refusal(openThreadedSqliteStorage(path))).code, 'storage/locked');
  await storage.close();
  await (await openThreadedSqliteStorage(path)).close();
  assert.is((await refusal(openThreadedSqliteStorage(join(folder, 'nowhere.db')))).code, 'storage/missing');
});

test('attachments are removed while others read', async () => {
  const { storage } = await fresh();
  const digests = Array.from({ length: 40 }, (_, i) => i.toString(16).padStart(64, '0'));
  for (const digest of digests) await storage.putAttachment(digest, new Uint8Array(5000));
  let reading = true;
  const reader = (async () => {
    for (let i = 0; reading; i++) {
      await storage.attachment(digests[i % digests.length]);
      if (i % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  for (const digest of digests) assert.is(await storage.removeAttachment(digest), true);
  reading = false;
  await reader;
  assert.equal(await storage.attachments('', 100), []);
  await storage.close();
  await storage.close();
});

/** Somebody who reads the store, such as a backup, until the returned function is called. */
function reader(path: string): () => void {
  const db = new Database(path, { readonly: true });
  db.exec('BEGIN');
  db.prepare('SELECT count(*) FROM entries').get();
  return () => void db.close();
}

test('an erasure that somebody’s reading is in the way of fails at once: no commit waits for the reader', async () => {
  const { path, storage } = await fresh();
  const digest = 'ab'.repeat(32);
  const content = new Uint8Array(5000).fill(0x5a);
  await storage.putAttachment(digest, content);
  let reading = true;
  const close = reader(path);
  const left = pause(1500).then(() => {
    reading = false;
    close();
  });
  const [removed, committed] = [refusal(storage.removeAttachment(digest)), storage.commit(batch(0, 1), null)];
  assert.is((await removed).code, 'storage/busy');
  await committed;
  assert.ok(reading, 'both were answered while the reader was there');
  assert.is(await storage.attachment(digest), null, 'it is removed all the same');
  await left;
  assert.is(await storage.removeAttachment(digest), false);
  assert.is(statSync(`${path}-wal`).size, 0);
  assert.not(readFileSync(path).includes(Buffer.from(content.subarray(0, 100))));
  await storage.close();
});

test('what may leave traces is removed while somebody reads', async () => {
  const { path, storage } = await fresh();
  const digest = 'ab'.repeat(32);
  await storage.putAttachment(digest, new Uint8Array(65));
  const close = reader(path);
  assert.is(await storage.removeAttachment(digest, false), true);
  assert.is(await storage.attachment(digest), null);
  close();
  await storage.close();
});

test('what is asked of a closed store is refused, and what was under way before is answered', async () => {
  const { storage } = await fresh();
  const commit = storage.commit(batch(0, 2), null);
  const closed = storage.close();
  await commit;
  await closed;
  assert.is((await refusal(storage.commit(batch(2, 1), head(2)))).code, 'storage/io');
});

test('a batch is the same after it was packed', () => {
  const entry = fc.record({
    bytes: fc.uint8Array({ maxLength: 300 }),
    leafHash: fc.uint8Array({ minLength: 32, maxLength: 32 }),
    topic: fc.string(),
  });
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 20 }), (entries) => {
      const before: CommitBatch = { entries, tiles: [], head: head(1) };
      const after = unpackBatch(packBatch(before));
      assert.equal(
        after.entries.map(({ bytes, leafHash, topic }) => [[...bytes], [...leafHash], topic]),
        entries.map(({ bytes, leafHash, topic }) => [[...bytes], [...leafHash], topic]),
      );
      assert.is(after.head, before.head);
    }),
  );
});

test.after(() => rmSync(folder, { recursive: true }));
test.run();
