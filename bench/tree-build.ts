import { CompactRange, HASH_SIZE, type Hasher, portableHasher } from '@treering/merkle';
import { nodeHasher } from '@treering/merkle/node';
import type { Benchmark, Figures } from './benchmark.js';
import { cryptoSha256, naiveRoot, nobleSha256 } from './rivals/naive-tree.js';

const LEAVES = 1_000_000;
const QUICK_LEAVES = 20_000;
const BATCH = 4096;

/** What the leaves of each size hash to: whoever builds another tree is not measured. */
const ROOTS: Readonly<Record<number, string>> = {
  [QUICK_LEAVES]: '6d6cad523a519eac783a6498e75a0801ae34266067b6f8ad8daac5e82d1390fd',
  [LEAVES]: 'b45f3cea4f3dd468249b9943f315b7172c9706b3761e778d55c1e92bfa8b1c2e',
};

/** Building a tree from its leaves, in batches as the sequencer does it. */
export const treeBuild: Benchmark = {
  name: 'tree-build',
  title: 'hashing leaves of 16 bytes and building the tree over 1,000,000 of them, on one core',
  trials: 3,
  subjects: [
    { name: 'portable hasher', rival: 'naive, @noble/hashes', measure: (quick) => measure(quick, batched(portableHasher)) },
    { name: 'naive, @noble/hashes', measure: (quick) => measure(quick, (leaves) => naiveRoot(leaves, nobleSha256)) },
    { name: 'node:crypto hasher', rival: 'naive, createHash', measure: (quick) => measure(quick, batched(nodeHasher)) },
    { name: 'naive, createHash', measure: (quick) => measure(quick, (leaves) => naiveRoot(leaves, cryptoSha256)) },
  ],
};

type RootOf = (leaves: readonly Uint8Array[]) => Uint8Array;

async function measure(quick: boolean, rootOf: RootOf): Promise<Figures> {
  const leaves = makeLeaves(quick ? QUICK_LEAVES : LEAVES);
  const started = performance.now();
  const root = rootOf(leaves);
  const seconds = (performance.now() - started) / 1000;
  const hex = Buffer.from(root).toString('hex');
  if (hex !== ROOTS[leaves.length]) throw new Error(`the tree of ${leaves.length} leaves came out as ${hex}`);
  return { 'leaves/s': leaves.length / seconds };
}

function batched(hasher: Hasher): RootOf {
  return (leaves) => {
    const range = new CompactRange(hasher);
    const hashes = new Uint8Array(BATCH * HASH_SIZE);
    for (let start = 0; start < leaves.length; start += BATCH) {
      const batch = leaves.slice(start, start + BATCH);
      hasher.hashLeaves(batch, hashes);
      range.appendMany(hashes.subarray(0, batch.length * HASH_SIZE));
    }
    return range.root();
  };
}

/** Leaves of 16 bytes: their index, big-endian, behind zeros. */
function makeLeaves(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, index) => {
    const leaf = new Uint8Array(16);
    new DataView(leaf.buffer).setUint32(12, index);
    return leaf;
  });
}
