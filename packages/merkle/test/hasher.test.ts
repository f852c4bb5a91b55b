import { createHash } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checkHash, emptyRoot, equalBytes, HASH_SIZE, MerkleInputError, portableHasher } from '../src/index.js';
import { nodeHasher, opensslHasher } from '../src/node/index.js';
import { createSimdHasher } from '../src/simd/index.js';
import { flat, hex } from './memory-tiles.js';
import { throwsA } from './refusal.js';

const LENGTHS = [0, 1, 55, 56, 63, 64, 65, 1023, 1024, 1025, 70_000, 3];

/** `length` bytes that differ from place to place. */
function pattern(length: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + seed * 17 + (i >> 8)) & 0xff);
}

function sha256(...parts: Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}

const hashes = (count: number): Uint8Array[] => Array.from({ length: count }, (_, i) => portableHasher.hashLeaf(pattern(5, i)));
const nodeOf = (left: Uint8Array, right: Uint8Array): string => sha256(Uint8Array.of(1), left, right);

const HASHERS = [portableHasher, opensslHasher, nodeHasher, createSimdHasher(portableHasher)];

test('the hashers have different names, and this runtime has SIMD', () => {
  assert.is(new Set(HASHERS.map(({ name }) => name)).size, HASHERS.length);
  assert.is(nodeHasher.name, 'WebAssembly SIMD, node:crypto');
});

for (const hasher of HASHERS) {
  const named = (text: string): string => `${hasher.name}: ${text}`;

  test(named('leaf hashes of entries of many lengths, alone and as a batch'), () => {
    const entries = LENGTHS.map((length) => pattern(length));
    const wanted = entries.map((entry) => sha256(Uint8Array.of(0), entry));
    assert.equal(
      entries.map((entry) => hex(hasher.hashLeaf(entry))),
      wanted,
    );
    const output = new Uint8Array(LENGTHS.length * HASH_SIZE + 5).fill(0xee);
    hasher.hashLeaves(entries, output);
    assert.is(hex(output), `${wanted.join('')}eeeeeeeeee`, 'no byte beyond the last hash is written');
    hasher.hashLeaves([], new Uint8Array(0));
  });

  test(named('a leaf is an entry where it lies: views and Buffers'), () => {
    const large = pattern(300);
    assert.is(hex(hasher.hashLeaf(large.subarray(7, 107))), sha256(Uint8Array.of(0), large.slice(7, 107)));
    assert.is(hex(hasher.hashLeaf(Buffer.from('leaf'))), sha256(Uint8Array.of(0), Buffer.from('leaf')));
  });

  test(named('node hashes, alone and as batches of many counts'), () => {
    const [left, right] = hashes(2);
    assert.is(hex(hasher.hashNode(left, right)), nodeOf(left, right));
    assert.is.not(hex(hasher.hashNode(right, left)), nodeOf(left, right));
    for (const count of [0, 1, 2, 3, 4, 5, 7, 128, 500, 1023, 1024, 1025, 3000]) {
      const input = hashes(count * 2);
      const wanted = Array.from({ length: count }, (_, i) => nodeOf(input[2 * i], input[2 * i + 1])).join('');
      const output = new Uint8Array(count * HASH_SIZE + 3).fill(0xee);
      hasher.hashNodes(flat(input), count, output);
      assert.is(hex(output), `${wanted}eeeeee`, `${count} pairs`);
    }
  });

  test(named('a batch may write over its own input'), () => {
    const input = hashes(400);
    const wanted = Array.from({ length: 200 }, (_, i) => nodeOf(input[2 * i], input[2 * i + 1])).join('');
    const place = flat(input);
    const rest = hex(place.subarray(200 * HASH_SIZE));
    hasher.hashNodes(place, 200, place);
    assert.is(hex(place.subarray(0, 200 * HASH_SIZE)), wanted);
    assert.is(hex(place.subarray(200 * HASH_SIZE)), rest);
  });

  test(named('results are 32 new bytes that later calls leave alone'), () => {
    const [left, right] = hashes(2);
    const leaf = hasher.hashLeaf(left);
    const node = hasher.hashNode(left, right);
    const before = hex(leaf) + hex(node);
    hasher.hashLeaf(right);
    hasher.hashNode(right, left);
    hasher.hashNodes(flat([right, right]), 1, new Uint8Array(HASH_SIZE));
    assert.is(hex(leaf) + hex(node), before);
    for (const result of [leaf, node]) {
      assert.is(Object.getPrototypeOf(result), Uint8Array.prototype);
      assert.is(result.buffer.byteLength, HASH_SIZE, 'a hash of its own, no slot of a shared pool');
    }
  });

  test(named('an entry after a longer one is hashed without its remains'), () => {
    for (const length of [2000, 1, 0, 1024, 1023]) {
      const entry = pattern(length, length);
      assert.is(hex(hasher.hashLeaf(entry)), sha256(Uint8Array.of(0), entry), `${length} bytes`);
    }
  });

  test(named('hashes of another length and outputs without room are bad input'), () => {
    const [hash] = hashes(1);
    for (const length of [0, 31, 33, 64]) {
      throwsA(MerkleInputError, () => void hasher.hashNode(new Uint8Array(length), hash), `left of ${length}`);
      throwsA(MerkleInputError, () => void hasher.hashNode(hash, new Uint8Array(length)), `right of ${length}`);
    }
    throwsA(MerkleInputError, () => hasher.hashNodes(new Uint8Array(127), 2, new Uint8Array(64)), 'input of 127 bytes');
    throwsA(MerkleInputError, () => hasher.hashNodes(new Uint8Array(128), 2, new Uint8Array(63)), 'output of 63 bytes');
    throwsA(MerkleInputError, () => hasher.hashLeaves([hash, hash], new Uint8Array(63)), 'two leaves in 63 bytes');
  });
}

test('emptyRoot gives bytes of their own each time', () => {
  emptyRoot().fill(0);
  assert.is(hex(emptyRoot()), sha256());
});

test('checkHash takes 32 bytes and nothing else', () => {
  const hash = new Uint8Array(32);
  assert.is(checkHash(hash, 'hash'), hash);
  for (const wrong of [new Uint8Array(31), new Uint8Array(33), undefined, null, 'a'.repeat(32), Array(32).fill(0)]) {
    throwsA(MerkleInputError, () => void checkHash(wrong as Uint8Array, 'hash'), String(wrong));
  }
});

test('equalBytes compares length and every byte', () => {
  const bytes = pattern(40);
  assert.ok(equalBytes(bytes, bytes.slice()));
  assert.ok(equalBytes(new Uint8Array(0), new Uint8Array(0)));
  assert.not.ok(equalBytes(bytes, bytes.subarray(0, 39)));
  assert.not.ok(equalBytes(bytes.subarray(0, 39), bytes));
  for (let i = 0; i < bytes.length; i++) {
    const other = bytes.slice();
    other[i] ^= 0x80;
    assert.not.ok(equalBytes(bytes, other), `byte ${i}`);
  }
});

test.run();
