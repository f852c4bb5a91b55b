import type { TlogReader } from '@treering/client';
import {
  AuthenticTiles,
  equalBytes,
  type Hasher,
  type HashReader,
  type Proof,
  proveConsistency,
  restoreRange,
  TileCache,
  tileHashReader,
} from '@treering/merkle';
import type { WatchedLogConfig } from './log-config.js';
import type { KnownHead, MonitorStore } from './store.js';

/** What the tree that was followed is read with. */
export interface FollowedTreeParts {
  readonly config: WatchedLogConfig;
  readonly store: MonitorStore;
  readonly hasher: Hasher;
  readonly log: TlogReader;
}

/** What a larger tree contains at the size of a smaller one, and the proof from there to its root. */
export interface Contained {
  readonly root: Uint8Array;
  readonly proof: Proof;
}

/** Heads that are remembered as contained. */
const MOST_CONTAINED = 1024;

/**
 * The tree that was followed: from what was kept, or for a log that is not audited from its tiles. What is shown again and again
 * asks the log for nothing: tiles are kept in memory, and so is which heads the tree contains. It only ever grows.
 */
export class FollowedTree {
  readonly #parts: FollowedTreeParts;
  readonly #cache = new TileCache();
  readonly #contained = new Set<string>();
  #last: { readonly head: KnownHead; readonly tree: HashReader } | undefined;

  constructor(parts: FollowedTreeParts) {
    this.#parts = parts;
  }

  /** The hashes of a head that was followed. */
  reader(head: KnownHead): HashReader {
    const { config, store, hasher, log } = this.#parts;
    if (config.audit) return tileHashReader(head.size, store.tiles(config.origin), hasher);
    if (this.#last === undefined || !isSame(this.#last.head, head))
      this.#last = { head, tree: new AuthenticTiles(head.size, head.root, log.tile, hasher, this.#cache) };
    return this.#last.tree;
  }

  /** What a tree that was followed contains at a smaller size. @throws ClientError, ProofError or MerkleInputError */
  async at(size: number, followed: KnownHead): Promise<Contained> {
    const { hasher } = this.#parts;
    const reader = this.reader(followed);
    const root = (await restoreRange(reader, size, hasher)).root();
    return { root, proof: await proveConsistency(reader, size, followed.size, hasher) };
  }

  /**
   * What a followed tree contains in place of a head that is not larger; undefined when it contains the head.
   * @throws ClientError, ProofError or MerkleInputError when that cannot be told now
   */
  async instead(head: KnownHead, followed: KnownHead): Promise<Contained | undefined> {
    if (head.size === 0 || this.isKnown(head)) return undefined;
    const root = (await restoreRange(this.reader(followed), head.size, this.#parts.hasher)).root();
    if (!equalBytes(root, head.root)) return this.at(head.size, followed);
    this.#contained.add(nameOf(head));
    if (this.#contained.size > MOST_CONTAINED) this.#contained.delete(this.#contained.values().next().value as string);
    return undefined;
  }

  /** Whether a head was found to be contained before. */
  isKnown(head: KnownHead): boolean {
    return this.#contained.has(nameOf(head));
  }
}

/** Whether two heads are of one tree. */
export function isSame(a: KnownHead, b: KnownHead): boolean {
  return a.size === b.size && equalBytes(a.root, b.root);
}

function nameOf({ size, root }: KnownHead): string {
  return `${size}/${Buffer.from(root).toString('base64')}`;
}
