import { MerkleInputError, ProofError } from './errors.js';
import { checkHash, equalBytes, type Hasher, portableHasher } from './hasher.js';
import { exactSize } from './size.js';
import { isSubtree } from './subtree.js';

/**
 * The root that an inclusion proof leads to (RFC 9162 section 2.1.3.2). The caller compares it with a root it trusts.
 * @param index of the leaf, 0 <= index < size; exact to 2^64 - 1 as a bigint
 * @param leafHash 32 bytes
 * @param proof hashes of 32 bytes each, leaf to root
 * @throws MerkleInputError for hashes of another length or an index outside the tree
 * @throws ProofError when the proof has too few or too many hashes for this place in the tree
 */
export function rootFromInclusion(
  index: number | bigint,
  size: number | bigint,
  leafHash: Uint8Array,
  proof: readonly Uint8Array[],
  hasher: Hasher = portableHasher,
): Uint8Array {
  let fn = exactSize(index, 'leaf index');
  const treeSize = exactSize(size, 'tree size');
  if (fn >= treeSize) throw new MerkleInputError(`leaf ${fn} is not in a tree of ${treeSize}`);
  checkHash(leafHash, 'leaf hash');
  let sn = treeSize - 1n;
  let hash = leafHash;
  proof.forEach((sibling, i) => {
    checkHash(sibling, `proof hash ${i}`);
    if (sn === 0n) throw new ProofError(`the inclusion proof has ${proof.length} hashes, more than this place in the tree has`);
    if (fn % 2n === 1n || fn === sn) {
      hash = hasher.hashNode(sibling, hash);
      while (fn % 2n === 0n && fn !== 0n) {
        fn >>= 1n;
        sn >>= 1n;
      }
    } else {
      hash = hasher.hashNode(hash, sibling);
    }
    fn >>= 1n;
    sn >>= 1n;
  });
  if (sn !== 0n) throw new ProofError(`the inclusion proof has ${proof.length} hashes, fewer than this place in the tree has`);
  return hash;
}

/**
 * Verifies that `leafHash` is leaf `index` of the tree of `size` leaves with root `root` (RFC 9162 section 2.1.3.2).
 * @throws MerkleInputError for malformed input
 * @throws ProofError when the proof does not hold
 */
export function verifyInclusion(
  index: number | bigint,
  size: number | bigint,
  leafHash: Uint8Array,
  proof: readonly Uint8Array[],
  root: Uint8Array,
  hasher: Hasher = portableHasher,
): void {
  checkHash(root, 'root');
  if (!equalBytes(rootFromInclusion(index, size, leafHash, proof, hasher), root)) {
    throw new ProofError(`the inclusion proof of leaf ${index} leads to another root than that of the tree of ${size}`);
  }
}

/**
 * Verifies that `leafHash` is leaf `index` of the subtree [start, end) with hash `subtreeHash`
 * (draft-ietf-plants-merkle-tree-certs section 4.3).
 * @throws MerkleInputError for malformed input
 * @throws ProofError when the proof does not hold
 */
export function verifySubtreeInclusion(
  index: number | bigint,
  start: number | bigint,
  end: number | bigint,
  leafHash: Uint8Array,
  proof: readonly Uint8Array[],
  subtreeHash: Uint8Array,
  hasher: Hasher = portableHasher,
): void {
  const at = exactSize(index, 'leaf index');
  const from = exactSize(start, 'start');
  const to = exactSize(end, 'end');
  if (!isSubtree(from, to)) throw new MerkleInputError(`[${from}, ${to}) is no subtree`);
  if (at < from || at >= to) throw new MerkleInputError(`leaf ${at} is not in [${from}, ${to})`);
  verifyInclusion(at - from, to - from, leafHash, proof, subtreeHash, hasher);
}
