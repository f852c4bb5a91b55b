import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  bundlePath,
  CompactRange,
  checkSize,
  hashesAtTileLevel,
  MAX_SIZE,
  MerkleInputError,
  ProofError,
  parseEntryBundle,
  proveConsistency,
  proveInclusion,
  proveSubtreeConsistency,
  rangeNodes,
  restoreRange,
  rootFromInclusion,
  safeSize,
  tileHashReader,
  tilePath,
  tilesForGrowth,
  tileWidth,
  verifyConsistency,
  verifyInclusion,
  verifySubtreeConsistency,
  verifySubtreeInclusion,
} from '../src/index.js';
import { nodeHasher } from '../src/node/index.js';
import { hex, ruleTree, tilesOf } from './memory-tiles.js';
import { rejectsWith, throwsA } from './refusal.js';

const hash = nodeHasher.hashLeaf(new Uint8Array(0));
const reader = tileHashReader(10, tilesOf(ruleTree(10)));
const BAD = [
  -1,
  0.5,
  1.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  2 ** 53,
  -(2 ** 53),
  Number.MAX_VALUE,
];

/** Every parameter of the public face that is a size, an index or a width, each called with a value in its place. */
const TAKES_NUMBER: Record<string, (n: number) => unknown> = {
  checkSize: (n) => checkSize(n, 'size'),
  'verifyInclusion index': (n) => verifyInclusion(n, 10, hash, [], hash),
  'verifyInclusion size': (n) => verifyInclusion(0, n, hash, [], hash),
  'rootFromInclusion index': (n) => rootFromInclusion(n, 10, hash, []),
  'rootFromInclusion size': (n) => rootFromInclusion(0, n, hash, []),
  'verifyConsistency old size': (n) => verifyConsistency(n, 10, hash, hash, []),
  'verifyConsistency new size': (n) => verifyConsistency(1, n, hash, hash, []),
  'verifySubtreeConsistency start': (n) => verifySubtreeConsistency(n, 10, 10, hash, hash, []),
  'verifySubtreeConsistency end': (n) => verifySubtreeConsistency(0, n, 10, hash, hash, []),
  'verifySubtreeConsistency size': (n) => verifySubtreeConsistency(0, 1, n, hash, hash, []),
  'verifySubtreeInclusion index': (n) => verifySubtreeInclusion(n, 0, 4, hash, [], hash),
  'verifySubtreeInclusion start': (n) => verifySubtreeInclusion(3, n, 4, hash, [], hash),
  'verifySubtreeInclusion end': (n) => verifySubtreeInclusion(0, 0, n, hash, [], hash),
  'CompactRange.restore size': (n) => CompactRange.restore(n, new Uint8Array(0)),
  rangeNodes: (n) => rangeNodes(n),
  'tilesForGrowth old size': (n) => tilesForGrowth(n, 10),
  'tilesForGrowth new size': (n) => tilesForGrowth(0, n),
  'hashesAtTileLevel size': (n) => hashesAtTileLevel(n, 0),
  'hashesAtTileLevel level': (n) => hashesAtTileLevel(10, n),
  'tileWidth size': (n) => tileWidth(n, 0, 0),
  'tileWidth level': (n) => tileWidth(10, n, 0),
  'tileWidth index': (n) => tileWidth(10, 0, n),
  'tilePath level': (n) => tilePath({ level: n, index: 0, width: 256 }),
  'tilePath index': (n) => tilePath({ level: 0, index: n, width: 256 }),
  'tilePath width': (n) => tilePath({ level: 0, index: 0, width: n }),
  'bundlePath index': (n) => bundlePath({ index: n, width: 256 }),
  'bundlePath width': (n) => bundlePath({ index: 0, width: n }),
  'parseEntryBundle width': (n) => parseEntryBundle(new Uint8Array(0), n),
  'tileHashReader size': (n) => tileHashReader(n, async () => hash),
};

const TAKES_NUMBER_LATER: Record<string, (n: number) => Promise<unknown>> = {
  'proveInclusion index': (n) => proveInclusion(reader, n, 10),
  'proveInclusion size': (n) => proveInclusion(reader, 0, n),
  'proveConsistency old size': (n) => proveConsistency(reader, n, 10),
  'proveConsistency new size': (n) => proveConsistency(reader, 1, n),
  'proveSubtreeConsistency start': (n) => proveSubtreeConsistency(reader, n, 10, 10),
  'proveSubtreeConsistency end': (n) => proveSubtreeConsistency(reader, 0, n, 10),
  'proveSubtreeConsistency size': (n) => proveSubtreeConsistency(reader, 0, 1, n),
  'restoreRange size': (n) => restoreRange(reader, n),
  'readHashes level': (n) => reader.readHashes([{ level: n, index: 0 }]),
  'readHashes index': (n) => reader.readHashes([{ level: 0, index: n }]),
};

for (const [name, call] of Object.entries(TAKES_NUMBER)) {
  test(`${name}: what is no number from 0 to 2^53 - 1 is bad input`, () => {
    for (const n of BAD) throwsA(MerkleInputError, () => void call(n), `${n}`);
  });
}

for (const [name, call] of Object.entries(TAKES_NUMBER_LATER)) {
  test(`${name}: what is no number from 0 to 2^53 - 1 is bad input`, async () => {
    for (const n of BAD) await rejectsWith(MerkleInputError, () => call(n), `${n}`);
  });
}

test('safeSize refuses what a number cannot hold exactly', () => {
  assert.is(safeSize(0n), 0);
  assert.is(safeSize(2n ** 53n - 1n), MAX_SIZE);
  for (const n of [-1n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 64n]) throwsA(MerkleInputError, () => void safeSize(n), `${n}`);
});

test('verifiers take bigints from 0 to 2^64 - 1', () => {
  for (const n of [-1n, 2n ** 64n, 2n ** 80n]) {
    throwsA(MerkleInputError, () => verifyInclusion(n, 2n ** 64n - 1n, hash, [], hash), `index ${n}`);
    throwsA(MerkleInputError, () => verifyInclusion(0n, n, hash, [], hash), `size ${n}`);
    throwsA(MerkleInputError, () => verifyConsistency(1n, n, hash, hash, []), `new size ${n}`);
    throwsA(MerkleInputError, () => verifyConsistency(n, 2n ** 64n - 1n, hash, hash, []), `old size ${n}`);
  }
});

test('a range refuses to parse a size beyond 2^53 - 1, and to outgrow it', () => {
  const bytes = new Uint8Array(8 + 32);
  new DataView(bytes.buffer).setBigUint64(0, 2n ** 53n);
  throwsA(MerkleInputError, () => void CompactRange.parse(bytes));
  throwsA(MerkleInputError, () => void CompactRange.parse(new Uint8Array(7)));
  throwsA(MerkleInputError, () => void CompactRange.parse(new Uint8Array(9)));
  const full = CompactRange.restore(MAX_SIZE, new Uint8Array(53 * 32));
  throwsA(MerkleInputError, () => full.append(hash));
  assert.equal(CompactRange.parse(full.serialise()).serialise(), full.serialise());
});

// A tree all of whose leaves are equal: the hash of a range depends on its length only, so trees of any size can be known.

const sums = new Map<bigint, Uint8Array>([[1n, hash]]);
const half = (n: bigint): bigint => 1n << BigInt((n - 1n).toString(2).length - 1);

function uniformRoot(n: bigint): Uint8Array {
  let root = sums.get(n);
  if (root === undefined) {
    root = nodeHasher.hashNode(uniformRoot(half(n)), uniformRoot(n - half(n)));
    sums.set(n, root);
  }
  return root;
}

function uniformPath(m: bigint, n: bigint): Uint8Array[] {
  if (n === 1n) return [];
  const k = half(n);
  return m < k ? [...uniformPath(m, k), uniformRoot(n - k)] : [...uniformPath(m - k, n - k), uniformRoot(k)];
}

function uniformConsistency(m: bigint, n: bigint, known = true): Uint8Array[] {
  if (m === n) return known ? [] : [uniformRoot(n)];
  const k = half(n);
  if (m <= k) return [...uniformConsistency(m, k, known), uniformRoot(n - k)];
  return [...uniformConsistency(m - k, n - k, false), uniformRoot(k)];
}

const TOP = 2n ** 64n - 1n;
const anySize = fc.oneof(
  fc.bigInt({ min: 1n, max: TOP }),
  fc.tuple(fc.integer({ min: 1, max: 64 }), fc.bigInt({ min: -3n, max: 3n })).map(([bits, by]) => {
    const near = 2n ** BigInt(bits) + by;
    return near < 1n ? 1n : near > TOP ? TOP : near;
  }),
);

test('verifiers are exact for every size to 2^64 - 1, and take a number where it is exact', () => {
  fc.assert(
    fc.property(anySize, fc.bigInt({ min: 0n, max: TOP }), (n, seed) => {
      const index = seed % n;
      const path = uniformPath(index, n);
      verifyInclusion(index, n, hash, path, uniformRoot(n), nodeHasher);
      const proof = uniformConsistency(index + 1n, n);
      verifyConsistency(index + 1n, n, uniformRoot(index + 1n), uniformRoot(n), proof, nodeHasher);
      if (n > BigInt(MAX_SIZE)) return;
      assert.is(hex(rootFromInclusion(Number(index), Number(n), hash, path, nodeHasher)), hex(uniformRoot(n)));
      verifyConsistency(Number(index) + 1, Number(n), uniformRoot(index + 1n), uniformRoot(n), proof, nodeHasher);
    }),
    { seed: 42, numRuns: 600 },
  );
});

test('sizes that round to the same double are told apart', () => {
  const n = 2n ** 53n + 1n;
  assert.is(Number(n), Number(n - 1n));
  const last = uniformPath(n - 1n, n);
  assert.is(last.length, 1);
  verifyInclusion(n - 1n, n, hash, last, uniformRoot(n));
  throwsA(ProofError, () => verifyInclusion(n - 2n, n, hash, last, uniformRoot(n)), 'the leaf before');
  throwsA(ProofError, () => verifyInclusion(n - 2n, n - 1n, hash, last, uniformRoot(n)), 'one leaf fewer');
  throwsA(ProofError, () => verifyInclusion(n - 1n, n + 1n, hash, last, uniformRoot(n)), 'one leaf more');
  const proof = uniformConsistency(n - 1n, n);
  verifyConsistency(n - 1n, n, uniformRoot(n - 1n), uniformRoot(n), proof);
  throwsA(ProofError, () => verifyConsistency(n, n, uniformRoot(n - 1n), uniformRoot(n), proof), 'both of one size');
  throwsA(ProofError, () => verifyConsistency(n - 2n, n, uniformRoot(n - 1n), uniformRoot(n), proof), 'one leaf fewer');
});

test.run();
