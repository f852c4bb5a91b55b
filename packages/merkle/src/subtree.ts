import { MerkleInputError } from './errors.js';
import type { NodeId } from './hash-reader.js';
import { checkSize } from './size.js';

/**
 * True when the leaves [start, end) form a subtree: they are none at all, or start is a multiple of the smallest power of two
 * that is not smaller than end - start (C2SP tlog-witness, sign-subtree; draft-ietf-plants-merkle-tree-certs section 4.1).
 */
export function isSubtree(start: bigint, end: bigint): boolean {
  if (start < 0n || start > end) return false;
  if (start === end) return true;
  let width = 1n;
  while (width < end - start) width *= 2n;
  return start % width === 0n;
}

/**
 * The complete subtrees of which the leaves [start, end) consist, left to right: each as large as its place allows, so that there
 * is one way only, and at most 106 of them.
 * @throws MerkleInputError when start or end are no sizes, or start is beyond end
 */
export function completeSubtrees(start: number, end: number): NodeId[] {
  if (checkSize(start, 'start') > checkSize(end, 'end'))
    throw new MerkleInputError(`leaves from ${start} to ${end} are no range`);
  const nodes: NodeId[] = [];
  for (let at = start; at < end; ) {
    let level = 0;
    let width = 1;
    while (at % (width * 2) === 0 && at + width * 2 <= end) {
      width *= 2;
      level++;
    }
    nodes.push({ level, index: at / width });
    at += width;
  }
  return nodes;
}
