export { AuthenticTiles } from './authentic-tiles.js';
export { CompactRange, type NodeVisitor, rangeNodes } from './compact-range.js';
export { formatEntryBundle, parseEntryBundle } from './entry-bundle.js';
export { type EntryPackage, entryPackages, formatEntryPackage } from './entry-package.js';
export { MerkleInputError, MerkleStateError, ProofError } from './errors.js';
export { type HashReader, type NodeId, restoreRange } from './hash-reader.js';
export { checkHash, emptyRoot, equalBytes, HASH_SIZE, type Hasher, portableHasher } from './hasher.js';
export { type Proof, proveConsistency, proveInclusion, proveSubtreeConsistency } from './prove.js';
export { checkSize, MAX_SIZE, safeSize } from './size.js';
export { completeSubtrees, isSubtree } from './subtree.js';
export {
  type BundleId,
  bundlePath,
  hashesAtTileLevel,
  MAX_ENTRY_SIZE,
  parseTilePath,
  TILE_HEIGHT,
  TILE_WIDTH,
  type TileId,
  type TilePath,
  tilePath,
  tilesForGrowth,
  tileWidth,
} from './tile.js';
export { ExpandedTile, type ReadTile, TileCache, tileHashReader } from './tile-reader.js';
export { verifyConsistency, verifySubtreeConsistency } from './verify-consistency.js';
export { rootFromInclusion, verifyInclusion, verifySubtreeInclusion } from './verify-inclusion.js';
