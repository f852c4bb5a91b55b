import { MerkleInputError, MerkleStateError } from './errors.js';
import { checkHash, emptyRoot, HASH_SIZE, type Hasher, portableHasher } from './hasher.js';
import { checkSize, hasBit, MAX_SIZE, shiftRight } from './size.js';

/**
 * Told of every complete node that an append creates: `count` hashes at `level` (0 is the leaves), the first of which has
 * index `start` in its level. `hashes` is a view that is valid only during the call.
 */
export type NodeVisitor = (level: number, start: number, hashes: Uint8Array) => void;

/**
 * The right edge of a tree: for each set bit of the size, the hash of the complete subtree that this bit stands for.
 * It is all that is needed to append and to know the root: at most 53 hashes for any size.
 */
export class CompactRange {
  readonly #hasher: Hasher;
  /** Slot `level` holds the hash of the complete subtree of 2^level leaves when bit `level` of the size is set. */
  #edge = new Uint8Array(53 * HASH_SIZE);
  /** What the edge becomes while a batch is appended; the two change places when it is complete. */
  #nextEdge = new Uint8Array(53 * HASH_SIZE);
  #size = 0;
  #scratch: [Uint8Array, Uint8Array] = [new Uint8Array(0), new Uint8Array(0)];

  constructor(hasher: Hasher = portableHasher) {
    this.#hasher = hasher;
  }

  /**
   * A range of `size` leaves from its stored hashes, largest subtree first: 32 bytes for each set bit of `size`.
   * @throws MerkleInputError when the number of hashes does not fit the size.
   */
  static restore(size: number, hashes: Uint8Array, hasher: Hasher = portableHasher): CompactRange {
    checkSize(size, 'tree size');
    const levels = rangeLevels(size);
    if (hashes.length !== levels.length * HASH_SIZE) {
      throw new MerkleInputError(
        `a tree of ${size} leaves has ${levels.length} hashes at its right edge, got ${hashes.length} bytes`,
      );
    }
    const range = new CompactRange(hasher);
    range.#size = size;
    levels.forEach((level, i) => {
      range.#edge.set(hashes.subarray(i * HASH_SIZE, (i + 1) * HASH_SIZE), level * HASH_SIZE);
    });
    return range;
  }

  /**
   * Reads what `serialise` wrote.
   * @throws MerkleInputError on any other bytes.
   */
  static parse(bytes: Uint8Array, hasher: Hasher = portableHasher): CompactRange {
    if (bytes.length < 8) throw new MerkleInputError('a serialised range has at least 8 bytes');
    const size = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0);
    if (size > BigInt(MAX_SIZE)) throw new MerkleInputError(`tree size ${size} is beyond 2^53 - 1`);
    return CompactRange.restore(Number(size), bytes.subarray(8), hasher);
  }

  /** The number of leaves. */
  get size(): number {
    return this.#size;
  }

  /** The edge's hashes, largest subtree first, as a flat copy. */
  hashes(): Uint8Array {
    const levels = rangeLevels(this.#size);
    const out = new Uint8Array(levels.length * HASH_SIZE);
    levels.forEach((level, i) => {
      out.set(this.#slot(level), i * HASH_SIZE);
    });
    return out;
  }

  /** 8 bytes of size (big-endian) and the hashes of `hashes()`. */
  serialise(): Uint8Array {
    const hashes = this.hashes();
    const out = new Uint8Array(8 + hashes.length);
    new DataView(out.buffer).setBigUint64(0, BigInt(this.#size));
    out.set(hashes, 8);
    return out;
  }

  /** An independent copy. */
  clone(): CompactRange {
    const copy = new CompactRange(this.#hasher);
    copy.#edge.set(this.#edge);
    copy.#size = this.#size;
    return copy;
  }

  /** The tree hash (RFC 6962 section 2.1), 32 bytes. */
  root(): Uint8Array {
    const levels = rangeLevels(this.#size);
    if (levels.length === 0) return emptyRoot();
    let hash = this.#slot(levels[levels.length - 1]).slice();
    for (let i = levels.length - 2; i >= 0; i--) hash = this.#hasher.hashNode(this.#slot(levels[i]), hash) as typeof hash;
    return hash;
  }

  /** Appends one leaf hash (32 bytes). */
  append(leafHash: Uint8Array, visit?: NodeVisitor): void {
    checkHash(leafHash, 'leaf hash');
    if (visit === undefined) this.appendSubtree(0, leafHash);
    else this.appendMany(leafHash, visit);
  }

  /**
   * Appends `leafHashes.length / 32` leaves from a flat buffer, level by level, each level as one batch of hashes.
   * Appending n leaves to an empty range costs at most n - 1 node hashes.
   * @throws MerkleInputError when the buffer is no multiple of 32 bytes or the tree would outgrow 2^53 - 1.
   */
  appendMany(leafHashes: Uint8Array, visit?: NodeVisitor): void {
    if (leafHashes.length % HASH_SIZE !== 0) throw new MerkleInputError('leaf hashes must be a multiple of 32 bytes');
    let count = leafHashes.length / HASH_SIZE;
    if (count === 0) return;
    const newSize = this.#size + count;
    if (newSize > MAX_SIZE) throw new MerkleInputError('the tree would outgrow 2^53 - 1 leaves');
    const room = (count + 2) * HASH_SIZE;
    if (this.#scratch[0].length < room) this.#scratch = [new Uint8Array(room), new Uint8Array(room)];
    // The edge is replaced at the end, so that a visitor or hasher that throws leaves the range as it was.
    const edge = this.#nextEdge;
    edge.set(this.#edge);
    let [from, to] = this.#scratch;
    from.set(leafHashes, HASH_SIZE);
    // Invariant: `from` holds, from slot 1 on, the `count` new nodes of this level, the first with index `start`.
    let start = this.#size;
    for (let level = 0; count > 0; level++) {
      visit?.(level, start, from.subarray(HASH_SIZE, (count + 1) * HASH_SIZE));
      let offset = HASH_SIZE;
      if (start % 2 === 1) {
        from.set(this.#slot(level), 0);
        offset = 0;
        start--;
        count++;
      }
      const pairs = Math.floor(count / 2);
      if (count % 2 === 1) {
        const last = offset + (count - 1) * HASH_SIZE;
        edge.set(from.subarray(last, last + HASH_SIZE), level * HASH_SIZE);
      }
      this.#hasher.hashNodes(from.subarray(offset), pairs, to.subarray(HASH_SIZE));
      [from, to] = [to, from];
      start /= 2;
      count = pairs;
    }
    [this.#edge, this.#nextEdge] = [edge, this.#edge];
    this.#size = newSize;
  }

  /**
   * Appends a complete subtree of 2^level leaves by its hash (32 bytes), as if all its leaves were appended.
   * @throws MerkleInputError when the size is no multiple of 2^level: no such subtree begins here
   */
  appendSubtree(level: number, hash: Uint8Array): void {
    checkHash(hash, 'subtree hash');
    const width = 2 ** level;
    if (!Number.isInteger(level) || level < 0 || level > 52 || this.#size % width !== 0)
      throw new MerkleInputError(`no subtree of level ${level} begins at leaf ${this.#size}`);
    if (this.#size + width > MAX_SIZE) throw new MerkleInputError('the tree would outgrow 2^53 - 1 leaves');
    let node = hash;
    let at = level;
    for (; hasBit(this.#size, at); at++) node = this.#hasher.hashNode(this.#slot(at), node);
    this.#edge.set(node, at * HASH_SIZE);
    this.#size += width;
  }

  #slot(level: number): Uint8Array {
    return this.#edge.subarray(level * HASH_SIZE, (level + 1) * HASH_SIZE);
  }
}

/** The levels of the complete subtrees that a tree of `size` leaves consists of, largest first. */
function rangeLevels(size: number): number[] {
  const levels: number[] = [];
  for (let level = 52; level >= 0; level--) if (hasBit(size, level)) levels.push(level);
  return levels;
}

/** The complete nodes whose hashes make up the right edge of a tree of `size` leaves, largest first. */
export function rangeNodes(size: number): { level: number; index: number }[] {
  checkSize(size, 'tree size');
  return rangeLevels(size).map((level) => {
    const index = shiftRight(size, level) - 1;
    if (index < 0) throw new MerkleStateError(`level ${level} has no node in a tree of ${size}`);
    return { level, index };
  });
}
