import { CompactRange, HASH_SIZE, hashesAtTileLevel, TILE_WIDTH, tileWidth } from '@treering/merkle';
import { nodeHasher } from '@treering/merkle/node';
import { formatCheckpoint, formatNote } from '@treering/note';
import { type CommitBatch, createMemoryStorage, type Storage, type StoredHead } from '@treering/storage';
import { plainSigner } from './plain-log.js';

/**
 * A store that begins with a tree of `size` leaves which nobody ever appended: every hash in its tiles is made up from its place when
 * it is asked for. Only the right edge is ever checked, and the signed head is computed from it; what a full tile hashes to says
 * nothing about the made-up hash in the tile above, so that proofs of old entries cost what they cost and do not verify.
 */
export function createSyntheticStorage(size: number): { readonly storage: Storage; readonly note: Uint8Array } {
  /** What was appended, by tile level: hashes from the first one on that the tree did not have. */
  const appended: Uint8Array[][] = [];
  const tile = async (level: number, index: number, width: number): Promise<Uint8Array> => {
    const first = index * TILE_WIDTH;
    const known = Math.max(0, Math.min(width, hashesAtTileLevel(size, level) - first));
    const out = new Uint8Array(width * HASH_SIZE);
    out.set(madeUp(level, first, known));
    for (let i = known; i < width; i++) {
      const hash = appended[level]?.[first + i - hashesAtTileLevel(size, level)];
      if (hash === undefined) throw new Error(`there is no hash ${first + i} on tile level ${level}`);
      out.set(hash, i * HASH_SIZE);
    }
    return out;
  };
  const take = (level: number, index: number, hash: Uint8Array): void => {
    appended[level] ??= [];
    appended[level][index - hashesAtTileLevel(size, level)] = hash;
  };
  const root = rootOf(size);
  const text = formatCheckpoint({ origin: plainSigner.key.name, size: BigInt(size), root, extensions: [] });
  const note = formatNote({ text, signatures: [plainSigner.sign(text)] });
  let head: StoredHead = { size, root, time: Date.now(), note };
  const storage: Storage = {
    ...createMemoryStorage(),
    name: 'made up',
    head: async () => head,
    published: async () => null,
    indicesOf: async (hashes) => hashes.map(() => undefined),
    tile,
    async commit({ entries, tiles, head: next }: CommitBatch) {
      for (const [i, { leafHash }] of entries.entries()) take(0, head.size + i, leafHash);
      for (const { level, index, root: hash } of tiles) take(level + 1, index, hash);
      head = next;
    },
  };
  return { storage, note };
}

/** Hashes from their places, by a few multiplications, so that making them up costs little beside hashing them. */
function madeUp(level: number, first: number, count: number): Uint8Array {
  const words = new Uint32Array((count * HASH_SIZE) / 4);
  for (let i = 0, at = 0; i < count; i++) {
    const index = first + i;
    const seed = Math.imul(index ^ Math.imul(Math.floor(index / 2 ** 32) + 1, 0x27d4eb2f), 0x9e3779b1) + level;
    for (let j = 1; j <= HASH_SIZE / 4; j++)
      words[at++] = Math.imul(seed ^ (seed >>> 15), 0x2c1b3c6d) + Math.imul(j, 0x85ebca77);
  }
  return new Uint8Array(words.buffer);
}

/** The root over the partial tiles at the right edge, highest level first. */
function rootOf(size: number): Uint8Array {
  const edges: Uint8Array[] = [];
  for (let level = 0; hashesAtTileLevel(size, level) > 0; level++) {
    const index = Math.floor(hashesAtTileLevel(size, level) / TILE_WIDTH);
    const within = new CompactRange(nodeHasher);
    within.appendMany(madeUp(level, index * TILE_WIDTH, tileWidth(size, level, index)));
    edges.unshift(within.hashes());
  }
  return CompactRange.restore(size, Buffer.concat(edges), nodeHasher).root();
}
