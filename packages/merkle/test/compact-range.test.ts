import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CompactRange, MAX_SIZE, MerkleInputError, rangeNodes } from '../src/index.js';
import { nodeHasher } from '../src/node/index.js';
import { flat, hex, ruleTree } from './memory-tiles.js';
import { throwsA } from './refusal.js';

const LIMIT = 80;
const tree = ruleTree(LIMIT);

function rangeOf(size: number): CompactRange {
  const range = new CompactRange(nodeHasher);
  range.appendMany(flat(tree.leaves.slice(0, size)));
  return range;
}

test('the right edge of a tree is one node for each bit of its size, largest first', () => {
  assert.equal(rangeNodes(0), []);
  assert.equal(rangeNodes(11), [
    { level: 3, index: 0 },
    { level: 1, index: 4 },
    { level: 0, index: 10 },
  ]);
  assert.is(rangeNodes(MAX_SIZE).length, 53);
  assert.equal(rangeNodes(MAX_SIZE)[52], { level: 0, index: MAX_SIZE - 1 });
  assert.equal(rangeNodes(2 ** 52), [{ level: 52, index: 0 }]);
});

test('hashes() gives the nodes that rangeNodes() names', () => {
  for (let size = 0; size <= LIMIT; size++) {
    const wanted = rangeNodes(size).map(({ level, index }) => hex(tree.node(level, index)));
    assert.is(hex(rangeOf(size).hashes()), wanted.join(''), `size ${size}`);
  }
});

test('a serialised range is its size in 8 bytes, big-endian, and its hashes', () => {
  const hashes = hex(tree.node(1, 0)) + hex(tree.leaves[2]);
  assert.is(hex(rangeOf(3).serialise()), `0000000000000003${hashes}`);
  assert.is(hex(new CompactRange().serialise()), '0000000000000000');
});

test('a range is read from a view in the middle of other bytes', () => {
  const bytes = rangeOf(5).serialise();
  const padded = new Uint8Array(bytes.length + 9);
  padded.set(bytes, 3);
  assert.is(hex(CompactRange.parse(padded.subarray(3, 3 + bytes.length), nodeHasher).root()), hex(tree.root(5)));
});

test('bytes with a hash too few, a hash too many or a part of one are bad input', () => {
  for (let size = 1; size <= 20; size++) {
    const bytes = rangeOf(size).serialise();
    for (const length of [bytes.length - 32, bytes.length - 1, bytes.length + 1, bytes.length + 32]) {
      const wrong = new Uint8Array(length);
      wrong.set(bytes.subarray(0, length));
      throwsA(MerkleInputError, () => void CompactRange.parse(wrong), `size ${size}, ${length} bytes`);
      throwsA(MerkleInputError, () => void CompactRange.restore(size, wrong.subarray(8)), `size ${size}, ${length} bytes`);
    }
  }
});

test('a leaf hash that is not 32 bytes is bad input, and changes nothing', () => {
  const range = rangeOf(5);
  for (const length of [0, 31, 33, 64]) throwsA(MerkleInputError, () => range.append(new Uint8Array(length)), `${length}`);
  for (const length of [1, 31, 33, 65]) throwsA(MerkleInputError, () => range.appendMany(new Uint8Array(length)), `${length}`);
  range.appendMany(new Uint8Array(0));
  assert.equal(range.serialise(), rangeOf(5).serialise());
});

test('what a range gives away is a copy', () => {
  const range = rangeOf(8);
  range.root().fill(0);
  range.hashes().fill(0);
  range.serialise().fill(0);
  assert.is(hex(range.root()), hex(tree.root(8)));
});

test('the leaf hashes passed in are neither changed nor kept', () => {
  const range = new CompactRange(nodeHasher);
  const leaves = flat(tree.leaves.slice(0, 7));
  const before = hex(leaves);
  range.appendMany(leaves);
  assert.is(hex(leaves), before);
  leaves.fill(0);
  assert.is(hex(range.root()), hex(tree.root(7)));
});

test('appending n leaves to an empty range costs at most n - 1 node hashes', () => {
  for (let size = 1; size <= LIMIT; size++) {
    let count = 0;
    const counting = {
      ...nodeHasher,
      hashNodes: (input: Uint8Array, pairs: number, output: Uint8Array): void => {
        count += pairs;
        nodeHasher.hashNodes(input, pairs, output);
      },
    };
    new CompactRange(counting).appendMany(flat(tree.leaves.slice(0, size)));
    assert.ok(count < size, `${count} hashes for ${size} leaves`);
  }
});

test('an append whose visitor throws leaves the range as it was', () => {
  for (let size = 0; size <= 20; size++) {
    for (let failAt = 0; failAt <= 3; failAt++) {
      const range = rangeOf(size);
      const visit = (level: number): void => {
        if (level === failAt) throw new RangeError('the store is full');
      };
      assert.throws(() => range.appendMany(flat(tree.leaves.slice(size, size + 20)), visit), /the store is full/);
      assert.is(hex(range.serialise()), hex(rangeOf(size).serialise()), `size ${size}, failing at level ${failAt}`);
    }
  }
});

test.run();
