import { MerkleInputError } from './errors.js';
import type { HashReader } from './hash-reader.js';
import { HASH_SIZE, type Hasher, portableHasher } from './hasher.js';
import { checkSize, largestPowerBelow } from './size.js';
import { completeSubtrees, isSubtree } from './subtree.js';

/** Leaves from `start` (included) to `end` (excluded). */
interface LeafRange {
  readonly start: number;
  readonly end: number;
}

/** A proof: hashes of 32 bytes each, in the order in which a verifier consumes them. */
export type Proof = Uint8Array[];

/**
 * The inclusion proof of leaf `index` in the tree of `size` leaves (RFC 9162 section 2.1.3.1). Requires 0 <= index < size.
 * @throws MerkleInputError when the index is not in the tree.
 */
export async function proveInclusion(
  reader: HashReader,
  index: number,
  size: number,
  hasher: Hasher = portableHasher,
): Promise<Proof> {
  checkSize(index, 'leaf index');
  checkSize(size, 'tree size');
  if (index >= size) throw new MerkleInputError(`leaf ${index} is not in a tree of ${size}`);
  return hashRanges(reader, inclusionPath(index, { start: 0, end: size }), hasher);
}

/**
 * The consistency proof from `oldSize` to `newSize` leaves (RFC 9162 section 2.1.4.1). Requires 0 < oldSize <= newSize.
 * @throws MerkleInputError outside that range.
 */
export async function proveConsistency(
  reader: HashReader,
  oldSize: number,
  newSize: number,
  hasher: Hasher = portableHasher,
): Promise<Proof> {
  if (oldSize === 0) throw new MerkleInputError('every tree is consistent with the empty one: there is nothing to prove');
  return proveSubtreeConsistency(reader, 0, oldSize, newSize, hasher);
}

/**
 * The proof that the subtree of leaves [start, end) is part of the tree of `size` leaves
 * (draft-ietf-plants-merkle-tree-certs section 4.4; with start 0 it is a consistency proof).
 * @throws MerkleInputError when [start, end) is no subtree or does not lie in the tree.
 */
export async function proveSubtreeConsistency(
  reader: HashReader,
  start: number,
  end: number,
  size: number,
  hasher: Hasher = portableHasher,
): Promise<Proof> {
  checkSize(start, 'start');
  checkSize(end, 'end');
  checkSize(size, 'tree size');
  if (!isSubtree(BigInt(start), BigInt(end))) throw new MerkleInputError(`[${start}, ${end}) is no subtree`);
  if (end > size) throw new MerkleInputError(`[${start}, ${end}) does not lie in a tree of ${size}`);
  if (start === end) return [];
  return hashRanges(reader, consistencyPath({ start, end }, { start: 0, end: size }, true), hasher);
}

/** PATH of RFC 9162 section 2.1.3.1: the siblings from the leaf up to the root. */
function inclusionPath(index: number, tree: LeafRange): LeafRange[] {
  const path: LeafRange[] = [];
  let { start, end } = tree;
  while (end - start > 1) {
    const middle = start + largestPowerBelow(end - start);
    if (index < middle) {
      path.push({ start: middle, end });
      end = middle;
    } else {
      path.push({ start, end: middle });
      start = middle;
    }
  }
  return path.reverse();
}

/** SUBPROOF of RFC 9162 section 2.1.4.1, for any subtree; `known` says whether the verifier has the subtree's hash. */
function consistencyPath(subtree: LeafRange, tree: LeafRange, known: boolean): LeafRange[] {
  const path: LeafRange[] = [];
  let { start, end } = tree;
  let wanted = subtree;
  let verifierKnows = known;
  while (wanted.start !== start || wanted.end !== end) {
    const middle = start + largestPowerBelow(end - start);
    if (wanted.end <= middle) {
      path.push({ start: middle, end });
      end = middle;
    } else {
      path.push({ start, end: middle });
      if (wanted.start < middle) {
        // The subtree starts left of the middle, so it is a prefix of this tree: only its right part is still open.
        wanted = { start: middle, end: wanted.end };
        verifierKnows = false;
      }
      start = middle;
    }
  }
  if (!verifierKnows) path.push(wanted);
  return path.reverse();
}

async function hashRanges(reader: HashReader, ranges: readonly LeafRange[], hasher: Hasher): Promise<Proof> {
  const parts = ranges.map(({ start, end }) => completeSubtrees(start, end));
  const hashes = await reader.readHashes(parts.flat());
  let next = 0;
  const take = (): Uint8Array => new Uint8Array(hashes.subarray(next++ * HASH_SIZE, next * HASH_SIZE));
  return parts.map((nodes) => {
    const own = nodes.map(take);
    return own.reduceRight((right, left) => hasher.hashNode(left, right));
  });
}
