import {
  type BundleId,
  bundlePath,
  CompactRange,
  equalBytes,
  HASH_SIZE,
  type Hasher,
  MerkleInputError,
  portableHasher,
  TILE_WIDTH,
} from '@treering/merkle';
import { hex } from '@treering/note';
import { ClientError } from './errors.js';
import { requireContained } from './follower.js';
import { readAhead } from './read-ahead.js';
import { type ServedTile, TileComparison, tileMistake, type WrongTile } from './tile-comparison.js';
import type { TlogReader } from './tlog-reader.js';

/** Bundles that are under way or wait to be hashed; each has at most 16 MiB, and most have far less. */
const AHEAD = 16;

/** How the entries of a log are hashed. */
export interface HashAuditOptions {
  readonly hasher?: Hasher;
  /** Where to go on: what an earlier audit returned. The empty tree by default. Not with `tiles`. */
  readonly position?: Uint8Array;
  /** Also compares every tile of hashes with the entries. */
  readonly tiles?: boolean;
  /** Told after each bundle how many entries were hashed. */
  readonly progress?: (size: number) => void;
}

/** What hashing a log amounts to: its entries lead to the signed root. */
export interface HashAudit {
  /** Entries and bytes of entries that were hashed. */
  readonly entries: number;
  readonly bytes: number;
  /** Tiles of hashes that were compared; none unless it was asked for. */
  readonly tiles: number;
  /** Where another audit can go on. */
  readonly position: Uint8Array;
}

/** What was fetched of a bundle. */
interface Piece {
  readonly bundle: BundleId;
  readonly entries: readonly Uint8Array[];
  /** The tile beside it, when tiles are compared. */
  readonly served: ServedTile | undefined;
}

/**
 * Hashes every entry of a log to the root of its tree, and compares that with a head whose signature the caller has verified. What the
 * entries say is not looked at, so this takes any log that is served as tiles (https://c2sp.org/tlog-tiles).
 * @throws ClientError client/not-verified for entries that do not lead to the root, or tiles that are not what the entries make them
 * @throws MerkleInputError for a position that is none
 */
export async function auditHashes(
  log: TlogReader,
  { size, root }: { readonly size: number; readonly root: Uint8Array },
  { hasher = portableHasher, position, tiles = false, progress }: HashAuditOptions = {},
): Promise<HashAudit> {
  const range = position === undefined ? new CompactRange(hasher) : CompactRange.parse(position, hasher);
  const before = { size: range.size, root: range.root() };
  if (before.size > 0 && tiles) throw new MerkleInputError('tiles are compared from the first entry on');
  if (size < before.size)
    throw new ClientError('client/not-verified', `the tree has ${size} entries, and ${before.size} were hashed before`);
  const comparison = tiles ? new TileComparison(log) : undefined;
  const leaves = new Uint8Array(TILE_WIDTH * HASH_SIZE);
  let bytes = 0;
  const end = range.size === size ? 0 : Math.ceil(size / TILE_WIDTH);
  const read = (index: number): Promise<Piece> => fetchPiece(log, size, index, comparison);
  for await (const { bundle, entries, served } of readAhead(Math.floor(range.size / TILE_WIDTH), end, AHEAD, read)) {
    const fresh = entries.slice(range.size - bundle.index * TILE_WIDTH);
    const hashes = leaves.subarray(0, fresh.length * HASH_SIZE);
    hasher.hashLeaves(fresh, hashes);
    range.appendMany(hashes, comparison?.visit);
    for (const entry of fresh) bytes += entry.length;
    if (served !== undefined) comparison?.compare({ level: 0, ...bundle }, hashes, served);
    await comparison?.compareFull();
    progress?.(range.size);
  }
  await comparison?.compareEdge();
  if (!equalBytes(range.root(), root)) throw await mismatch(log, { size, root }, range, before, comparison, hasher);
  const wrong = comparison?.first;
  if (wrong !== undefined)
    throw new ClientError(
      'client/not-verified',
      `all ${size} entries lead to the signed root, but ${comparison?.wrong} of the log's tiles are not what the entries make them, first ${tileMistake(wrong)}: proofs made from it do not hold`,
    );
  return { entries: size - before.size, bytes, tiles: comparison?.compared ?? 0, position: range.serialise() };
}

/** Fetches a bundle, and the tile beside it. */
async function fetchPiece(
  log: TlogReader,
  size: number,
  index: number,
  comparison: TileComparison | undefined,
): Promise<Piece> {
  const bundle = { index, width: Math.min(TILE_WIDTH, size - index * TILE_WIDTH) };
  const [entries, served] = await Promise.all([readBundle(log, bundle), comparison?.ask({ level: 0, ...bundle })]);
  return { bundle, entries, served };
}

/** @throws ClientError client/not-verified that names a bundle that is missing or is none */
async function readBundle(log: TlogReader, bundle: BundleId): Promise<readonly Uint8Array[]> {
  try {
    return await log.bundle(bundle.index, bundle.width);
  } catch (error) {
    const gone = error instanceof ClientError && (error.status === 404 || error.status === 410);
    const unfit = error instanceof MerkleInputError || (error instanceof ClientError && error.code === 'client/bad-answer');
    if (!gone && !unfit) throw error;
    throw new ClientError('client/not-verified', `${entriesOf(bundle)} cannot be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function entriesOf(bundle: BundleId): string {
  const first = bundle.index * TILE_WIDTH;
  return `entries ${first} to ${first + bundle.width - 1} (${bundlePath(bundle)})`;
}

/** Why the entries do not lead to the root, as far as it can be known. */
async function mismatch(
  log: TlogReader,
  head: { readonly size: number; readonly root: Uint8Array },
  range: CompactRange,
  before: { readonly size: number; readonly root: Uint8Array },
  comparison: TileComparison | undefined,
  hasher: Hasher,
): Promise<Error> {
  const tree = log.tree(head.size, head.root);
  const told = (why: string): ClientError =>
    new ClientError(
      'client/not-verified',
      `the ${head.size} entries that the log gives out hash to ${hex(range.root())}, and its signed head says ${hex(head.root)}${why}`,
    );
  if (before.size > 0) {
    // The entries may be right, and those that were hashed before be others.
    const other = await requireContained(tree, before.size, before.root, hasher).catch((error: unknown) => error);
    if (other instanceof ClientError && other.code === 'client/inconsistent') return other;
    return told(`; the first ${before.size} of them were hashed before`);
  }
  const wrong = comparison?.first;
  if (wrong === undefined)
    return told(comparison === undefined ? '' : '; its tiles agree with its entries, so the head is of another tree');
  return told(`; ${await blame(wrong, () => tree.tile(0, wrong.tile.index))}`);
}

/** Whether a tile or the entries below it are at fault: a tile that leads to the root says which. */
async function blame(wrong: WrongTile, authentic: () => Promise<{ readonly hashes: Uint8Array }>): Promise<string> {
  if (wrong.tile.level > 0) return `the first tile that does not fit them is ${tileMistake(wrong)}`;
  let hashes: Uint8Array;
  try {
    hashes = (await authentic()).hashes;
  } catch {
    // Neither leads to the root, or nothing can be read any more.
    return `the first tile that does not fit them is ${tileMistake(wrong)}, which does not lead to the root either`;
  }
  const at = hashes.findIndex((byte, i) => byte !== wrong.computed[i]);
  // The log has answered otherwise now than before.
  if (at < 0) return `the first tile that did not fit them was ${tileMistake(wrong)}, and now it does`;
  const index = wrong.tile.index * TILE_WIDTH + Math.floor(at / HASH_SIZE);
  return `the first entry that is not the one of its tree is entry ${index}, of ${entriesOf(wrong.tile)}`;
}
