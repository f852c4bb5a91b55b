import { copyFileSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSigner, KEY_TYPE } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { createMemoryStorage, type Storage, type StoredHead } from '@treering/storage';
import { openSqliteStorage } from '@treering/storage-sqlite';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createFileAnchor } from '../src/index.js';
import { memoryAnchor, open, rejection, signer, submission } from './fixture.js';

const folder = mkdtempSync(join(tmpdir(), 'treering-recover-'));

async function grow(
  storage: Storage,
  anchor: ReturnType<typeof memoryAnchor>,
  count: number,
  name = 'entry',
): Promise<StoredHead> {
  const sequencer = await open(storage, { anchor });
  const from = sequencer.head?.size ?? 0;
  for (let i = 0; i < count; i++) await sequencer.submit(submission(`${name} ${from + i}`));
  return sequencer.head as StoredHead;
}

test('an old copy of the store brought back is refused, and nothing is signed from it', async () => {
  const path = join(folder, 'rolled-back.db');
  const anchor = memoryAnchor();
  const first = openSqliteStorage(path, { mode: 'create' });
  await grow(first, anchor, 20);
  await first.backup(join(folder, 'copy.db'));
  await grow(first, anchor, 20);
  await first.close();
  for (const suffix of ['-wal', '-shm']) rmSync(path + suffix, { force: true });
  copyFileSync(join(folder, 'copy.db'), path);
  const restored = openSqliteStorage(path, { mode: 'open' });
  for (const trustStore of [false, true]) {
    const error = await rejection(open(restored, { anchor, trustStore }));
    assert.is(error.code, 'sequencer/rolled-back');
    assert.match(error.message, /40 entries and the store only 20/);
  }
  assert.is((await restored.head())?.size, 20);
  await restored.close();
});

test('an empty store beside an anchor is a lost disk, not a new log', async () => {
  const anchor = memoryAnchor();
  await grow(createMemoryStorage(), anchor, 3);
  assert.is((await rejection(open(createMemoryStorage(), { anchor }))).code, 'sequencer/rolled-back');
});

test('a store with another history than the anchor remembers is refused', async () => {
  const anchor = memoryAnchor();
  await grow(createMemoryStorage(), anchor, 3, 'one');
  const other = createMemoryStorage();
  await grow(other, memoryAnchor(), 5, 'two');
  const error = await rejection(open(other, { anchor }));
  assert.is(error.code, 'sequencer/rolled-back');
  assert.match(error.message, /another history/);
});

test('a missing or damaged anchor is refused until the operator trusts the store', async () => {
  const storage = createMemoryStorage();
  await grow(storage, memoryAnchor(), 3);
  assert.is((await rejection(open(storage))).code, 'sequencer/no-anchor');
  const damaged = memoryAnchor(new Uint8Array(0));
  assert.is((await rejection(open(storage, { anchor: damaged }))).code, 'sequencer/corrupt');
  assert.is((await open(storage, { anchor: damaged, trustStore: true })).head?.size, 3);
  assert.is((await open(storage, { anchor: damaged })).head?.size, 3, 'the anchor is written again');
});

test('an anchor that is part old and part new is never believed, and can be given up', async () => {
  const storage = createMemoryStorage();
  const anchor = memoryAnchor();
  const older = (await grow(storage, anchor, 3)).note;
  const newer = (await grow(storage, anchor, 3)).note;
  assert.is(older.length, newer.length, 'the one is written over the other');
  let damaged = 0;
  for (let at = 0; at <= newer.length; at++) {
    const torn = Uint8Array.from([...newer.subarray(0, at), ...older.subarray(at)]);
    const isWhole = [older, newer].some((note) => Buffer.from(note).equals(torn));
    for (const left of [torn, newer.subarray(0, at)]) {
      if (left === torn ? isWhole : at === newer.length) continue;
      damaged++;
      const error = await rejection(open(storage, { anchor: memoryAnchor(left) }));
      assert.is(error.code, 'sequencer/corrupt', `${at}: ${error.message}`);
      assert.match(error.message, /--trust-store/);
      assert.is((await open(storage, { anchor: memoryAnchor(left), trustStore: true })).head?.size, 6);
    }
  }
  assert.ok(damaged > newer.length);
});

test('a crash between the very first commit and the first anchor is no refusal', async () => {
  const storage = createMemoryStorage();
  await grow(storage, memoryAnchor(), 1);
  assert.is((await open(storage)).head?.size, 1);
});

test('a store that is ahead of its anchor goes on', async () => {
  const storage = createMemoryStorage();
  const anchor = memoryAnchor();
  const { note } = await grow(storage, anchor, 3);
  await grow(storage, anchor, 3);
  anchor.note = note;
  assert.is((await open(storage, { anchor })).head?.size, 6);
});

test('another key or origin is refused', async () => {
  const storage = createMemoryStorage();
  const anchor = memoryAnchor();
  await grow(storage, anchor, 2);
  const key = createSigner('log.test/sequencer', KEY_TYPE.ed25519, new Uint8Array(32).fill(8), nodeEd25519);
  const other = await rejection(
    open(storage, { anchor, signer: key, trust: { origin: 'log.test/sequencer', logKeys: [key.key] } }),
  );
  assert.is(other.code, 'sequencer/wrong-key');
  const renamed = createSigner('log.test/renamed', KEY_TYPE.ed25519, new Uint8Array(32).fill(7), nodeEd25519);
  const name = await rejection(
    open(storage, { anchor, signer: renamed, trust: { origin: 'log.test/renamed', logKeys: [renamed.key] } }),
  );
  assert.is(name.code, 'sequencer/wrong-key');
});

test('a clock behind the newest head is refused', async () => {
  const storage = createMemoryStorage();
  const anchor = memoryAnchor();
  const { time } = await grow(storage, anchor, 1);
  assert.is((await rejection(open(storage, { anchor, clock: () => time - 60_000 }))).code, 'sequencer/clock-behind');
  assert.is((await open(storage, { anchor, clock: () => time - 5_000 })).head?.size, 1);
});

const damages: [string, (s: Storage) => Storage][] = [
  [
    'a head row with another size than its signed note',
    (s) => ({ ...s, head: async () => ({ ...((await s.head()) as StoredHead), size: 6 }) }),
  ],
  [
    'a head whose note was cut',
    (s) => ({ ...s, head: async () => ({ ...((await s.head()) as StoredHead), note: new Uint8Array(30) }) }),
  ],
  [
    'a leaf hash altered',
    (s) => ({
      ...s,
      tile: async (l, i, w) => (await s.tile(l, i, w))?.map((byte, at) => (at === 40 ? byte ^ 8 : byte)) ?? null,
    }),
  ],
  ['a tile that is gone', (s) => ({ ...s, tile: async () => null })],
  ['a published checkpoint of another history', (s) => ({ ...s, published: async () => foreign })],
  ['a published checkpoint that is gone, although one was kept', (s) => ({ ...s, lastKept: async () => foreign })],
];
const foreign = await grow(createMemoryStorage(), memoryAnchor(), 2, 'foreign');

for (const [what, damage] of damages) {
  test(`${what} is refused as corrupt`, async () => {
    const storage = createMemoryStorage();
    const anchor = memoryAnchor();
    await grow(storage, anchor, 7);
    assert.is((await rejection(open(damage(storage), { anchor }))).code, 'sequencer/corrupt');
  });
}

/** What somebody with the file in hand may do to a log of 300 entries, published at 300. Triggers do not stop him. */
const tampered: [string, string, RegExp][] = [
  ['the leaf hash of the newest entry', 'UPDATE entries SET leaf = zeroblob(32) WHERE idx = 299', /corrupt/],
  ['the hash of a full tile', 'UPDATE tiles SET root = zeroblob(32)', /corrupt/],
  ['a full tile removed', 'DELETE FROM tiles', /corrupt/],
  ['the newest entry removed', 'DELETE FROM entries WHERE idx = 299', /corrupt/],
  ['the root of the head', "UPDATE heads SET root = zeroblob(32) WHERE kind = 'committed'", /corrupt/],
  ['the size of the head', "UPDATE heads SET size = 299 WHERE kind = 'committed'", /corrupt/],
  [
    'a byte of the signature',
    "UPDATE heads SET note = CAST(replace(CAST(note AS TEXT), '— log', '— lag') AS BLOB)",
    /wrong-key|corrupt/,
  ],
  ['the root of the published checkpoint', "UPDATE heads SET root = zeroblob(32) WHERE kind = 'published'", /corrupt/],
  ['all entries and the head removed', 'DELETE FROM heads; DELETE FROM entries; DELETE FROM tiles', /rolled-back/],
];

test('whatever is altered in the file at the edge of the tree is refused at the start', async () => {
  const Database = createRequire(new URL('../../storage-sqlite/package.json', import.meta.url))('better-sqlite3');
  const path = join(folder, 'intact.db');
  const anchor = memoryAnchor();
  const intact = openSqliteStorage(path, { mode: 'create' });
  const sequencer = await open(intact, { anchor });
  await Promise.all(Array.from({ length: 300 }, (_, i) => sequencer.submit(submission(`entry ${i}`))));
  await intact.publish(sequencer.head as StoredHead);
  await intact.close();
  for (const [i, [what, sql, code]] of tampered.entries()) {
    const copy = join(folder, `tampered-${i}.db`);
    copyFileSync(path, copy);
    const db = new Database(copy);
    for (const name of db.prepare("SELECT name FROM sqlite_master WHERE type = 'trigger'").pluck().all())
      db.exec(`DROP TRIGGER ${name}`);
    db.exec(sql);
    db.close();
    const storage = openSqliteStorage(copy, { mode: 'open' });
    const error = await rejection(open(storage, { anchor }));
    assert.match(error.code as string, code, `${what}: ${error.message}`);
    await storage.close();
  }
  const storage = openSqliteStorage(path, { mode: 'open' });
  assert.is((await open(storage, { anchor })).head?.size, 300, 'the intact one opens');
  await storage.close();
});

test('a published checkpoint newer than the store is a restored backup', async () => {
  const storage = createMemoryStorage();
  const anchor = memoryAnchor();
  const { note } = await grow(storage, anchor, 3);
  const newer = createMemoryStorage();
  const newest = await grow(newer, memoryAnchor(), 9);
  anchor.note = note;
  assert.is((await rejection(open({ ...storage, published: async () => newest }, { anchor }))).code, 'sequencer/rolled-back');
});

test('the file anchor replaces itself whole, in the order of the calls, and survives junk beside it', async () => {
  const path = join(folder, 'deep', 'anchor', 'head');
  const anchor = createFileAnchor(path);
  assert.is(await anchor.read(), null);
  await Promise.all(Array.from({ length: 50 }, (_, i) => anchor.write(new TextEncoder().encode(`head ${i}`), i % 7 === 0)));
  assert.is(new TextDecoder().decode((await anchor.read()) as Uint8Array), 'head 49');
  writeFileSync(`${path}.new`, 'what a crash left');
  assert.is(new TextDecoder().decode((await createFileAnchor(path).read()) as Uint8Array), 'head 49');
  // A head of the same length is written over the one before, another length and a missing file take the long way.
  const inode = (): number => statSync(path).ino;
  const before = inode();
  await anchor.write(new TextEncoder().encode('head 51'), false);
  assert.is(inode(), before);
  await anchor.write(new TextEncoder().encode('head 100'), false);
  assert.is.not(inode(), before);
  assert.is(new TextDecoder().decode((await anchor.read()) as Uint8Array), 'head 100');
  rmSync(path);
  await anchor.write(new TextEncoder().encode('head 101'), false);
  assert.is(new TextDecoder().decode((await anchor.read()) as Uint8Array), 'head 101');
  await anchor.write(new TextEncoder().encode('head 50'), true);
  assert.is(new TextDecoder().decode((await anchor.read()) as Uint8Array), 'head 50');
});

test('the log answers under the key that signed before', async () => {
  const storage = createMemoryStorage();
  const anchor = memoryAnchor();
  await grow(storage, anchor, 1);
  const head = (await open(storage, { anchor })).head as StoredHead;
  assert.match(new TextDecoder().decode(head.note), new RegExp(`— ${signer.key.name} `));
});

test.after(() => rmSync(folder, { recursive: true }));
test.run();
