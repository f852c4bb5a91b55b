import { CompactRange, MerkleStateError, verifyInclusion } from '@treering/merkle';
import { nodeHasher } from '@treering/merkle/node';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ReferenceTree } from '../../merkle/test/reference.js';
import { Growth } from '../src/growth.js';
import { submission } from './fixture.js';

const leaves = Array.from({ length: 700 }, (_, i) => submission(`leaf ${i}`).leafHash);
const reference = new ReferenceTree(leaves);
const hex = (hashes: readonly Uint8Array[]): string => Buffer.concat(hashes).toString('hex');
const flat = (from: number, to: number): Uint8Array => new Uint8Array(Buffer.concat(leaves.slice(from, to)));

function grown(from: number, to: number): Growth {
  const before = new CompactRange(nodeHasher);
  before.appendMany(flat(0, from));
  return new Growth(before, flat(from, to), nodeHasher);
}

test('proofs of new entries are those of the naive tree, for every small size and every batch', () => {
  for (let to = 1; to <= 40; to++) {
    for (let from = 0; from < to; from++) {
      const growth = grown(from, to);
      for (let index = from; index < to; index++)
        assert.is(hex(growth.proveInclusion(index)), hex(reference.path(index, 0, to)), `entry ${index}, ${from} to ${to}`);
    }
  }
});

test('proofs of new entries of larger trees', () => {
  fc.assert(
    fc.property(fc.nat(650), fc.integer({ min: 1, max: 50 }), fc.nat(49), (from, count, pick) => {
      const growth = grown(from, from + count);
      const index = from + (pick % count);
      assert.is(hex(growth.proveInclusion(index)), hex(reference.path(index, 0, from + count)));
    }),
  );
});

test('a tree of 2^40 entries costs a proof of forty hashes', () => {
  const size = 2 ** 40 + 2 ** 20 + 5;
  const bits = [...size.toString(2)].filter((bit) => bit === '1').length;
  const edge = Uint8Array.from({ length: bits * 32 }, (_, i) => i * 7);
  const before = CompactRange.restore(size, edge, nodeHasher);
  const growth = new Growth(before, flat(0, 300), nodeHasher);
  for (const index of [size, size + 1, size + 255, size + 299]) {
    const proof = growth.proveInclusion(index);
    assert.ok(proof.length <= 41);
    verifyInclusion(index, growth.range.size, leaves[index - size], proof, growth.range.root(), nodeHasher);
  }
});

test('an entry that is not new has no proof here', () => {
  const growth = grown(5, 9);
  for (const index of [0, 4, 9, 10])
    assert.throws(
      () => growth.proveInclusion(index),
      (error: unknown) => error instanceof MerkleStateError,
    );
});

test.run();
