import { MerkleInputError, ProofError } from './errors.js';
import { checkHash, emptyRoot, equalBytes, type Hasher, portableHasher } from './hasher.js';
import { exactSize } from './size.js';
import { isSubtree } from './subtree.js';

/**
 * Verifies that the tree of `oldSize` leaves is a prefix of the tree of `newSize` leaves (RFC 9162 section 2.1.4.2).
 * Requires 0 < oldSize <= newSize; every tree is consistent with the empty one, so there is nothing to prove about size 0.
 * @param proof hashes of 32 bytes each; empty when the sizes are equal
 * @throws MerkleInputError for malformed input
 * @throws ProofError when the proof does not hold
 */
export function verifyConsistency(
  oldSize: number | bigint,
  newSize: number | bigint,
  oldRoot: Uint8Array,
  newRoot: Uint8Array,
  proof: readonly Uint8Array[],
  hasher: Hasher = portableHasher,
): void {
  if (exactSize(oldSize, 'old size') === 0n) {
    throw new MerkleInputError('every tree is consistent with the empty one: there is nothing to prove');
  }
  verifySubtreeConsistency(0n, oldSize, newSize, oldRoot, newRoot, proof, hasher);
}

/**
 * Verifies that `subtreeHash` is the hash of leaves [start, end) of the tree of `size` leaves with root `root`
 * (draft-ietf-plants-merkle-tree-certs section 4.4).
 * @throws MerkleInputError for malformed input
 * @throws ProofError when the proof does not hold
 */
export function verifySubtreeConsistency(
  start: number | bigint,
  end: number | bigint,
  size: number | bigint,
  subtreeHash: Uint8Array,
  root: Uint8Array,
  proof: readonly Uint8Array[],
  hasher: Hasher = portableHasher,
): void {
  const from = exactSize(start, 'start');
  const to = exactSize(end, 'end');
  const treeSize = exactSize(size, 'tree size');
  checkHash(subtreeHash, 'old root');
  checkHash(root, 'root');
  if (!isSubtree(from, to)) throw new MerkleInputError(`[${from}, ${to}) is no subtree`);
  if (to > treeSize) throw new MerkleInputError(`${to} leaves are more than the tree of ${treeSize} has`);
  proof.forEach((hash, i) => {
    checkHash(hash, `proof hash ${i}`);
  });

  if (from === to) {
    if (proof.length > 0 || !equalBytes(subtreeHash, emptyRoot())) {
      throw new ProofError('an empty subtree has the hash of no bytes and an empty proof');
    }
    return;
  }

  let fn = from;
  let sn = to - 1n;
  let tn = treeSize - 1n;
  // Skip the levels on which the subtree's last node has no sibling that the verifier lacks.
  while (fn !== sn && (sn === tn || sn % 2n === 1n)) {
    fn >>= 1n;
    sn >>= 1n;
    tn >>= 1n;
  }
  const complete = fn === sn;
  if (!complete && proof.length === 0) throw new ProofError('the consistency proof is empty');
  let old = complete ? subtreeHash : proof[0];
  let all = old;
  for (const hash of proof.slice(complete ? 0 : 1)) {
    if (tn === 0n) throw new ProofError(`the consistency proof has ${proof.length} hashes, more than these sizes need`);
    if (sn % 2n === 1n || sn === tn) {
      if (fn < sn) old = hasher.hashNode(hash, old);
      all = hasher.hashNode(hash, all);
      while (sn % 2n === 0n && sn !== 0n) {
        fn >>= 1n;
        sn >>= 1n;
        tn >>= 1n;
      }
    } else {
      all = hasher.hashNode(all, hash);
    }
    fn >>= 1n;
    sn >>= 1n;
    tn >>= 1n;
  }
  if (tn !== 0n) throw new ProofError(`the consistency proof has ${proof.length} hashes, fewer than these sizes need`);
  if (!equalBytes(old, subtreeHash)) throw new ProofError(`the consistency proof does not lead to the old root (size ${to})`);
  if (!equalBytes(all, root)) throw new ProofError(`the consistency proof does not lead to the new root (size ${treeSize})`);
}
