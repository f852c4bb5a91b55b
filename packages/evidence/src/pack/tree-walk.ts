import { CompactRange, completeSubtrees, equalBytes, HASH_SIZE, type Hasher } from '@treering/merkle';
import { malformed } from './format.js';

/** The largest tree that is read; the state of the rules counts entries in 32 bits. */
const LARGEST_TREE = 2 ** 32 - 2;

/** Rebuilds a tree from left to right, out of entries and of the hashes of what lies between them. */
export class TreeWalk {
  readonly #hasher: Hasher;
  readonly #range: CompactRange;
  /** Roots at the positions that entries further on name, until one does; 32 bytes each. */
  readonly #marks = new Map<number, Uint8Array>();
  readonly #unused = new Set<number>();
  #entries = 0;
  #gapHashes = 0;

  constructor(hasher: Hasher) {
    this.#hasher = hasher;
    this.#range = new CompactRange(hasher);
  }

  /** Entries before the current position, those left out included. */
  get size(): number {
    return this.#range.size;
  }

  /** Entries that are in the file. */
  get entries(): number {
    return this.#entries;
  }

  /** Hashes that stand for what is left out. */
  get gapHashes(): number {
    return this.#gapHashes;
  }

  /** The root of all entries before the current position, 32 bytes. */
  root(): Uint8Array {
    return this.#range.root();
  }

  /** Moves on by one entry. Returns its index and its leaf hash. */
  entry(bytes: Uint8Array): { index: number; leaf: Uint8Array } {
    if (this.size >= LARGEST_TREE) throw malformed('the tree is larger than any');
    const index = this.size;
    const leaf = this.#hasher.hashLeaf(bytes);
    this.#range.append(leaf);
    this.#entries++;
    return { index, leaf };
  }

  /** Moves on by entries that are left out. */
  gap(count: number, hashes: Uint8Array): void {
    if (count > LARGEST_TREE - this.size) throw malformed('the tree is larger than any');
    const subtrees = completeSubtrees(this.size, this.size + count);
    if (hashes.length !== subtrees.length * HASH_SIZE)
      throw malformed(`a gap of ${count} entries from entry ${this.size} on has ${subtrees.length} hashes`);
    subtrees.forEach(({ level }, i) => {
      this.#range.appendSubtree(level, hashes.subarray(i * HASH_SIZE, (i + 1) * HASH_SIZE));
    });
    this.#gapHashes += subtrees.length;
  }

  /** Remembers the root here, for an entry further on that names it. */
  mark(): void {
    if (this.#marks.has(this.size)) throw malformed('a position is marked twice');
    this.#marks.set(this.size, this.root());
    this.#unused.add(this.size);
  }

  /** Whether the tree had this root at this size; undefined when the file does not tell. */
  hadRoot(size: number, root: Uint8Array): boolean | undefined {
    const marked = this.#marks.get(size);
    this.#unused.delete(size);
    return marked === undefined ? undefined : equalBytes(marked, root);
  }

  /** @throws EvidenceError for a mark that no entry names: a pack has only what it needs */
  requireMarksUsed(): void {
    const [unused] = this.#unused;
    if (unused !== undefined) throw malformed(`the position ${unused} is marked, and no entry names it`);
  }
}
