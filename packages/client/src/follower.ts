import {
  type AuthenticTiles,
  CompactRange,
  equalBytes,
  HASH_SIZE,
  type Hasher,
  MerkleInputError,
  type NodeVisitor,
  type Proof,
  portableHasher,
  proveConsistency,
  proveInclusion,
  restoreRange,
  TILE_HEIGHT,
  TILE_WIDTH,
} from '@treering/merkle';
import { ClientError } from './errors.js';
import { readAhead } from './read-ahead.js';
import type { TlogReader } from './tlog-reader.js';
import { held } from './verified.js';

/** Entries that were proved to be in the tree that is followed. */
export interface EntryBatch {
  /** Index of the first one. */
  readonly start: number;
  readonly entries: readonly Uint8Array[];
  /** Their RFC 6962 leaf hashes, flat, 32 bytes each. */
  readonly leaves: Uint8Array;
}

/** What a log gave out instead of the entry that its tree contains. */
export class EntryMismatch extends ClientError {
  readonly index: number;
  /** What was given out; undefined when the whole bundle cannot be read. */
  readonly served: Uint8Array | undefined;
  /** The leaf hash that the tree contains there, 32 bytes, and its inclusion proof. */
  readonly leaf: Uint8Array;
  readonly inclusion: Proof;

  constructor(index: number, served: Uint8Array | undefined, leaf: Uint8Array, inclusion: Proof) {
    super('client/not-verified', `what the log gives out as entry ${index} is not the entry that its tree contains`);
    this.index = index;
    this.served = served;
    this.leaf = leaf;
    this.inclusion = inclusion;
  }
}

/** A signed tree that does not contain the one that was followed before. */
export class HistoryMismatch extends ClientError {
  /** Size of the tree that was followed. */
  readonly size: number;
  /** The root that the other tree has at that size, 32 bytes, and the consistency proof from there to its own root. */
  readonly root: Uint8Array;
  readonly proof: Proof;

  constructor(size: number, root: Uint8Array, proof: Proof) {
    super('client/inconsistent', `the first ${size} entries of the tree are others than before`);
    this.size = size;
    this.root = root;
    this.proof = proof;
  }
}

/** How a log is followed. */
export interface FollowerOptions {
  /** Where to go on: what `position` returned. The empty tree by default. */
  readonly position?: Uint8Array;
  readonly hasher?: Hasher;
  /** Bundles that are fetched before they are needed; each has at most 16 MiB. */
  readonly ahead?: number;
  /** Told of every complete node of the tree, before the entries come out that complete it. */
  readonly visit?: NodeVisitor;
}

/**
 * Follows a log from entry to entry, in bounded memory. No entry comes out before it was proved to be in the tree with the signed
 * root, and no tree is followed that does not contain the one before.
 */
export class Follower {
  readonly #log: TlogReader;
  readonly #hasher: Hasher;
  readonly #ahead: number;
  readonly #visit: NodeVisitor | undefined;
  readonly #range: CompactRange;

  /** @throws MerkleInputError for a position that is none */
  constructor(log: TlogReader, { position, hasher = portableHasher, ahead = 8, visit }: FollowerOptions = {}) {
    this.#log = log;
    this.#hasher = hasher;
    this.#ahead = ahead;
    this.#visit = visit;
    this.#range = position === undefined ? new CompactRange(hasher) : CompactRange.parse(position, hasher);
  }

  /** Entries that came out so far. */
  get size(): number {
    return this.#range.size;
  }

  /** The root over the entries that came out so far, 32 bytes. */
  root(): Uint8Array {
    return this.#range.root();
  }

  /** Where another follower can go on. */
  position(): Uint8Array {
    return this.#range.serialise();
  }

  /**
   * Reads all entries up to a head whose signature the caller has verified. Breaking off is fine: what came out is proved.
   * @throws EntryMismatch, HistoryMismatch, or another ClientError for a log that cannot be read
   */
  async *follow({ size, root }: { readonly size: number; readonly root: Uint8Array }): AsyncGenerator<EntryBatch> {
    if (size < this.size)
      throw new ClientError('client/not-verified', `the tree has ${size} entries, and ${this.size} were read`);
    const tree = this.#log.tree(size, root);
    await requireContained(tree, this.size, this.root(), this.#hasher);
    if (size === this.size) return;
    const [first, end] = [Math.floor(this.size / TILE_WIDTH), Math.ceil(size / TILE_WIDTH)];
    for await (const bundle of readAhead(first, end, this.#ahead, (index) => this.#bundle(tree, index))) {
      const batch = from(bundle, this.size);
      this.#range.appendMany(batch.leaves, this.#visit);
      yield batch;
    }
  }

  /** One bundle, proved. */
  async #bundle(tree: AuthenticTiles, index: number): Promise<EntryBatch> {
    const start = index * TILE_WIDTH;
    const width = Math.min(TILE_WIDTH, tree.size - start);
    let entries: Uint8Array[] = [];
    try {
      entries = await this.#log.bundle(index, width);
    } catch (error) {
      // A bundle that is none has not one of its entries.
      if (!(error instanceof MerkleInputError)) throw error;
    }
    const leaves = new Uint8Array(width * HASH_SIZE);
    this.#hasher.hashLeaves(entries, leaves);
    if (entries.length < width || !(await this.#isIn(tree, index, leaves))) throw await mismatch(tree, start, entries, leaves);
    return { start, entries, leaves };
  }

  /** A full bundle has one node above it, a partial one is at the edge. */
  async #isIn(tree: AuthenticTiles, index: number, leaves: Uint8Array): Promise<boolean> {
    if (leaves.length < TILE_WIDTH * HASH_SIZE) return equalBytes((await held(tree.tile(0, index))).hashes, leaves);
    const range = new CompactRange(this.#hasher);
    range.appendMany(leaves);
    return equalBytes(range.root(), await held(tree.readHashes([{ level: TILE_HEIGHT, index }])));
  }
}

/**
 * Proves that a tree contains an older one.
 * @throws HistoryMismatch when it does not, ClientError when the log's tiles do not lead to its root
 */
export async function requireContained(tree: AuthenticTiles, size: number, root: Uint8Array, hasher: Hasher): Promise<void> {
  if (size === 0) return;
  const other = (await held(restoreRange(tree, size, hasher))).root();
  if (equalBytes(other, root)) return;
  throw new HistoryMismatch(size, other, await held(proveConsistency(tree, size, tree.size, hasher)));
}

/** The first entry of a bundle that is not what the tree contains, or why that cannot be told. */
async function mismatch(
  tree: AuthenticTiles,
  start: number,
  entries: readonly Uint8Array[],
  leaves: Uint8Array,
): Promise<Error> {
  const { hashes } = await held(tree.tile(0, start / TILE_WIDTH));
  for (let i = 0; i * HASH_SIZE < hashes.length; i++) {
    const leaf = hashes.slice(i * HASH_SIZE, (i + 1) * HASH_SIZE);
    if (i < entries.length && equalBytes(leaf, leaves.subarray(i * HASH_SIZE, (i + 1) * HASH_SIZE))) continue;
    return new EntryMismatch(start + i, entries[i], leaf, await held(proveInclusion(tree, start + i, tree.size)));
  }
  return new ClientError('client/not-verified', `the log gives out other hashes than its tree contains from entry ${start} on`);
}

/** The part of a batch from an index on. */
function from(batch: EntryBatch, index: number): EntryBatch {
  const skipped = index - batch.start;
  if (skipped === 0) return batch;
  return { start: index, entries: batch.entries.slice(skipped), leaves: batch.leaves.subarray(skipped * HASH_SIZE) };
}
