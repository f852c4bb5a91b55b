import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  CompactRange,
  type Hasher,
  isSubtree,
  portableHasher,
  proveConsistency,
  proveInclusion,
  proveSubtreeConsistency,
  restoreRange,
  TileCache,
  tileHashReader,
  verifyConsistency,
  verifyInclusion,
  verifySubtreeConsistency,
  verifySubtreeInclusion,
} from '../src/index.js';
import { nodeHasher } from '../src/node/index.js';
import { flat, hex, hexAll, ruleTree, tilesOf } from './memory-tiles.js';
import { subtreesOf } from './reference.js';

const LIMIT = 300;
const tree = ruleTree(LIMIT);
const readTile = tilesOf(tree);
const bytes = (start: number, end: number) => flat(tree.leaves.slice(start, end));

/** Deterministic sample of 0..count-1: everything up to `most`, and evenly spread values with both ends above. */
function sample(count: number, most: number): number[] {
  if (count <= most) return Array.from({ length: count }, (_, i) => i);
  return [...new Set(Array.from({ length: most }, (_, i) => Math.round((i * (count - 1)) / (most - 1))))];
}

function completeNodes(size: number): Map<string, string> {
  const nodes = new Map<string, string>();
  for (let level = 0; 2 ** level <= size; level++) {
    for (let index = 0; (index + 1) * 2 ** level <= size; index++) nodes.set(`${level}/${index}`, hex(tree.node(level, index)));
  }
  return nodes;
}

/** Collects what a visitor is told; a node that is told twice fails. */
function collector() {
  const nodes = new Map<string, string>();
  const visit = (level: number, start: number, hashes: Uint8Array): void => {
    for (let i = 0; i < hashes.length / 32; i++) {
      const key = `${level}/${start + i}`;
      assert.not.ok(nodes.has(key), `node ${key} was visited twice`);
      nodes.set(key, hex(hashes.subarray(i * 32, i * 32 + 32)));
    }
  };
  return { nodes, visit };
}

test('one by one, every root to 300 leaves is the naive one, with either hasher', () => {
  for (const hasher of [portableHasher, nodeHasher]) {
    const range = new CompactRange(hasher);
    for (let size = 0; size <= LIMIT; size++) {
      assert.is(range.size, size);
      assert.is(hex(range.root()), hex(tree.root(size)), `root of ${size} by ${hasher.name}`);
      if (size < LIMIT) range.append(tree.leaves[size]);
    }
  }
});

test('the visitor is told of every complete node exactly once, with its hash', () => {
  const single = collector();
  const range = new CompactRange(nodeHasher);
  for (let size = 1; size <= LIMIT; size++) {
    range.append(tree.leaves[size - 1], single.visit);
    assert.is(single.nodes.size, completeNodes(size).size, `nodes after ${size} leaves`);
    const batch = collector();
    new CompactRange(nodeHasher).appendMany(bytes(0, size), batch.visit);
    assert.equal(batch.nodes, completeNodes(size), `one batch of ${size}`);
  }
  assert.equal(single.nodes, completeNodes(LIMIT));
});

test('however the leaves are split into batches, root and visited nodes are the same', () => {
  const cuts = fc.array(fc.integer({ min: 0, max: LIMIT }), { maxLength: 12 });
  fc.assert(
    fc.property(cuts, fc.integer({ min: 0, max: LIMIT }), (places, size) => {
      const { nodes, visit } = collector();
      const range = new CompactRange(nodeHasher);
      let done = 0;
      for (const place of [...places.filter((at) => at <= size).sort((a, b) => a - b), size]) {
        range.appendMany(bytes(done, place), visit);
        done = place;
        assert.is(hex(range.root()), hex(tree.root(place)));
      }
      assert.equal(nodes, completeNodes(size));
    }),
    { seed: 42, numRuns: 80 },
  );
});

test('a range survives serialising, restoring from tiles and cloning, and goes on from there', async () => {
  for (let size = 0; size < LIMIT; size++) {
    const range = new CompactRange(nodeHasher);
    range.appendMany(bytes(0, size));
    const copies = [
      CompactRange.parse(range.serialise(), nodeHasher),
      CompactRange.restore(size, range.hashes(), nodeHasher),
      await restoreRange(tileHashReader(size, readTile, nodeHasher), size, nodeHasher),
      range.clone(),
    ];
    for (const copy of copies) {
      assert.equal(copy.serialise(), range.serialise(), `size ${size}`);
      copy.append(tree.leaves[size]);
      assert.is(hex(copy.root()), hex(tree.root(size + 1)));
    }
    assert.is(hex(range.root()), hex(tree.root(size)), 'a copy does not share state with the original');
  }
});

test('inclusion proofs are the naive ones for every leaf of every size to 300, and verify', async () => {
  const cache = new TileCache(16);
  for (let size = 1; size <= LIMIT; size++) {
    const reader = tileHashReader(size, readTile, nodeHasher, cache);
    for (const index of sample(size, size <= 100 ? size : 12)) {
      const proof = await proveInclusion(reader, index, size, nodeHasher);
      assert.equal(hexAll(proof), hexAll(tree.path(index, 0, size)), `leaf ${index} of ${size}`);
      verifyInclusion(index, size, tree.leaves[index], proof, tree.root(size), nodeHasher);
    }
  }
});

test('consistency proofs are the naive ones for every pair of sizes to 300, and verify', async () => {
  const cache = new TileCache(16);
  for (let size = 1; size <= LIMIT; size++) {
    const reader = tileHashReader(size, readTile, nodeHasher, cache);
    for (const old of sample(size, size <= 100 ? size : 12).map((i) => i + 1)) {
      const proof = await proveConsistency(reader, old, size, nodeHasher);
      assert.equal(hexAll(proof), hexAll(tree.consistency(old, size)), `${old} to ${size}`);
      verifyConsistency(old, size, tree.root(old), tree.root(size), proof, nodeHasher);
    }
  }
});

test('isSubtree knows every subtree of leaves to 66, and nothing else', () => {
  const known = new Set(subtreesOf(66).map(String));
  for (let start = -2; start <= 66; start++) {
    for (let end = -2; end <= 66; end++) {
      if (start === end && start >= 0) continue; // the empty subtree: see empty-subtree.test.ts
      assert.is(isSubtree(BigInt(start), BigInt(end)), known.has(`${start},${end}`), `[${start}, ${end})`);
    }
  }
});

test('subtree proofs are the naive ones for every subtree of small trees and a sample to 300, and verify', async () => {
  const cache = new TileCache(16);
  for (let size = 1; size <= LIMIT; size++) {
    const reader = tileHashReader(size, readTile, nodeHasher, cache);
    const subtrees = subtreesOf(size);
    for (const i of sample(subtrees.length, size <= 40 ? subtrees.length : 12)) {
      const [start, end] = subtrees[i];
      const proof = await proveSubtreeConsistency(reader, start, end, size, nodeHasher);
      assert.equal(hexAll(proof), hexAll(tree.subtreeConsistency(start, end, size)), `[${start}, ${end}) of ${size}`);
      verifySubtreeConsistency(start, end, size, tree.hash(start, end), tree.root(size), proof, nodeHasher);
      const leaf = start + Math.floor((end - start - 1) / 2);
      const path = tree.path(leaf - start, start, end);
      verifySubtreeInclusion(leaf, start, end, tree.leaves[leaf], path, tree.hash(start, end), nodeHasher);
    }
  }
});

test('with start 0 the naive subtree proof is the naive consistency proof', () => {
  for (let size = 1; size <= 64; size++) {
    for (let old = 1; old <= size; old++) {
      assert.equal(hexAll(tree.subtreeConsistency(0, old, size)), hexAll(tree.consistency(old, size)));
    }
  }
});

const MOST = 100_000;
const large = ruleTree(MOST);
const readLargeTile = tilesOf(large);

for (const hasher of [portableHasher, nodeHasher] as Hasher[]) {
  test(`random sizes to 100,000 agree with the naive tree (${hasher.name})`, async () => {
    const cache = new TileCache(64);
    const size = fc.integer({ min: 257, max: MOST });
    const three = fc.tuple(size, fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }));
    await fc.assert(
      fc.asyncProperty(three, async ([n, a, b]) => {
        const index = Math.min(n - 1, Math.floor(a * n));
        const old = Math.max(1, Math.ceil(b * n));
        const reader = tileHashReader(n, readLargeTile, hasher, cache);
        const path = await proveInclusion(reader, index, n, hasher);
        assert.equal(hexAll(path), hexAll(large.path(index, 0, n)), `leaf ${index} of ${n}`);
        verifyInclusion(index, n, large.leaves[index], path, large.root(n), hasher);
        const proof = await proveConsistency(reader, old, n, hasher);
        assert.equal(hexAll(proof), hexAll(large.consistency(old, n)), `${old} to ${n}`);
        verifyConsistency(old, n, large.root(old), large.root(n), proof, hasher);
        assert.is(hex((await restoreRange(reader, n, hasher)).root()), hex(large.root(n)), `root of ${n}`);
      }),
      { seed: 42, numRuns: 25 },
    );
  });
}

test('100,000 leaves appended in uneven batches have the naive root', () => {
  const all = flat(large.leaves);
  const range = new CompactRange(nodeHasher);
  for (let at = 0, step = 1; at < MOST; at += step, step = (step * 7 + 3) % 5003) {
    range.appendMany(all.subarray(at * 32, Math.min(MOST, at + step) * 32));
  }
  assert.is(range.size, MOST);
  assert.is(hex(range.root()), hex(large.root(MOST)));
});

test('no inner node is a leaf: neither its hash nor an entry of the two hashes below it', () => {
  for (const n of [2, 3, 4, 7, 8, 31, 33]) {
    const root = tree.root(n);
    for (let index = 0; index + 1 < n; index += 2) {
      const node = tree.hash(index, index + 2);
      const path = tree.path(index, 0, n);
      const entry = Uint8Array.from([...tree.leaves[index], ...tree.leaves[index + 1]]);
      assert.is.not(hex(nodeHasher.hashLeaf(entry)), hex(node), 'leaves and nodes are hashed apart');
      // The path of the node is that of its leaf without the first hash.
      for (const leaf of [node, nodeHasher.hashLeaf(entry)])
        for (const proof of [path, path.slice(1)])
          for (const place of [index, index / 2, index + 1])
            assert.throws(
              () => verifyInclusion(place, n, leaf, proof, root),
              (error: { code?: string }) => error.code === 'merkle/proof-failed',
            );
    }
  }
});

test.run();
