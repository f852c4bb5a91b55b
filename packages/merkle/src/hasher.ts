import { sha256 } from '@noble/hashes/sha2.js';
import { MerkleInputError } from './errors.js';

/** Bytes in a SHA-256 hash. */
export const HASH_SIZE = 32;

/**
 * SHA-256 as a tree uses it. Native implementations are injected; the portable one is the default everywhere.
 * All hashes are 32 bytes; batches lie in flat buffers of 32-byte slots, because a level of a tree is hashed as one batch.
 */
export interface Hasher {
  /** Names the implementation in benchmarks and in the log's own description. */
  readonly name: string;
  /** RFC 6962 leaf hash, SHA-256(0x00 ‖ entry). Returns 32 new bytes. */
  hashLeaf(entry: Uint8Array): Uint8Array;
  /** RFC 6962 node hash, SHA-256(0x01 ‖ left ‖ right), of two 32-byte hashes. Returns 32 new bytes. */
  hashNode(left: Uint8Array, right: Uint8Array): Uint8Array;
  /** Leaf hashes of `entries`, written to `output` (at least 32 bytes for each entry). */
  hashLeaves(entries: readonly Uint8Array[], output: Uint8Array): void;
  /**
   * Node hashes of `count` pairs: `input` holds count x 64 bytes, `output` at least count x 32.
   * `output` may start at the same byte as `input`: slot i is written only after pair i has been read.
   */
  hashNodes(input: Uint8Array, count: number, output: Uint8Array): void;
}

const LEAF_PREFIX = Uint8Array.of(0x00);

/** The hash of the empty tree, SHA-256 of no bytes (RFC 6962 section 2.1). */
export function emptyRoot(): Uint8Array {
  return sha256(new Uint8Array(0));
}

function createPortableHasher(): Hasher {
  const node = new Uint8Array(65);
  node[0] = 0x01;
  const leaf = (entry: Uint8Array): Uint8Array => sha256.create().update(LEAF_PREFIX).update(entry).digest();
  return {
    name: 'portable (@noble/hashes)',
    hashLeaf: leaf,
    hashNode(left, right) {
      checkHash(left, 'left hash');
      checkHash(right, 'right hash');
      node.set(left, 1);
      node.set(right, 33);
      return sha256(node);
    },
    hashLeaves(entries, output) {
      checkOutput(entries.length, output);
      for (let i = 0; i < entries.length; i++) output.set(leaf(entries[i]), i * HASH_SIZE);
    },
    hashNodes(input, count, output) {
      checkBatch(input, count, output);
      for (let i = 0; i < count; i++) {
        node.set(input.subarray(i * 64, i * 64 + 64), 1);
        output.set(sha256(node), i * HASH_SIZE);
      }
    },
  };
}

/** SHA-256 in plain JavaScript: runs wherever JavaScript runs. */
export const portableHasher: Hasher = createPortableHasher();

/** @throws MerkleInputError unless `hash` is 32 bytes. */
export function checkHash(hash: Uint8Array, what: string): Uint8Array {
  if (!(hash instanceof Uint8Array) || hash.length !== HASH_SIZE) {
    throw new MerkleInputError(`${what} must be ${HASH_SIZE} bytes, got ${hash?.length ?? 'nothing'}`);
  }
  return hash;
}

/** @throws MerkleInputError unless `input` and `output` have room for `count` pairs and hashes. */
export function checkBatch(input: Uint8Array, count: number, output: Uint8Array): void {
  if (input.length < count * 64) throw new MerkleInputError(`${count} pairs need ${count * 64} bytes, got ${input.length}`);
  checkOutput(count, output);
}

/** @throws MerkleInputError unless `output` has room for `count` hashes. */
export function checkOutput(count: number, output: Uint8Array): void {
  if (output.length < count * HASH_SIZE) {
    throw new MerkleInputError(`${count} hashes need ${count * HASH_SIZE} bytes of output, got ${output.length}`);
  }
}

/** Compares two hashes byte by byte. Hashes are public, so the time it takes tells nothing. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
