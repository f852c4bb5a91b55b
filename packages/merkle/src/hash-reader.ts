import { CompactRange, rangeNodes } from './compact-range.js';
import type { Hasher } from './hasher.js';

/** A complete node: the hash over leaves index * 2^level to (index + 1) * 2^level - 1. Level 0 holds the leaf hashes. */
export interface NodeId {
  readonly level: number;
  readonly index: number;
}

/** Where hashes of complete nodes come from: tiles on disk, tiles over HTTP, or memory. */
export interface HashReader {
  /**
   * The hashes of `nodes` in their order, as a flat buffer of 32-byte slots.
   * Rejects when a node is not there; what comes back is trusted only as far as the proof or root made from it is checked.
   */
  readHashes(nodes: readonly NodeId[]): Promise<Uint8Array>;
}

/** The compact range of the first `size` leaves, from a reader's hashes. */
export async function restoreRange(reader: HashReader, size: number, hasher?: Hasher): Promise<CompactRange> {
  return CompactRange.restore(size, await reader.readHashes(rangeNodes(size)), hasher);
}
