import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as merkle from '../src/index.js';
import * as node from '../src/node/index.js';
import * as simd from '../src/simd/index.js';

test('@treering/merkle exports exactly these names', () => {
  assert.equal(Object.keys(merkle).sort(), [
    'AuthenticTiles',
    'CompactRange',
    'ExpandedTile',
    'HASH_SIZE',
    'MAX_ENTRY_SIZE',
    'MAX_SIZE',
    'MerkleInputError',
    'MerkleStateError',
    'ProofError',
    'TILE_HEIGHT',
    'TILE_WIDTH',
    'TileCache',
    'bundlePath',
    'checkHash',
    'checkSize',
    'completeSubtrees',
    'emptyRoot',
    'entryPackages',
    'equalBytes',
    'formatEntryBundle',
    'formatEntryPackage',
    'hashesAtTileLevel',
    'isSubtree',
    'parseEntryBundle',
    'parseTilePath',
    'portableHasher',
    'proveConsistency',
    'proveInclusion',
    'proveSubtreeConsistency',
    'rangeNodes',
    'restoreRange',
    'rootFromInclusion',
    'safeSize',
    'tileHashReader',
    'tilePath',
    'tileWidth',
    'tilesForGrowth',
    'verifyConsistency',
    'verifyInclusion',
    'verifySubtreeConsistency',
    'verifySubtreeInclusion',
  ]);
});

test('@treering/merkle/node exports exactly the native hashers and the pool', () => {
  assert.equal(Object.keys(node).sort(), ['TreePool', 'nodeHasher', 'opensslHasher']);
});

test('@treering/merkle/simd exports exactly the hasher and its kernel', () => {
  assert.equal(Object.keys(simd).sort(), ['createSimdHasher', 'isSimdAvailable', 'kernelModule']);
});

test.run();
