import {
  CompactRange,
  emptyRoot,
  HASH_SIZE,
  type Hasher,
  MerkleStateError,
  restoreRange,
  TILE_WIDTH,
  tileHashReader,
} from '@treering/merkle';
import type { TileSource } from '@treering/server';
import { StorageError } from '@treering/storage';
import { isUnused, openDatabase, toStorageError } from '@treering/storage-sqlite';
import { MIRROR_SCHEMA } from './mirror-schema.js';

/** The copy of one log: entries that were authenticated, and the tiles over them. */
export class MirrorStore implements TileSource {
  readonly #db: ReturnType<typeof openDatabase>['db'];
  readonly #release: () => void;
  readonly #path: string;
  readonly #hasher: Hasher;
  readonly #sql;
  #broken: StorageError | undefined;

  private constructor(path: string, origin: string, hasher: Hasher) {
    const { db, lock } = openDatabase(path, { mode: isUnused(path) ? 'create' : 'open' }, MIRROR_SCHEMA);
    this.#db = db;
    this.#release = () => {
      db.close();
      lock?.close();
    };
    this.#path = path;
    this.#hasher = hasher;
    try {
      db.prepare('INSERT INTO log (id, origin) VALUES (1, ?) ON CONFLICT DO NOTHING').run(origin);
      if (db.prepare('SELECT origin FROM log').pluck().get() !== origin)
        throw new StorageError('storage/schema', `${path} is a copy of another log than ${origin}`);
      this.#sql = {
        size: db.prepare<[], number>('SELECT coalesce(max(idx) + 1, 0) FROM entries').pluck(),
        add: db.prepare('INSERT INTO entries (idx, leaf, bytes) VALUES (?, ?, ?)'),
        bytes: db
          .prepare<[number, number], Uint8Array>('SELECT bytes FROM entries WHERE idx >= ? AND idx < ? ORDER BY idx')
          .pluck(),
        leaves: db
          .prepare<[number, number], Uint8Array>('SELECT leaf FROM entries WHERE idx >= ? AND idx < ? ORDER BY idx')
          .pluck(),
        addTile: db.prepare('INSERT INTO tiles (level, idx, root, hashes) VALUES (?, ?, ?, ?)'),
        tile: db.prepare<[number, number], Uint8Array>('SELECT hashes FROM tiles WHERE level = ? AND idx = ?').pluck(),
        roots: db
          .prepare<[number, number, number], Uint8Array>(
            'SELECT root FROM tiles WHERE level = ? AND idx >= ? AND idx < ? ORDER BY idx',
          )
          .pluck(),
      };
    } catch (error) {
      this.close();
      throw error instanceof StorageError ? error : toStorageError(error, path);
    }
  }

  /**
   * Opens the copy of a log, or begins one where there is none.
   * @throws StorageError
   */
  static open(path: string, origin: string, hasher: Hasher): MirrorStore {
    return new MirrorStore(path, origin, hasher);
  }

  /** Entries that are stored: the index of the next one. */
  get size(): number {
    return this.#sql.size.get() as number;
  }

  /** Why nothing more is taken, or undefined. */
  get broken(): StorageError | undefined {
    return this.#broken;
  }

  /** Leaf hashes of the entries [start, end), 32 bytes each, in one buffer. */
  leaves(start: number, end: number): Uint8Array {
    return join(this.#sql.leaves.all(start, end), end - start);
  }

  /**
   * Adds entries behind those that are stored, with the tiles that they fill. Durable when it returns.
   * @param leaves their hashes, 32 bytes each, in one buffer
   * @throws StorageError; nothing is stored then
   */
  append(entries: readonly Uint8Array[], leaves: Uint8Array): void {
    if (this.#broken !== undefined) throw this.#broken;
    try {
      this.#db
        .transaction(() => {
          const first = this.size;
          entries.forEach((bytes, i) => {
            const next = first + i + 1;
            this.#sql.add.run(next - 1, leaves.subarray(i * HASH_SIZE, (i + 1) * HASH_SIZE), bytes);
            if (next % TILE_WIDTH === 0) this.#fillTiles(next / TILE_WIDTH - 1);
          });
        })
        .immediate();
    } catch (error) {
      if (error instanceof MerkleStateError) throw error;
      const failure = toStorageError(error, this.#path);
      // After any other error nobody knows what is on the disk: a new process reads it from there.
      if (failure.code !== 'storage/full') this.#broken = failure;
      throw failure;
    }
  }

  /** Stores tile `index` of level 0, which has become full, and those above it that have. */
  #fillTiles(index: number): void {
    let hashes = this.leaves(index * TILE_WIDTH, (index + 1) * TILE_WIDTH);
    for (let [level, at] = [0, index]; ; level++) {
      const range = new CompactRange(this.#hasher);
      range.appendMany(hashes);
      this.#sql.addTile.run(level, at, range.root(), hashes);
      if ((at + 1) % TILE_WIDTH !== 0) return;
      at = (at + 1) / TILE_WIDTH - 1;
      hashes = join(this.#sql.roots.all(level, at * TILE_WIDTH, (at + 1) * TILE_WIDTH), TILE_WIDTH);
    }
  }

  async tile(level: number, index: number, width: number): Promise<Uint8Array | null> {
    const full = this.#sql.tile.get(level, index);
    if (full !== undefined) return plain(full).slice(0, width * HASH_SIZE);
    const first = index * TILE_WIDTH;
    const hashes =
      level === 0 ? this.#sql.leaves.all(first, first + width) : this.#sql.roots.all(level - 1, first, first + width);
    return hashes.length === width ? join(hashes, width) : null;
  }

  async entries(start: number, end: number): Promise<Uint8Array[]> {
    const entries = this.#sql.bytes.all(start, end);
    if (entries.length !== end - start)
      throw new StorageError('storage/missing', `entries ${start} to ${end} are not all stored; there are ${this.size}`);
    return entries.map(plain);
  }

  /**
   * The root of the first `size` entries, from the stored tiles. Requires size <= this.size.
   * @throws MerkleStateError when a tile is missing
   */
  async root(size: number): Promise<Uint8Array> {
    if (size === 0) return emptyRoot();
    const reader = tileHashReader(
      size,
      async ({ level, index, width }) => {
        const tile = await this.tile(level, index, width);
        if (tile === null) throw new MerkleStateError(`the copy has no tile ${level}/${index} of ${width} hashes`);
        return tile;
      },
      this.#hasher,
    );
    return (await restoreRange(reader, size, this.#hasher)).root();
  }

  close(): void {
    this.#release();
  }
}

function join(hashes: readonly Uint8Array[], count: number): Uint8Array {
  if (hashes.length !== count) throw new MerkleStateError(`the copy has ${hashes.length} hashes where ${count} belong`);
  return new Uint8Array(Buffer.concat(hashes));
}

/** better-sqlite3 returns Buffers; callers get plain byte arrays. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}
