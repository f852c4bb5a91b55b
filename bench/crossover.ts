import { HASH_SIZE, type Hasher, portableHasher } from '@treering/merkle';
import { nodeHasher, opensslHasher, TreePool } from '@treering/merkle/node';
import type { Benchmark, Figures } from './benchmark.js';
import { makeLeafHashes } from './leaf-hashes.js';

const HEIGHTS = [12, 13, 14, 15, 16, 17, 18, 19, 20];
const QUICK_HEIGHTS = [12, 16];
const BATCHES = [1, 4, 16, 64, 256, 1024];
/** Milliseconds for which each size is repeated. */
const PATIENCE = 150;
const QUICK_PATIENCE = 5;

/** From which size on another way of hashing pays. */
export const crossover: Benchmark = {
  name: 'crossover',
  title: 'from how many leaves on a second thread pays, and from how many nodes in a batch on WebAssembly SIMD does',
  trials: 3,
  subjects: [
    { name: 'TreePool, two threads', rival: 'TreePool, one thread', measure: (quick) => measureTrees(2, quick) },
    { name: 'TreePool, one thread', measure: (quick) => measureTrees(1, quick) },
    { name: 'hashNodes, nodeHasher', rival: 'hashNodes, opensslHasher', measure: (quick) => measureBatches(nodeHasher, quick) },
    {
      name: 'hashNodes, portableHasher',
      rival: 'hashNodes, opensslHasher',
      measure: (quick) => measureBatches(portableHasher, quick),
    },
    { name: 'hashNodes, opensslHasher', measure: (quick) => measureBatches(opensslHasher, quick) },
  ],
};

async function measureTrees(threads: number, quick: boolean): Promise<Figures> {
  const heights = quick ? QUICK_HEIGHTS : HEIGHTS;
  const pool = new TreePool(nodeHasher, threads);
  const leaves = makeLeafHashes(2 ** Math.max(...heights));
  await pool.root(leaves);
  const figures: Record<string, number> = {};
  for (const height of heights) {
    const part = leaves.subarray(0, 2 ** height * HASH_SIZE);
    const seconds = await secondsEach(quick, () => pool.root(part));
    figures[`2^${height} leaves: nodes/s`] = (2 ** height - 1) / seconds;
  }
  await pool.close();
  return figures;
}

async function measureBatches(hasher: Hasher, quick: boolean): Promise<Figures> {
  const input = makeLeafHashes(2 * Math.max(...BATCHES));
  const output = new Uint8Array(input.length / 2);
  for (let i = 0; i < 20; i++) hasher.hashNodes(input, output.length / HASH_SIZE, output);
  const figures: Record<string, number> = {};
  for (const batch of BATCHES) {
    // One look at the clock for a thousand nodes, so that it is not the clock that is measured.
    const repeats = Math.max(1, 1024 / batch);
    const seconds = await secondsEach(quick, () => {
      for (let i = 0; i < repeats; i++) hasher.hashNodes(input, batch, output);
    });
    figures[`batches of ${batch}: nodes/s`] = (batch * repeats) / seconds;
  }
  return figures;
}

/** Repeats work for a while; the seconds that it takes each time. */
async function secondsEach(quick: boolean, work: () => unknown): Promise<number> {
  const started = performance.now();
  let count = 0;
  let spent = 0;
  while (spent < (quick ? QUICK_PATIENCE : PATIENCE)) {
    await work();
    count++;
    spent = performance.now() - started;
  }
  return spent / 1000 / count;
}
