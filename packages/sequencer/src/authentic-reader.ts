import {
  AuthenticTiles,
  emptyRoot,
  equalBytes,
  HASH_SIZE,
  type Hasher,
  type HashReader,
  MerkleStateError,
  type NodeId,
  ProofError,
  TILE_WIDTH,
  TileCache,
} from '@treering/merkle';
import { type Storage, StorageError, type StoredHead } from '@treering/storage';

/** Tiles that are kept, each of about 16 KiB. */
const CACHED_TILES = 1024;

/**
 * What a log answers its readers with: entries, tiles and hashes that lead to its newest signed head. Whatever a disk has altered
 * in the store is refused with its name, and never given out.
 */
export class AuthenticReader implements HashReader {
  readonly #storage: Storage;
  readonly #hasher: Hasher;
  readonly #head: () => StoredHead | null;
  readonly #cache = new TileCache(CACHED_TILES);
  #tiles: { readonly head: StoredHead | null; readonly tree: AuthenticTiles } | undefined;

  /** @param head the newest committed head, which each reading is checked against */
  constructor(storage: Storage, hasher: Hasher, head: () => StoredHead | null) {
    this.#storage = storage;
    this.#hasher = hasher;
    this.#head = head;
  }

  /** Entries that can be read. */
  get size(): number {
    return this.#head()?.size ?? 0;
  }

  /**
   * The first `width` hashes of a tile that the tree of the newest head has with this width or a larger one.
   * @throws StorageError (storage/corrupt) when they do not lead to the head
   */
  async tile(level: number, index: number, width: number): Promise<Uint8Array> {
    const { hashes } = await orCorrupt(this.#tree().tile(level, index));
    return hashes.slice(0, width * HASH_SIZE);
  }

  /**
   * The entries [start, end) of the newest head.
   * @throws StorageError storage/corrupt, which names the first entry that does not lead to the head; storage/missing beyond the head,
   *   where something may be stored that nobody is shown yet
   */
  async entries(start: number, end: number): Promise<Uint8Array[]> {
    if (end > this.size) throw new StorageError('storage/missing', `the newest head has ${this.size} entries, and not ${end}`);
    const tree = this.#tree();
    const entries = await this.#storage.entries(start, end).catch(refuse);
    const leaves = new Uint8Array(entries.length * HASH_SIZE);
    this.#hasher.hashLeaves(entries, leaves);
    for (let from = start; from < end; ) {
      const index = Math.floor(from / TILE_WIDTH);
      const to = Math.min(end, (index + 1) * TILE_WIDTH);
      const { hashes } = await orCorrupt(tree.tile(0, index));
      for (; from < to; from++) {
        const leaf = leaves.subarray((from - start) * HASH_SIZE, (from - start + 1) * HASH_SIZE);
        const at = (from - index * TILE_WIDTH) * HASH_SIZE;
        if (!equalBytes(leaf, hashes.subarray(at, at + HASH_SIZE)))
          throw new StorageError(
            'storage/corrupt',
            `the bytes of entry ${from} are not those that were logged; run "treering fsck"`,
          );
      }
    }
    return entries;
  }

  /** One entry. @throws StorageError as `entries` */
  async entry(index: number): Promise<Uint8Array> {
    const [entry] = await this.entries(index, index + 1);
    return entry;
  }

  /** Hashes of complete nodes of the tree. @throws StorageError (storage/corrupt) when they do not lead to the head */
  readHashes(nodes: readonly NodeId[]): Promise<Uint8Array> {
    return orCorrupt(this.#tree().readHashes(nodes));
  }

  #tree(): AuthenticTiles {
    const head = this.#head();
    if (this.#tiles === undefined || this.#tiles.head !== head) {
      const readTile = async ({ level, index, width }: { level: number; index: number; width: number }) => {
        const tile = await this.#storage.tile(level, index, width);
        if (tile === null) throw new MerkleStateError(`the store has no tile ${level}/${index} of ${width} hashes`);
        return tile;
      };
      const root = head?.root ?? emptyRoot();
      const tree = new AuthenticTiles(head?.size ?? 0, root, readTile, this.#hasher, this.#cache);
      this.#tiles = { head, tree };
    }
    return this.#tiles.tree;
  }
}

async function orCorrupt<T>(reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    if (!(error instanceof ProofError || error instanceof MerkleStateError)) throw error;
    throw new StorageError('storage/corrupt', `${error.message}; run "treering fsck"`, { cause: error });
  }
}

/** Entries that the head counts and that are not there were lost. */
function refuse(error: unknown): never {
  if (!(error instanceof StorageError) || error.code !== 'storage/missing') throw error;
  throw new StorageError('storage/corrupt', `${error.message}; run "treering fsck"`, { cause: error });
}
