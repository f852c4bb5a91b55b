import { CompactRange, HASH_SIZE, type Hasher, portableHasher } from '@treering/merkle';
import { nodeHasher, opensslHasher, TreePool } from '@treering/merkle/node';
import type { Benchmark, Figures, Subject } from './benchmark.js';
import { makeLeafHashes } from './leaf-hashes.js';
import { naiveRoot } from './rivals/naive-tree.js';
import { type BuiltTree, buildWithGo, buildWithShaInstructions } from './rivals/native-tree.js';

const QUICK_LEAVES = 50_000;
const SIZES = { '1 M': 1_000_000, '10 M': 10_000_000 } as const;
/** Leaves that are hashed before the clock starts, so that the code is compiled and the threads are there. */
const WARM_UP = 2 ** 16;
/** Leaves of one batch, as many as the sequencer takes at most. */
const BATCH = 4096;

/** What the leaf hashes of each size hash to: whoever builds another tree is not measured. */
const ROOTS: Readonly<Record<number, string>> = {
  [QUICK_LEAVES]: 'b8a1f5b6ceb80687e2a9cb37b1b4afb0dc14a70edbc7ba757cb6af14a96c02e2',
  [SIZES['1 M']]: '2d8f11548c0acb21af0dc72c6d6c61264b0e149a2d3533a3f675eff6d8943061',
  [SIZES['10 M']]: 'a01551be9fbb1ad959fad7e68953698690e7cab21460ea20330041babebdf37b',
};

/** Building a tree from leaf hashes: what a node hash of 65 bytes costs, and what a library adds to it. */
export const treeBuild: Benchmark = {
  name: 'tree-build',
  title: 'an RFC 6962 tree over 1,000,000 and over 10,000,000 leaf hashes, built from nothing',
  trials: 3,
  subjects: [...subjectsOf('1 M'), ...subjectsOf('10 M')],
};

function subjectsOf(size: keyof typeof SIZES): Subject[] {
  const named = (what: string): string => `${what}, ${size}`;
  const rival = named('createHash, node by node');
  const large = size === '10 M';
  const common = { rival, quick: !large };
  const leavesOf = (quick: boolean): number => (quick ? QUICK_LEAVES : SIZES[size]);
  // What takes a minute is measured once.
  const slow = large ? { trials: 1 } : {};
  return [
    { ...common, name: named('TreePool, two threads'), measure: (quick) => measure(leavesOf(quick), onThreads) },
    {
      ...common,
      name: named('nodeHasher (WebAssembly SIMD)'),
      measure: (quick) => measure(leavesOf(quick), batched(nodeHasher)),
    },
    {
      ...common,
      ...slow,
      name: named('opensslHasher (crypto.hash)'),
      measure: (quick) => measure(leavesOf(quick), batched(opensslHasher)),
    },
    {
      ...common,
      ...slow,
      name: named('portableHasher (@noble/hashes)'),
      measure: (quick) => measure(leavesOf(quick), batched(portableHasher)),
    },
    {
      ...slow,
      quick: !large,
      name: rival,
      measure: (quick) => measure(leavesOf(quick), (leaves) => Promise.resolve(naiveRoot(leaves))),
    },
    {
      ...common,
      name: named('Go, golang.org/x/mod/sumdb/tlog'),
      measure: (quick) => measureNative(leavesOf(quick), (leaves) => buildWithGo('tlog', leaves)),
    },
    {
      ...common,
      name: named('Go, transparency-dev/merkle'),
      measure: (quick) => measureNative(leavesOf(quick), (leaves) => buildWithGo('transparency-dev', leaves)),
    },
    {
      ...common,
      name: named('C, SHA instructions (the limit of a core)'),
      measure: (quick) => measureNative(leavesOf(quick), buildWithShaInstructions),
    },
  ];
}

type RootOf = (leafHashes: Uint8Array) => Promise<Uint8Array>;

async function measure(count: number, rootOf: RootOf): Promise<Figures> {
  const leaves = makeLeafHashes(count);
  await rootOf(leaves.subarray(0, Math.min(WARM_UP, count) * HASH_SIZE));
  const started = performance.now();
  const root = await rootOf(leaves);
  const seconds = (performance.now() - started) / 1000;
  return figuresOf(count, { seconds, root: Buffer.from(root).toString('hex'), peakKiB: process.resourceUsage().maxRSS });
}

async function measureNative(count: number, build: (leaves: number) => BuiltTree): Promise<Figures> {
  return figuresOf(count, build(count));
}

/** A tree of n leaves has n - 1 nodes above them. */
function figuresOf(count: number, { seconds, root, peakKiB }: BuiltTree): Figures {
  if (root !== ROOTS[count]) throw new Error(`the tree of ${count} leaves came out as ${root}`);
  return { 'nodes/s': (count - 1) / seconds, seconds, ...(peakKiB > 0 ? { 'peak MiB': peakKiB / 1024 } : {}) };
}

const pool = new TreePool(nodeHasher, 2);
const onThreads: RootOf = (leaves) => pool.root(leaves);

function batched(hasher: Hasher): RootOf {
  return async (leaves) => {
    const range = new CompactRange(hasher);
    for (let at = 0; at < leaves.length; at += BATCH * HASH_SIZE) range.appendMany(leaves.subarray(at, at + BATCH * HASH_SIZE));
    return range.root();
  };
}
