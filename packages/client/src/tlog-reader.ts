import {
  AuthenticTiles,
  bundlePath,
  HASH_SIZE,
  type Hasher,
  parseEntryBundle,
  portableHasher,
  type ReadTile,
  TILE_WIDTH,
  tilePath,
} from '@treering/merkle';
import { ClientError } from './errors.js';
import { type HttpOptions, LogHttp } from './http.js';

/** How a log is read. */
export interface TlogReaderOptions extends HttpOptions {
  readonly hasher?: Hasher;
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
    return this.#http.request('/checkpoint');
  }

  /** A tile of hashes. Where a partial one is gone, the full one begins with the same hashes. @throws ClientError */
  readonly tile: ReadTile = async ({ level, index, width }) => {
    const bytes = await this.#partialOrFull((w) => tilePath({ level, index, width: w }), width);
    return bytes.subarray(0, width * HASH_SIZE);
  };

  /**
   * The first `width` entries of a bundle; views into one buffer.
   * @throws ClientError, or MerkleInputError when the bundle is malformed
   */
  async bundle(index: number, width: number): Promise<Uint8Array[]> {
    let got = width;
    const bytes = await this.#partialOrFull((w) => {
      got = w;
      return bundlePath({ index, width: w });
    }, width);
    return parseEntryBundle(bytes, got).slice(0, width);
  }

  /** The tree with this root: only hashes that lead to it come out. */
  tree(size: number, root: Uint8Array): AuthenticTiles {
    return new AuthenticTiles(size, root, this.tile, this.#hasher);
  }

  async #partialOrFull(path: (width: number) => string, width: number): Promise<Uint8Array> {
    try {
      return await this.#http.request(`/${path(width)}`);
    } catch (error) {
      const gone = error instanceof ClientError && (error.status === 404 || error.status === 410);
      if (!gone || width === TILE_WIDTH) throw error;
      return this.#http.request(`/${path(TILE_WIDTH)}`).catch((other) => {
        throw other instanceof ClientError && other.status === 404 ? error : other;
      });
    }
  }
}
