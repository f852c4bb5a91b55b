import { CompactRange } from './compact-range.js';
import { MerkleInputError, ProofError } from './errors.js';
import type { HashReader, NodeId } from './hash-reader.js';
import { equalBytes, HASH_SIZE, type Hasher, portableHasher } from './hasher.js';
import { checkSize } from './size.js';
import { hashesAtTileLevel, TILE_HEIGHT, TILE_WIDTH, tileWidth } from './tile.js';
import { ExpandedTile, locateNode, type ReadTile, TileCache } from './tile-reader.js';

/**
 * The tiles of a tree whose root is known, from a source that is not trusted: only hashes that lead to the root come out. The
 * partial tiles at the right edge must hash to the root, and every full tile to its place in the tile above it.
 */
export class AuthenticTiles implements HashReader {
  readonly size: number;
  readonly #root: Uint8Array;
  readonly #readTile: ReadTile;
  readonly #hasher: Hasher;
  readonly #cache: TileCache;
  readonly #loading = new Map<string, Promise<ExpandedTile>>();
  #edge: Promise<readonly (ExpandedTile | undefined)[]> | undefined;

  /**
   * @param size leaves in the tree
   * @param root 32 bytes
   * @param cache of full tiles; a cache may be shared only by readers of trees that are known to contain one another
   */
  constructor(
    size: number,
    root: Uint8Array,
    readTile: ReadTile,
    hasher: Hasher = portableHasher,
    cache: TileCache = new TileCache(),
  ) {
    this.size = checkSize(size, 'tree size');
    this.#root = root;
    this.#readTile = readTile;
    this.#hasher = hasher;
    this.#cache = cache;
  }

  /**
   * @throws ProofError when what the source gives out does not lead to the root
   * @throws MerkleInputError when the tree has no such node
   */
  async readHashes(nodes: readonly NodeId[]): Promise<Uint8Array> {
    const places = nodes.map((node) => locateNode(this.size, node));
    const tiles = new Map<string, Promise<ExpandedTile>>();
    for (const { key, tile } of places) if (!tiles.has(key)) tiles.set(key, this.tile(tile.level, tile.index));
    await Promise.all(tiles.values());
    const out = new Uint8Array(nodes.length * HASH_SIZE);
    for (const [i, { key, inner, index }] of places.entries()) {
      const hash = (await tiles.get(key))?.node(inner, index);
      if (hash === undefined) throw new MerkleInputError(`node ${nodes[i].index} of level ${nodes[i].level} is not complete`);
      out.set(hash, i * HASH_SIZE);
    }
    return out;
  }

  /**
   * One tile at the width that it has in this tree.
   * @throws ProofError when it does not lead to the root
   */
  async tile(level: number, index: number): Promise<ExpandedTile> {
    const width = tileWidth(this.size, level, index);
    if (width === 0) throw new MerkleInputError(`a tree of ${this.size} has no tile ${level}/${index}`);
    // Full tiles lead to the root through the edge as well, so it comes first in any case.
    this.#edge ??= this.#readEdge().catch((error) => {
      this.#edge = undefined;
      throw error;
    });
    const edge = await this.#edge;
    if (width < TILE_WIDTH) return edge[level] as ExpandedTile;
    const key = `${level}/${index}`;
    const cached = this.#cache.get(key);
    if (cached !== undefined) return cached;
    const loading = this.#loading.get(key) ?? this.#readFull(level, index).finally(() => this.#loading.delete(key));
    this.#loading.set(key, loading);
    return loading;
  }

  async #readFull(level: number, index: number): Promise<ExpandedTile> {
    const [tile, above] = await Promise.all([
      this.#read(level, index, TILE_WIDTH),
      this.tile(level + 1, Math.floor(index / TILE_WIDTH)),
    ]);
    const root = tile.node(TILE_HEIGHT, 0) as Uint8Array;
    if (!equalBytes(root, above.node(0, index % TILE_WIDTH) as Uint8Array))
      throw new ProofError(`tile ${level}/${index} does not lead to the root of the tree of ${this.size}`);
    this.#cache.set(`${level}/${index}`, tile);
    return tile;
  }

  /** The partial tile of each level, undefined where a level ends with a full one. */
  async #readEdge(): Promise<readonly (ExpandedTile | undefined)[]> {
    const reads: Promise<ExpandedTile | undefined>[] = [];
    for (let level = 0; hashesAtTileLevel(this.size, level) > 0; level++) {
      const index = Math.floor(hashesAtTileLevel(this.size, level) / TILE_WIDTH);
      const width = tileWidth(this.size, level, index);
      reads.push(width === 0 ? Promise.resolve(undefined) : this.#read(level, index, width));
    }
    const edge = await Promise.all(reads);
    const parts = edge.map((tile) => (tile === undefined ? new Uint8Array(0) : edgeOf(tile, this.#hasher))).reverse();
    const hashes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      hashes.set(part, at);
      at += part.length;
    }
    if (!equalBytes(CompactRange.restore(this.size, hashes, this.#hasher).root(), this.#root))
      throw new ProofError(`the right edge of the tree of ${this.size} does not lead to its root`);
    return edge;
  }

  async #read(level: number, index: number, width: number): Promise<ExpandedTile> {
    const hashes = await this.#readTile({ level, index, width });
    if (hashes.length !== width * HASH_SIZE)
      throw new ProofError(`tile ${level}/${index} has ${hashes.length} bytes instead of ${width * HASH_SIZE}`);
    return new ExpandedTile(hashes, this.#hasher);
  }
}

/** The edge of the tree of a partial tile's hashes, largest subtree first, flat. */
function edgeOf(tile: ExpandedTile, hasher: Hasher): Uint8Array {
  const range = new CompactRange(hasher);
  range.appendMany(tile.hashes);
  return range.hashes();
}
