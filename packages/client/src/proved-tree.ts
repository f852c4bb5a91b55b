import { type AuthenticTiles, equalBytes, type Hasher, type HashReader, type NodeId, TILE_WIDTH } from '@treering/merkle';
import { ClientError } from './errors.js';
import type { TlogReader } from './tlog-reader.js';
import { held } from './verified.js';

/** The tree of a verified head: its hashes and its entries, in any order. Only what leads to the root comes out. */
export class ProvedTree implements HashReader {
  readonly size: number;
  readonly #log: TlogReader;
  readonly #hasher: Hasher;
  readonly #tiles: AuthenticTiles;
  /** The bundle that was read last: entries are mostly asked for in order. */
  #bundle: { readonly index: number; readonly entries: readonly Uint8Array[] } | undefined;

  /** @param root 32 bytes */
  constructor(log: TlogReader, size: number, root: Uint8Array, hasher: Hasher) {
    this.size = size;
    this.#log = log;
    this.#hasher = hasher;
    this.#tiles = log.tree(size, root);
  }

  /** @throws ClientError when what the log gives out does not lead to the root */
  readHashes(nodes: readonly NodeId[]): Promise<Uint8Array> {
    return held(this.#tiles.readHashes(nodes));
  }

  /**
   * The bytes of an entry.
   * @throws ClientError when the log does not give out the one that its tree contains
   */
  async entry(index: number): Promise<Uint8Array> {
    const leaf = await this.readHashes([{ level: 0, index }]);
    const entry = (await this.#bundleOf(index))[index % TILE_WIDTH];
    if (entry === undefined || !equalBytes(this.#hasher.hashLeaf(entry), leaf))
      throw new ClientError('client/not-verified', `what the log gives out as entry ${index} is not the entry of its tree`);
    return entry;
  }

  async #bundleOf(entry: number): Promise<readonly Uint8Array[]> {
    const index = Math.floor(entry / TILE_WIDTH);
    if (this.#bundle?.index !== index) {
      const width = Math.min(TILE_WIDTH, this.size - index * TILE_WIDTH);
      this.#bundle = { index, entries: await held(this.#log.bundle(index, width)) };
    }
    return this.#bundle.entries;
  }
}
