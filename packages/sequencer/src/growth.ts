import {
  CompactRange,
  HASH_SIZE,
  type Hasher,
  hashesAtTileLevel,
  MerkleStateError,
  type Proof,
  rangeNodes,
  TILE_HEIGHT,
  TILE_WIDTH,
  tileWidth,
} from '@treering/merkle';
import type { FullTile, Storage } from '@treering/storage';

/** The partial tiles at the right edge of a tree, one for each tile level, as read from the store. */
export type RightEdge = readonly Uint8Array[];

/**
 * Reads the right edge from the store: what a commit builds upon, and what its root is checked against.
 * @throws MerkleStateError when a tile that the size demands is missing
 */
export async function readRightEdge(storage: Storage, size: number): Promise<RightEdge> {
  const tiles: Uint8Array[] = [];
  for (let level = 0; hashesAtTileLevel(size, level) > 0; level++) {
    const index = Math.floor(hashesAtTileLevel(size, level) / TILE_WIDTH);
    const width = tileWidth(size, level, index);
    const tile = width === 0 ? new Uint8Array(0) : await storage.tile(level, index, width);
    if (tile === null)
      throw new MerkleStateError(`the store has no tile ${level}/${index} of ${width} hashes, which a tree of ${size} needs`);
    tiles.push(tile);
  }
  return tiles;
}

/**
 * The compact range of a tree from its right edge: within each partial tile, the edge of a tree of that width.
 * Leaves of level-0 hashes below a full tile are covered by the tile above.
 */
export function rangeFromEdge(size: number, edge: RightEdge, hasher: Hasher): CompactRange {
  const parts: Uint8Array[] = [];
  // From the highest tile level down, so that the largest subtrees come first.
  for (let level = edge.length - 1; level >= 0; level--) {
    const within = new CompactRange(hasher);
    within.appendMany(edge[level]);
    parts.push(within.hashes());
  }
  return CompactRange.restore(size, concat(parts), hasher);
}

/** What appending a batch of leaves did to the tree: all nodes that became complete, by level, and the new right border. */
export class Growth {
  readonly oldSize: number;
  readonly range: CompactRange;
  readonly #levels: { start: number; hashes: Uint8Array }[] = [];
  /** By level, the node of the tree before that was the last complete one there, if it was at the right edge. */
  readonly #old: ({ index: number; hash: Uint8Array } | undefined)[] = [];
  readonly #hasher: Hasher;
  #border: readonly Uint8Array[] | undefined;

  /** @param leafHashes flat, 32 bytes each */
  constructor(before: CompactRange, leafHashes: Uint8Array, hasher: Hasher) {
    this.oldSize = before.size;
    this.#hasher = hasher;
    const edge = before.hashes();
    rangeNodes(before.size).forEach(({ level, index }, i) => {
      this.#old[level] = { index, hash: edge.subarray(i * HASH_SIZE, (i + 1) * HASH_SIZE) };
    });
    this.range = before.clone();
    this.range.appendMany(leafHashes, (level, start, hashes) => {
      this.#levels[level] = { start, hashes: hashes.slice() };
    });
  }

  /** The tiles that became full, put together from the old right edge and the new nodes. */
  fullTiles(edge: RightEdge): FullTile[] {
    const tiles: FullTile[] = [];
    for (let level = 0; level * TILE_HEIGHT < this.#levels.length; level++) {
      const fresh = this.#levels[level * TILE_HEIGHT];
      const end = fresh.start + fresh.hashes.length / HASH_SIZE;
      for (let index = Math.floor(fresh.start / TILE_WIDTH); (index + 1) * TILE_WIDTH <= end; index++) {
        const first = index * TILE_WIDTH;
        const from = Math.max(first, fresh.start);
        const old = first < fresh.start ? (edge[level] ?? new Uint8Array(0)) : new Uint8Array(0);
        const hashes = concat([
          old,
          fresh.hashes.subarray((from - fresh.start) * HASH_SIZE, (first + TILE_WIDTH - fresh.start) * HASH_SIZE),
        ]);
        if (hashes.length !== TILE_WIDTH * HASH_SIZE)
          throw new MerkleStateError(`tile ${level}/${index} does not come out full`);
        tiles.push({ level, index, hashes, root: this.#node((level + 1) * TILE_HEIGHT, index) });
      }
    }
    return tiles;
  }

  /**
   * The inclusion proof of a new entry in the tree after (RFC 9162 section 2.1.3.1), without any hashing but that of the border, once.
   * The hashes are views.
   * @throws MerkleStateError for an entry that was there before
   */
  proveInclusion(index: number): Proof {
    if (index < this.oldSize || index >= this.range.size) throw new MerkleStateError(`entry ${index} is not new`);
    this.#border ??= this.#hashBorder();
    const proof: Uint8Array[] = [];
    let node = index;
    let last = this.range.size - 1;
    for (let level = 0; last > 0; level++) {
      if (node % 2 === 1) proof.push(this.#node(level, node - 1));
      else if (node < last) proof.push(node + 1 === last ? this.#border[level] : this.#node(level, node + 1));
      node = Math.floor(node / 2);
      last = Math.floor(last / 2);
    }
    return proof;
  }

  /** By level, the hash of the last node, complete or not: over all leaves from its first one on. */
  #hashBorder(): Uint8Array[] {
    const border: Uint8Array[] = [];
    let last = this.range.size - 1;
    let hash = this.#node(0, last);
    for (let level = 0; last > 0; level++) {
      border.push(hash);
      // A node without a right neighbour stands for itself one level above.
      if (last % 2 === 1) hash = this.#hasher.hashNode(this.#node(level, last - 1), hash);
      last = Math.floor(last / 2);
    }
    return border;
  }

  /** A complete node that is new, or was at the right edge. */
  #node(level: number, index: number): Uint8Array {
    const fresh = this.#levels[level];
    const at = fresh === undefined ? -1 : (index - fresh.start) * HASH_SIZE;
    if (at >= 0 && at < fresh.hashes.length) return fresh.hashes.subarray(at, at + HASH_SIZE);
    const old = this.#old[level];
    if (old?.index !== index) throw new MerkleStateError(`node ${index} of level ${level} is neither new nor at the old edge`);
    return old.hash;
  }
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
