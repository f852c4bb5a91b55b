import {
  AuthenticTiles,
  bundlePath,
  HASH_SIZE,
  type Hasher,
  parseEntryBundle,
  portableHasher,
  type ReadTile,
  TILE_WIDTH,
  type TileId,
  tilePath,
} from '@treering/merkle';
import { MAX_NOTE_SIZE } from '@treering/note';
import { ClientError } from './errors.js';
import { type HttpOptions, LogHttp } from './http.js';

/** How a log is read. */
export interface TlogReaderOptions extends HttpOptions {
  readonly hasher?: Hasher;
}

/** The bytes of a tile or bundle, and the width that they were served at. */
interface Served {
  readonly bytes: Uint8Array;
  readonly width: number;
}

/**
 * Reads any log that is served as tiles (https://c2sp.org/tlog-tiles). What it returns was not verified, except for what comes out
 * of `tree`.
 */
export class TlogReader {
  readonly #http: LogHttp;
  readonly #hasher: Hasher;

  constructor(url: string, options: TlogReaderOptions = {}) {
    this.#http = new LogHttp(url, options);
    this.#hasher = options.hasher ?? portableHasher;
  }

  /** The log's prefix, without a slash at the end. */
  get url(): string {
    return this.#http.url;
  }

  /** The signed note. @throws ClientError */
  checkpoint(): Promise<Uint8Array> {
    return this.#http.request('/checkpoint', {}, MAX_NOTE_SIZE);
  }

  /** A tile of hashes. Where a partial one is gone, the full one begins with the same hashes. @throws ClientError */
  readonly tile: ReadTile = async (tile) => (await this.#tile(tile)).bytes.subarray(0, tile.width * HASH_SIZE);

  /** As `tile`, for one that must have no byte more than its hashes. @throws ClientError (client/bad-answer) */
  async wholeTile(tile: TileId): Promise<Uint8Array> {
    const { bytes, width } = await this.#tile(tile);
    if (bytes.length === width * HASH_SIZE) return bytes.subarray(0, tile.width * HASH_SIZE);
    throw new ClientError('client/bad-answer', `it has ${bytes.length} bytes instead of ${width * HASH_SIZE}`);
  }

  #tile({ level, index, width }: TileId): Promise<Served> {
    return this.#partialOrFull((w) => tilePath({ level, index, width: w }), width);
  }

  /**
   * The first `width` entries of a bundle; views into one buffer.
   * @throws ClientError, or MerkleInputError when the bundle is malformed
   */
  async bundle(index: number, width: number): Promise<Uint8Array[]> {
    const served = await this.#partialOrFull((w) => bundlePath({ index, width: w }), width);
    return parseEntryBundle(served.bytes, served.width).slice(0, width);
  }

  /** The tree with this root: only hashes that lead to it come out. */
  tree(size: number, root: Uint8Array): AuthenticTiles {
    return new AuthenticTiles(size, root, this.tile, this.#hasher);
  }

  async #partialOrFull(path: (width: number) => string, width: number): Promise<Served> {
    try {
      return { bytes: await this.#http.request(`/${path(width)}`), width };
    } catch (error) {
      const gone = error instanceof ClientError && (error.status === 404 || error.status === 410);
      if (!gone || width === TILE_WIDTH) throw error;
      const bytes = await this.#http.request(`/${path(TILE_WIDTH)}`).catch((other) => {
        throw other instanceof ClientError && other.status === 404 ? error : other;
      });
      return { bytes, width: TILE_WIDTH };
    }
  }
}
