import { MerkleInputError } from './errors.js';
import { checkSize, MAX_SIZE, shiftRight } from './size.js';

/** Hashes in a full tile, entries in a full entry bundle (C2SP tlog-tiles). */
export const TILE_WIDTH = 256;
/** Levels of the tree that one level of tiles spans. */
export const TILE_HEIGHT = 8;
/** The largest entry that fits in an entry bundle, in bytes. */
export const MAX_ENTRY_SIZE = 65_535;

/** A tile: `width` hashes of tree level 8 * level, the first of which has index 256 * index. */
export interface TileId {
  /** Tile level, 0 to 63. */
  readonly level: number;
  readonly index: number;
  /** 1 to 255 for a partial tile, 256 for a full one. */
  readonly width: number;
}

/** An entry bundle: the entries 256 * index to 256 * index + width - 1. */
export type BundleId = Omit<TileId, 'level'>;

/** How many hashes tile level `level` has in a tree of `size` leaves: floor(size / 256^level). */
export function hashesAtTileLevel(size: number, level: number): number {
  checkSize(size, 'tree size');
  checkSize(level, 'tile level');
  return shiftRight(size, level * TILE_HEIGHT);
}

/**
 * The width that tile `index` of `level` has in a tree of `size` leaves: 256 when full, 0 when it does not exist.
 */
export function tileWidth(size: number, level: number, index: number): number {
  checkSize(index, 'tile index');
  const available = hashesAtTileLevel(size, level) - index * TILE_WIDTH;
  return Math.max(0, Math.min(TILE_WIDTH, available));
}

/** All tiles that a tree has once it has grown from `oldSize` to `newSize` and that did not exist, or not as wide, before. */
export function tilesForGrowth(oldSize: number, newSize: number): TileId[] {
  checkSize(oldSize, 'old size');
  checkSize(newSize, 'new size');
  if (newSize < oldSize) throw new MerkleInputError(`a tree does not shrink from ${oldSize} to ${newSize}`);
  const tiles: TileId[] = [];
  for (let level = 0; hashesAtTileLevel(newSize, level) > 0; level++) {
    const before = hashesAtTileLevel(oldSize, level);
    const after = hashesAtTileLevel(newSize, level);
    if (after === before) continue;
    for (let index = Math.floor(before / TILE_WIDTH); index * TILE_WIDTH < after; index++) {
      tiles.push({ level, index, width: tileWidth(newSize, level, index) });
    }
  }
  return tiles;
}

/** `tile/<L>/<N>[.p/<W>]` without a leading slash (C2SP tlog-tiles). */
export function tilePath(tile: TileId): string {
  if (!Number.isInteger(tile.level) || tile.level < 0 || tile.level > 63) {
    throw new MerkleInputError(`tile level must be 0 to 63, got ${tile.level}`);
  }
  return `tile/${tile.level}/${indexPath(tile)}`;
}

/** `tile/entries/<N>[.p/<W>]` without a leading slash (C2SP tlog-tiles). */
export function bundlePath(bundle: BundleId): string {
  return `tile/entries/${indexPath(bundle)}`;
}

function indexPath({ index, width }: BundleId): string {
  checkSize(index, 'tile index');
  if (!Number.isInteger(width) || width < 1 || width > TILE_WIDTH) {
    throw new MerkleInputError(`tile width must be 1 to 256, got ${width}`);
  }
  let digits = String(index);
  digits = digits.padStart(Math.ceil(digits.length / 3) * 3, '0');
  const groups = digits.match(/.{3}/g) as string[];
  const path = groups.map((group, i) => (i < groups.length - 1 ? `x${group}` : group)).join('/');
  return width === TILE_WIDTH ? path : `${path}.p/${width}`;
}

/** A path of the read API: either a tile of hashes or an entry bundle. */
export type TilePath =
  | { readonly kind: 'tile'; readonly tile: TileId }
  | { readonly kind: 'entries'; readonly bundle: BundleId };

const PATH = /^tile\/(entries|0|[1-5]?[0-9]|6[0-3])\/((?:x[0-9]{3}\/){0,5}[0-9]{3})(?:\.p\/([1-9][0-9]{0,2}))?$/;

/**
 * Parses what `tilePath` and `bundlePath` write, and nothing else: one spelling for each tile.
 * @throws MerkleInputError on any other text.
 */
export function parseTilePath(path: string): TilePath {
  const match = PATH.exec(path);
  if (match === null) throw new MerkleInputError('this is no tile path of C2SP tlog-tiles');
  const [, kind, groups, partial] = match;
  const index = Number(groups.replace(/[x/]/g, ''));
  const width = partial === undefined ? TILE_WIDTH : Number(partial);
  if (index > MAX_SIZE) throw new MerkleInputError('the tile index is beyond 2^53 - 1');
  if (partial !== undefined && width >= TILE_WIDTH) throw new MerkleInputError('a partial tile has 1 to 255 hashes');
  const parsed: TilePath =
    kind === 'entries'
      ? { kind: 'entries', bundle: { index, width } }
      : { kind: 'tile', tile: { level: Number(kind), index, width } };
  const canonical = parsed.kind === 'entries' ? bundlePath(parsed.bundle) : tilePath(parsed.tile);
  if (canonical !== path) throw new MerkleInputError(`this tile path is spelt ${canonical}`);
  return parsed;
}
