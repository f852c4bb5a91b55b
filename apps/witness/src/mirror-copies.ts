import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { equalBytes, type Hasher, MerkleStateError } from '@treering/merkle';
import { StorageError } from '@treering/storage';
import { MirrorStore } from './mirror-store.js';
import { originHash } from './origin-hash.js';
import type { MirroredHead, WitnessStore } from './store.js';

/** The copies of a mirror in a folder, one database for each log, named by the hash of its origin. */
export class MirrorCopies {
  readonly #store: WitnessStore;
  readonly #folder: string;
  readonly #hasher: Hasher;
  readonly #copies = new Map<string, MirrorStore>();

  constructor(store: WitnessStore, folder: string, hasher: Hasher) {
    this.#store = store;
    this.#folder = folder;
    this.#hasher = hasher;
  }

  /**
   * Compares every copy with the head that was cosigned of it. One that has lost entries, or has others, is locked.
   * @returns the origins of those that were found now
   */
  async examine(): Promise<string[]> {
    const found: string[] = [];
    for (const origin of this.#store.origins()) {
      const head = this.#store.mirrored(origin);
      if (head === undefined || head.lost !== undefined || head.refilling) continue;
      const reason = await this.#contradiction(origin, head);
      if (reason === undefined) continue;
      this.#store.loseMirror(origin, reason);
      found.push(origin);
    }
    return found;
  }

  async #contradiction(origin: string, { size, root }: MirroredHead): Promise<string | undefined> {
    try {
      const copy = this.open(origin);
      if (BigInt(copy.size) < size)
        return `the mirror cosigned ${origin} at size ${size}, and its copy has ${copy.size} entries: it is gone, or an older one`;
      if (equalBytes(await copy.root(Number(size)), root)) return undefined;
      return `the copy of ${origin} does not hash to the head of size ${size} that the mirror cosigned`;
    } catch (error) {
      if (error instanceof MerkleStateError || error instanceof StorageError) return error.message;
      throw error;
    }
  }

  /** True when there is something of a log to read. */
  has(origin: string): boolean {
    return this.#copies.has(origin) || existsSync(this.#pathOf(origin));
  }

  /** Entries of a log that are stored; undefined when its copy cannot be read. */
  entries(origin: string): number | undefined {
    try {
      return this.has(origin) ? this.open(origin).size : 0;
    } catch (error) {
      if (error instanceof StorageError) return undefined;
      throw error;
    }
  }

  #pathOf(origin: string): string {
    return join(this.#folder, `${originHash(origin)}.db`);
  }

  /** The copy of a log, begun when there is none. @throws StorageError */
  open(origin: string): MirrorStore {
    const known = this.#copies.get(origin);
    if (known !== undefined) return known;
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    const copy = MirrorStore.open(this.#pathOf(origin), origin, this.#hasher);
    this.#copies.set(origin, copy);
    return copy;
  }

  /** Why a copy takes nothing more, or undefined. */
  get broken(): unknown {
    return [...this.#copies.values()].find(({ broken }) => broken !== undefined)?.broken;
  }

  close(): void {
    for (const copy of this.#copies.values()) copy.close();
    this.#copies.clear();
  }
}
