import { HASH_SIZE, type Hasher } from '../hasher.js';

/** Leaf hashes of subtrees of 2^height leaves, and room for the hash of each subtree; both in shared memory. */
export interface TreeJob {
  readonly id: number;
  readonly height: number;
  readonly leaves: Uint8Array;
  readonly roots: Uint8Array;
}

/** What a worker sends back when a job is done. */
export interface TreeReply {
  readonly id: number;
  readonly error?: string;
}

/** Most leaves that are taken through all their levels before the next ones: they stay in the processor's second cache. */
const TOGETHER = 4096;

let scratch = new Uint8Array(0);

/** Hashes complete subtrees, level by level, without a new buffer. */
export function work({ height, leaves, roots }: Pick<TreeJob, 'height' | 'leaves' | 'roots'>, hasher: Hasher): void {
  const width = 2 ** height;
  const step = Math.max(width, TOGETHER);
  const count = leaves.length / HASH_SIZE;
  if (scratch.length < (step / 2) * HASH_SIZE) scratch = new Uint8Array((step / 2) * HASH_SIZE);
  for (let first = 0; first < count; first += step) {
    let nodes = Math.min(step, count - first);
    let from = leaves.subarray(first * HASH_SIZE, (first + nodes) * HASH_SIZE);
    for (let level = 0; level < height; level++) {
      nodes /= 2;
      hasher.hashNodes(from, nodes, scratch);
      from = scratch;
    }
    roots.set(from.subarray(0, nodes * HASH_SIZE), (first / width) * HASH_SIZE);
  }
}
