import { CompactRange, verifyConsistency, verifyInclusion } from '@treering/merkle';
import { nodeHasher } from '@treering/merkle/node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ClientError, EntryMismatch, Follower, type FollowerOptions, HistoryMismatch, TlogReader } from '../src/index.js';
import { MemoryTlog } from './memory-tlog.js';

const follow = (log: MemoryTlog, options: FollowerOptions = {}): Follower =>
  new Follower(new TlogReader('http://log.test', { fetch: log.fetch, hasher: nodeHasher }), {
    hasher: nodeHasher,
    ...options,
  });

async function readAll(follower: Follower, head: { size: number; root: Uint8Array }): Promise<string[]> {
  const texts: string[] = [];
  for await (const { start, entries, leaves } of follower.follow(head)) {
    assert.is(start, texts.length + (follower.size - entries.length - texts.length));
    assert.is(leaves.length, entries.length * 32);
    texts.push(...entries.map((entry) => new TextDecoder().decode(entry)));
  }
  return texts;
}

async function failure(work: Promise<unknown>): Promise<ClientError> {
  try {
    await work;
  } catch (error) {
    assert.instance(error, ClientError);
    return error as ClientError;
  }
  throw new Error('it did not fail');
}

test('every entry comes out once, in order, at sizes around the width of a tile', async () => {
  for (const size of [0, 1, 255, 256, 257, 512, 1000]) {
    const log = new MemoryTlog().fill(size);
    const follower = follow(log);
    assert.equal(
      await readAll(follower, log.head()),
      Array.from({ length: size }, (_, i) => `entry ${i}`),
    );
    assert.is(follower.size, size);
    assert.equal(follower.root(), log.head().root);
  }
});

test('a log that grows is followed from where it was left, also by another follower and in the middle of a tile', async () => {
  const log = new MemoryTlog().fill(300);
  let follower = follow(log);
  await readAll(follower, log.head());
  for (const size of [301, 511, 512, 513, 1100]) {
    log.fill(size);
    follower = follow(log, { position: follower.position() });
    const before = follower.size;
    const texts = await readAll(follower, log.head());
    assert.is(texts[0], `entry ${before}`);
    assert.is(texts.length, size - before);
  }
});

test('breaking off keeps what came out', async () => {
  const log = new MemoryTlog().fill(2000);
  const follower = follow(log, { ahead: 3 });
  for await (const { start } of follower.follow(log.head())) if (start >= 512) break;
  assert.is(follower.size, 768);
  assert.is((await readAll(follower, log.head())).length, 2000 - 768);
});

test('no more bundles are fetched ahead than were asked for', async () => {
  const log = new MemoryTlog().fill(256 * 20);
  const follower = follow(log, { ahead: 2 });
  for await (const { start } of follower.follow(log.head())) {
    const bundles = log.asked.filter((path) => path.startsWith('tile/entries/')).length;
    assert.ok(bundles <= start / 256 + 3, `${bundles} bundles at ${start}`);
  }
});

test('an entry that is altered on the way is named, with what the tree contains instead', async () => {
  for (const [size, index] of [
    [1000, 999],
    [1000, 300],
    [512, 511],
    [200, 0],
  ]) {
    const log = new MemoryTlog().fill(size);
    const first = Math.floor(index / 256) * 256;
    log.alter = (path, bytes) => {
      if (!path.startsWith('tile/entries/') || Number(path.slice(13, 16)) * 256 !== first) return bytes;
      const altered = bytes.slice();
      let at = 0;
      for (let i = first; i < index; i++) at += 2 + ((altered[at] << 8) | altered[at + 1]);
      altered[at + 2] ^= 1;
      return altered;
    };
    const error = (await failure(readAll(follow(log), log.head()))) as EntryMismatch;
    assert.instance(error, EntryMismatch);
    assert.is(error.index, index);
    assert.equal(error.leaf, nodeHasher.hashLeaf(log.entries[index]));
    assert.not.equal(nodeHasher.hashLeaf(error.served as Uint8Array), error.leaf);
    verifyInclusion(index, size, error.leaf, error.inclusion, log.head().root);
  }
});

test('a bundle that is none is a mismatch of its first entry', async () => {
  for (const garbage of [new Uint8Array(0), new Uint8Array([0, 9, 1]), new Uint8Array(70_000).fill(255)]) {
    const log = new MemoryTlog().fill(600);
    log.alter = (path, bytes) => (path === 'tile/entries/001' ? garbage : bytes);
    const error = (await failure(readAll(follow(log), log.head()))) as EntryMismatch;
    assert.instance(error, EntryMismatch);
    assert.is(error.index, 256);
    assert.is(error.served, undefined);
  }
});

test('tiles that do not lead to the root are refused before any entry comes out', async () => {
  const log = new MemoryTlog().fill(1000);
  log.alter = (path, bytes) => {
    if (path !== 'tile/1/000.p/3') return bytes;
    const altered = bytes.slice();
    altered[40] ^= 1;
    return altered;
  };
  const error = await failure(readAll(follow(log), log.head()));
  assert.is(error.code, 'client/not-verified');
  assert.not.instance(error, EntryMismatch);
});

test('another history is refused, with a proof of what it contains', async () => {
  const log = new MemoryTlog().fill(300);
  const follower = follow(log);
  await readAll(follower, log.head());
  const known = log.head();
  const other = new MemoryTlog().fill(100).fill(900, 'other');
  const forked = follow(other, { position: follower.position() });
  const error = (await failure(readAll(forked, other.head()))) as HistoryMismatch;
  assert.instance(error, HistoryMismatch);
  assert.is(error.code, 'client/inconsistent');
  assert.is(error.size, 300);
  assert.not.equal(error.root, known.root);
  const range = new CompactRange(nodeHasher);
  for (const entry of other.entries.slice(0, 300)) range.append(nodeHasher.hashLeaf(entry));
  assert.equal(error.root, range.root());
  verifyConsistency(300, 900, error.root, other.head().root, error.proof);
});

test('a smaller tree is refused, a tree of the same size is compared', async () => {
  const log = new MemoryTlog().fill(300);
  const follower = follow(log);
  await readAll(follower, log.head());
  assert.is((await failure(readAll(follower, { size: 299, root: new Uint8Array(32) }))).code, 'client/not-verified');
  assert.equal(await readAll(follower, log.head()), []);
  assert.ok(await failure(readAll(follower, { size: 300, root: new Uint8Array(32) })));
});

test('where a partial tile is gone, the full one serves', async () => {
  const log = new MemoryTlog().fill(300);
  const head = log.head();
  log.fill(600);
  log.alter = (path, bytes) => (/\.p\//.test(path) && !path.startsWith('tile/1') ? new Response('', { status: 404 }) : bytes);
  const follower = follow(log);
  assert.is((await readAll(follower, head)).length, 300);
  assert.ok(log.asked.includes('tile/entries/001'));
});

test('a position that is none is refused', () => {
  const log = new MemoryTlog();
  for (const position of [new Uint8Array(3), new Uint8Array(9), new Uint8Array(8).fill(255)])
    assert.throws(() => follow(log, { position }));
});

test.run();
