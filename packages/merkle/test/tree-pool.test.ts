import { randomBytes } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CompactRange, emptyRoot, HASH_SIZE, MerkleInputError } from '../src/index.js';
import { nodeHasher, opensslHasher, TreePool } from '../src/node/index.js';
import { hex } from './memory-tiles.js';

const pool = new TreePool(nodeHasher, 2);
const alone = new TreePool(opensslHasher, 1);

function rootOf(leaves: Uint8Array): string {
  const range = new CompactRange(opensslHasher);
  range.appendMany(leaves);
  return hex(range.root());
}

test('the root of trees of many sizes, on one thread and on two', async () => {
  assert.is(hex(await pool.root(new Uint8Array(0))), hex(emptyRoot()));
  for (const size of [1, 2, 3, 255, 16_383, 16_384, 16_385, 65_535, 65_536, 65_537, 150_001]) {
    const leaves = randomBytes(size * HASH_SIZE);
    const wanted = rootOf(leaves);
    assert.is(hex(await pool.root(leaves)), wanted, `${size} leaves on two threads`);
    assert.is(hex(await alone.root(leaves)), wanted, `${size} leaves on one`);
  }
});

test('subtrees of every height, and leaves in shared memory', async () => {
  const size = 2 ** 17;
  const leaves = new Uint8Array(new SharedArrayBuffer(size * HASH_SIZE));
  leaves.set(randomBytes(size * HASH_SIZE));
  for (const height of [0, 1, 8, 13, 14, 15, 17]) {
    const roots = await pool.subtreeRoots(leaves, height);
    assert.is(roots.length, (size / 2 ** height) * HASH_SIZE);
    const width = 2 ** height * HASH_SIZE;
    for (const index of new Set([0, size / 2 ** height - 1])) {
      const root = hex(roots.subarray(index * HASH_SIZE, (index + 1) * HASH_SIZE));
      assert.is(root, rootOf(leaves.slice(index * width, (index + 1) * width)), `height ${height}, subtree ${index}`);
    }
  }
});

test('calls may overlap, and a closed pool begins anew', async () => {
  const trees = [70_000, 90_000, 131_072].map((size) => randomBytes(size * HASH_SIZE));
  const roots = await Promise.all(trees.map((leaves) => pool.root(leaves)));
  assert.equal(roots.map(hex), trees.map(rootOf));
  await pool.close();
  assert.is(hex(await pool.root(trees[0])), rootOf(trees[0]));
});

test('a pool goes on after a thread was lost', async () => {
  const leaves = randomBytes(80_000 * HASH_SIZE);
  const { Worker } = await import('node:worker_threads');
  const { postMessage } = Worker.prototype;
  let lost = 0;
  Worker.prototype.postMessage = function (this: InstanceType<typeof Worker>, ...args: Parameters<typeof postMessage>) {
    if (lost++ === 0) void this.terminate();
    postMessage.apply(this, args);
  };
  try {
    let thrown: unknown;
    await pool.root(leaves).catch((error) => {
      thrown = error;
    });
    assert.match((thrown as Error).message, 'ended before its work was done');
  } finally {
    Worker.prototype.postMessage = postMessage;
  }
  assert.is(hex(await pool.root(leaves)), rootOf(leaves));
});

test('what is no whole subtree is refused', async () => {
  for (const [bytes, height] of [
    [HASH_SIZE * 3, 1],
    [HASH_SIZE - 1, 0],
    [HASH_SIZE, -1],
    [HASH_SIZE, 0.5],
    [HASH_SIZE * 2, 25],
  ]) {
    let thrown: unknown;
    await pool.subtreeRoots(new Uint8Array(bytes), height).catch((error) => {
      thrown = error;
    });
    assert.instance(thrown, MerkleInputError, `${bytes} bytes, height ${height}`);
  }
});

test.after(() => pool.close());

test.run();
