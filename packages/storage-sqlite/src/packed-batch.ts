import type { CommitBatch, FullTile, StoredEntry, StoredHead } from '@treering/storage';

/** A commit's batch with its entries in few buffers, so that a thread is handed them without a copy of each. */
export interface PackedBatch {
  /** All entries' bytes, one behind the other. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Length of each entry, in bytes. */
  readonly lengths: Uint32Array<ArrayBuffer>;
  /** Leaf hashes, 32 bytes each. */
  readonly leaves: Uint8Array<ArrayBuffer>;
  readonly topics: readonly string[];
  readonly tiles: readonly FullTile[];
  readonly head: StoredHead;
}

/** Packs a batch. Entries, leaf hashes and lengths are copied; their buffers may be transferred. */
export function packBatch({ entries, tiles, head }: CommitBatch): PackedBatch {
  const bytes = new Uint8Array(entries.reduce((sum, entry) => sum + entry.bytes.length, 0));
  const leaves = new Uint8Array(entries.length * 32);
  let at = 0;
  entries.forEach((entry, i) => {
    bytes.set(entry.bytes, at);
    leaves.set(entry.leafHash, i * 32);
    at += entry.bytes.length;
  });
  return {
    bytes,
    lengths: Uint32Array.from(entries, (entry) => entry.bytes.length),
    leaves,
    topics: entries.map(({ topic }) => topic),
    tiles,
    head,
  };
}

/** The batch again; its entries are views. */
export function unpackBatch({ bytes, lengths, leaves, topics, tiles, head }: PackedBatch): CommitBatch {
  let at = 0;
  const entries = topics.map((topic, i): StoredEntry => {
    const entry = bytes.subarray(at, at + lengths[i]);
    at += lengths[i];
    return { bytes: entry, leafHash: leaves.subarray(i * 32, i * 32 + 32), topic };
  });
  return { entries, tiles, head };
}
