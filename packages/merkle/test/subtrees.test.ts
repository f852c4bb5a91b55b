import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CompactRange, completeSubtrees, MerkleInputError, portableHasher } from '../src/index.js';
import { ReferenceTree } from './reference.js';

const leaves = Array.from({ length: 130 }, (_, i) => portableHasher.hashLeaf(Uint8Array.of(i)));
const reference = new ReferenceTree(leaves);

test('a range of leaves is covered once, left to right, by subtrees as large as their places allow', () => {
  for (let start = 0; start <= 70; start++)
    for (let end = start; end <= 130; end++) {
      let at = start;
      for (const { level, index } of completeSubtrees(start, end)) {
        const width = 2 ** level;
        assert.is(index * width, at);
        assert.ok(at + width <= end);
        const larger = at % (2 * width) === 0 && at + 2 * width <= end;
        assert.not(larger, `${start} to ${end}: a larger subtree begins at ${at}`);
        at += width;
      }
      assert.is(at, end);
    }
});

test('far to the right it is exact', () => {
  const end = Number.MAX_SAFE_INTEGER;
  const cover = completeSubtrees(1, end);
  assert.ok(cover.length <= 106);
  assert.is(
    cover.reduce((sum, { level }) => sum + 2n ** BigInt(level), 0n),
    BigInt(end) - 1n,
  );
});

test('what is no range is refused', () => {
  for (const [start, end] of [
    [3, 2],
    [-1, 2],
    [0.5, 2],
    [0, 2 ** 53],
  ])
    assert.throws(
      () => completeSubtrees(start, end),
      (error: unknown) => error instanceof MerkleInputError,
    );
});

test('a tree grows by subtrees as by their leaves', () => {
  for (let gap = 0; gap <= 65; gap++)
    for (const size of [gap, gap + 1, gap + 7, 130].filter((n) => n <= 130 && n >= gap)) {
      const range = new CompactRange();
      for (const leaf of leaves.slice(0, 3)) if (range.size < gap) range.append(leaf);
      for (const { level, index } of completeSubtrees(range.size, Math.max(range.size, gap)))
        range.appendSubtree(level, reference.node(level, index));
      for (const leaf of leaves.slice(range.size, size)) range.append(leaf);
      assert.equal(range.root(), reference.root(size), `${gap} of ${size}`);
      assert.is(range.size, size);
    }
});

test('a subtree begins only where one can', () => {
  const range = new CompactRange();
  range.append(leaves[0]);
  for (const level of [1, 5, -1, 0.5, 53])
    assert.throws(
      () => range.appendSubtree(level, leaves[0]),
      (error: unknown) => error instanceof MerkleInputError,
    );
  assert.throws(
    () => range.appendSubtree(0, new Uint8Array(31)),
    (error: unknown) => error instanceof MerkleInputError,
  );
  assert.is(range.size, 1);
  assert.equal(range.root(), leaves[0]);
});

test.run();
