import {
  type BundleId,
  bundlePath,
  equalBytes,
  HASH_SIZE,
  type Hasher,
  type HashReader,
  MerkleInputError,
  MerkleStateError,
  parseEntryBundle,
  restoreRange,
  safeSize,
  TILE_WIDTH,
  type TileId,
  tileHashReader,
  tilePath,
} from '@treering/merkle';
import { type Ed25519, type LogTrust, openCheckpoint } from '@treering/note';
import { ClientError } from './errors.js';
import type { LogHttp } from './http.js';
import type { VerifiedHead } from './log-client.js';
import { verified } from './verified.js';

/** What is trusted about a log, and the means to verify it with. */
export interface TileLogOptions {
  readonly http: LogHttp;
  readonly trust: LogTrust;
  readonly hasher: Hasher;
  readonly ed25519: Ed25519;
}

/** Any log that publishes itself as tiles (https://c2sp.org/tlog-tiles), read from its checkpoint, tiles and entry bundles. */
export class TileLog {
  readonly #http: LogHttp;
  readonly #trust: LogTrust;
  readonly #hasher: Hasher;
  readonly #ed25519: Ed25519;

  constructor({ http, trust, hasher, ed25519 }: TileLogOptions) {
    this.#http = http;
    this.#trust = trust;
    this.#hasher = hasher;
    this.#ed25519 = ed25519;
  }

  /** The checkpoint that the log publishes, signed by it. @throws ClientError */
  async head(): Promise<VerifiedHead> {
    const note = await this.#http.request('/checkpoint');
    return verified(() => {
      const { checkpoint } = openCheckpoint(note, this.#trust, this.#ed25519);
      return { size: safeSize(checkpoint.size), root: checkpoint.root, note };
    });
  }

  /**
   * The hashes of the tree under a head, from tiles that lead to its root. Other nodes of the tiles are proved only by the proofs
   * made from them.
   * @throws ClientError, also from readHashes
   */
  async tree({ size, root }: VerifiedHead): Promise<HashReader> {
    const tiles = tileHashReader(size, (tile) => this.#tile(tile), this.#hasher);
    const reader: HashReader = { readHashes: (nodes) => held(tiles.readHashes(nodes)) };
    if (size > 0 && !equalBytes((await restoreRange(reader, size, this.#hasher)).root(), root))
      throw new ClientError('client/not-verified', 'the tiles that the log gives out do not hash to the root of its head');
    return reader;
  }

  async #tile(tile: TileId): Promise<Uint8Array> {
    const bytes = await this.#orFull(tile, (width) => tilePath({ ...tile, width }));
    return bytes.subarray(0, tile.width * HASH_SIZE);
  }

  /** The entries of a bundle. @throws ClientError */
  async entries(bundle: BundleId): Promise<Uint8Array[]> {
    let width = bundle.width;
    const bytes = await this.#orFull(bundle, (wanted) => {
      width = wanted;
      return bundlePath({ ...bundle, width: wanted });
    });
    return verified(() => parseEntryBundle(bytes, width)).slice(0, bundle.width);
  }

  /** A log may drop what is partial once it has the whole. */
  async #orFull({ width }: BundleId, pathOf: (width: number) => string): Promise<Uint8Array> {
    try {
      return await this.#http.request(`/${pathOf(width)}`);
    } catch (error) {
      if (!(error instanceof ClientError) || error.status !== 404 || width === TILE_WIDTH) throw error;
      return this.#http.request(`/${pathOf(TILE_WIDTH)}`);
    }
  }
}

/** Tiles that contradict themselves are the log's fault. */
async function held<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof MerkleStateError) && !(error instanceof MerkleInputError)) throw error;
    throw new ClientError('client/not-verified', `the tiles of the log do not hold: ${error.message}`, { cause: error });
  }
}
