import { MerkleInputError, MerkleStateError } from './errors.js';
import type { HashReader, NodeId } from './hash-reader.js';
import { HASH_SIZE, type Hasher, portableHasher } from './hasher.js';
import { checkSize } from './size.js';
import { TILE_HEIGHT, TILE_WIDTH, type TileId, tileWidth } from './tile.js';

/** Fetches one tile: exactly `tile.width` x 32 bytes. */
export type ReadTile = (tile: TileId) => Promise<Uint8Array>;

/** The hashes inside one tile, level by level: level r has floor(width / 2^r) complete nodes. */
export class ExpandedTile {
  readonly #levels: Uint8Array[];

  /**
   * @param hashes 1 to 256 hashes of 32 bytes
   * @throws MerkleInputError for any other length
   */
  constructor(hashes: Uint8Array, hasher: Hasher = portableHasher) {
    const width = hashes.length / HASH_SIZE;
    if (!Number.isInteger(width) || width < 1 || width > TILE_WIDTH) {
      throw new MerkleInputError(`a tile has 1 to ${TILE_WIDTH} hashes of ${HASH_SIZE} bytes, got ${hashes.length} bytes`);
    }
    this.#levels = [hashes];
    for (let count = Math.floor(width / 2); count > 0; count = Math.floor(count / 2)) {
      const level = new Uint8Array(count * HASH_SIZE);
      hasher.hashNodes(this.#levels[this.#levels.length - 1], count, level);
      this.#levels.push(level);
    }
  }

  /** The lowest row, flat. */
  get hashes(): Uint8Array {
    return this.#levels[0];
  }

  /** The hash of node `index` of level `level` (0 to 8) within the tile, or undefined when it is not complete here. */
  node(level: number, index: number): Uint8Array | undefined {
    const hashes = this.#levels[level];
    if (hashes === undefined || (index + 1) * HASH_SIZE > hashes.length) return undefined;
    return hashes.subarray(index * HASH_SIZE, (index + 1) * HASH_SIZE);
  }
}

/** Keeps expanded tiles so that proofs near one another share them. Bounded: the oldest goes first. */
export class TileCache {
  readonly #tiles = new Map<string, ExpandedTile>();
  readonly #limit: number;

  /** @param limit the number of tiles to keep, each of about 16 KiB */
  constructor(limit = 256) {
    this.#limit = limit;
  }

  get(key: string): ExpandedTile | undefined {
    const tile = this.#tiles.get(key);
    if (tile !== undefined) {
      this.#tiles.delete(key);
      this.#tiles.set(key, tile);
    }
    return tile;
  }

  set(key: string, tile: ExpandedTile): void {
    this.#tiles.set(key, tile);
    if (this.#tiles.size > this.#limit) this.#tiles.delete(this.#tiles.keys().next().value as string);
  }
}

/** The tile that holds a node, and the node's place in it. */
export interface NodePlace {
  readonly tile: TileId;
  /** `level/index/width` of the tile. */
  readonly key: string;
  /** Level within the tile, 0 to 7. */
  readonly inner: number;
  /** Index within that level of the tile. */
  readonly index: number;
}

/**
 * Where a complete node lies in the tiles of a tree of `size` leaves.
 * @throws MerkleInputError when the tree has no such node
 */
export function locateNode(size: number, { level, index: nodeIndex }: NodeId): NodePlace {
  checkSize(level, 'level');
  checkSize(nodeIndex, 'node index');
  // A node on a tile boundary (level 8, 16, …) lies in the lowest row of the tile above.
  const tileLevel = Math.floor(level / TILE_HEIGHT);
  const inner = level - tileLevel * TILE_HEIGHT;
  const index = Math.floor((nodeIndex * 2 ** inner) / TILE_WIDTH);
  const width = tileWidth(size, tileLevel, index);
  if (width === 0) throw new MerkleInputError(`node ${nodeIndex} of level ${level} is not in a tree of ${size}`);
  const tile = { level: tileLevel, index, width };
  return { tile, key: `${tileLevel}/${index}/${width}`, inner, index: nodeIndex - (index * TILE_WIDTH) / 2 ** inner };
}

/**
 * A reader over the tiles of a tree of `size` leaves. Each tile is read once a call, at the width it has at that size.
 * @throws MerkleStateError (from readHashes) when a tile has another width than the tree's size demands.
 */
export function tileHashReader(
  size: number,
  readTile: ReadTile,
  hasher: Hasher = portableHasher,
  cache: TileCache = new TileCache(),
): HashReader {
  checkSize(size, 'tree size');

  const load = async (tile: TileId, key: string): Promise<ExpandedTile> => {
    const hashes = await readTile(tile);
    if (hashes.length !== tile.width * HASH_SIZE) {
      throw new MerkleStateError(`tile ${key} has ${hashes.length} bytes instead of ${tile.width * HASH_SIZE}`);
    }
    const expanded = new ExpandedTile(hashes, hasher);
    cache.set(key, expanded);
    return expanded;
  };

  return {
    async readHashes(nodes: readonly NodeId[]): Promise<Uint8Array> {
      const places = nodes.map((node) => locateNode(size, node));
      const loading = new Map<string, Promise<ExpandedTile>>();
      const ready = new Map<string, ExpandedTile>();
      for (const { key, tile } of places) {
        const cached = cache.get(key);
        if (cached !== undefined) ready.set(key, cached);
        else if (!loading.has(key)) loading.set(key, load(tile, key));
      }
      const loaded = await Promise.all([...loading].map(async ([key, tile]) => [key, await tile] as const));
      for (const [key, tile] of loaded) ready.set(key, tile);
      const out = new Uint8Array(nodes.length * HASH_SIZE);
      places.forEach(({ key, inner, index }, i) => {
        const hash = ready.get(key)?.node(inner, index);
        if (hash === undefined) throw new MerkleInputError(`node ${nodes[i].index} of level ${nodes[i].level} is not complete`);
        out.set(hash, i * HASH_SIZE);
      });
      return out;
    },
  };
}
