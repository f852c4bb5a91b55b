import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  emptyRoot,
  isSubtree,
  MerkleInputError,
  proveConsistency,
  proveSubtreeConsistency,
  tileHashReader,
  verifyConsistency,
  verifySubtreeConsistency,
  verifySubtreeInclusion,
} from '../src/index.js';
import { ruleTree, tilesOf } from './memory-tiles.js';
import { isRefused, rejectsWith, throwsA } from './refusal.js';

// C2SP tlog-witness, sign-subtree: a range is valid when start = end, and the hash of the empty subtree is SHA-256 of nothing.

const SIZE = 7;
const tree = ruleTree(SIZE);
const root = tree.root(SIZE);
const reader = tileHashReader(SIZE, tilesOf(tree));
const verify = (at: number, hash: Uint8Array, proof: Uint8Array[]) => verifySubtreeConsistency(at, at, SIZE, hash, root, proof);

test('[n, n) is a subtree', () => {
  for (const at of [0n, 1n, 3n, 7n, 2n ** 63n]) assert.ok(isSubtree(at, at), `[${at}, ${at})`);
});

test('the empty subtree needs no proof, and has the hash of the empty tree', async () => {
  for (let at = 0; at <= SIZE; at++) {
    assert.equal(await proveSubtreeConsistency(reader, at, at, SIZE), []);
    verify(at, emptyRoot(), []);
  }
});

test('an empty subtree with another hash, with a proof, or beyond the tree is refused', () => {
  for (let at = 0; at <= SIZE; at++) {
    assert.ok(
      isRefused(() => verify(at, root, [])),
      `[${at}, ${at}) with the root of the tree`,
    );
    assert.ok(
      isRefused(() => verify(at, tree.leaves[0], [])),
      `[${at}, ${at}) with a leaf hash`,
    );
    assert.ok(
      isRefused(() => verify(at, emptyRoot(), [emptyRoot()])),
      `[${at}, ${at}) with a proof`,
    );
  }
  assert.ok(isRefused(() => verify(SIZE + 1, emptyRoot(), [])));
});

test('no leaf is in an empty subtree', () => {
  throwsA(MerkleInputError, () => verifySubtreeInclusion(3, 3, 3, tree.leaves[3], [], tree.leaves[3]));
});

test('a consistency proof from size 0 is neither made nor verified', async () => {
  await rejectsWith(MerkleInputError, () => proveConsistency(reader, 0, SIZE));
  throwsA(MerkleInputError, () => verifyConsistency(0, SIZE, emptyRoot(), root, []));
  throwsA(MerkleInputError, () => verifyConsistency(0, 0, emptyRoot(), emptyRoot(), []));
});

test.run();
