import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { haveVectors, vectorBytes, vectorJson, vectorPath } from '../../../test/vectors.js';
import {
  bundlePath,
  CompactRange,
  formatEntryBundle,
  hashesAtTileLevel,
  MAX_ENTRY_SIZE,
  MerkleInputError,
  parseEntryBundle,
  parseTilePath,
  proveConsistency,
  proveInclusion,
  restoreRange,
  TILE_HEIGHT,
  TILE_WIDTH,
  type TileId,
  tileHashReader,
  tilePath,
  tilesForGrowth,
  tileWidth,
  verifyConsistency,
  verifyInclusion,
} from '../src/index.js';
import { nodeHasher } from '../src/node/index.js';
import { flat, hex, ruleEntry, ruleTree, tilesOf } from './memory-tiles.js';
import { throwsA } from './refusal.js';

/** For each level the number of full tiles and the width of the partial one, among all tiles of a tree. */
function shapeOf(tiles: readonly TileId[]): Record<string, number> {
  const shape: Record<string, number> = {};
  for (const { level, width } of tiles) {
    if (width === TILE_WIDTH) shape[`full_level${level}`] = (shape[`full_level${level}`] ?? 0) + 1;
    else shape[`partial_level${level}`] = width;
  }
  return shape;
}

test('the constants of C2SP tlog-tiles', () => {
  assert.equal([TILE_HEIGHT, TILE_WIDTH, MAX_ENTRY_SIZE], [8, 256, 65_535]);
});

test('a tree of 70,000 leaves has the tiles that C2SP tlog-tiles counts', () => {
  const shape = { full_level0: 273, partial_level0: 112, full_level1: 1, partial_level1: 17, partial_level2: 1 };
  assert.equal(shapeOf(tilesForGrowth(0, 70_000)), shape);
  assert.equal(
    [0, 1, 2, 3].map((level) => hashesAtTileLevel(70_000, level)),
    [70_000, 273, 1, 0],
  );
});

if (haveVectors) {
  test('c2sp-spec-examples: tile shape and index path', () => {
    const { tile_shape: shape, tile_index_path: path } = vectorJson('c2sp-spec-examples/examples.json');
    const { size, ...counts } = shape;
    assert.equal(shapeOf(tilesForGrowth(0, Number(size))), counts);
    assert.is(tilePath({ level: 0, index: Number(path.index), width: 256 }), `tile/0/${path.path}`);
  });

  test('golang.org/x/mod tlog: tiles that growth makes, at the height of C2SP', () => {
    // The cases are for tiles of 1,024 hashes and lie around the end of the first tile: move them to the end of ours.
    const moved = (size: number) => (size < 1000 ? size : size - 1024 + TILE_WIDTH);
    for (const c of vectorJson('golang-mod-tlog/tlog.json').new_tiles_count_height10) {
      assert.is(tilesForGrowth(moved(c.old), moved(c.new)).length, c.tiles, `${c.old} to ${c.new}`);
    }
  });

  test('golang.org/x/mod tlog: paths without their height', () => {
    for (const c of vectorJson('golang-mod-tlog/tlog.json').tile_paths_x_mod) {
      const path = c.path.replace(/^tile\/\d+/, 'tile');
      if (c.verdict === 'reject') throwsA(MerkleInputError, () => parseTilePath(path), path);
      else assert.equal(parseTilePath(path), { kind: 'tile', tile: { level: c.L, index: c.N, width: 256 } });
    }
  });

  test('Tessera: paths of bundles and tiles', () => {
    const { entries_path: entries, tile_path: tiles, parse } = vectorJson('tile-paths/tessera.json');
    for (const c of entries) {
      const index = Math.floor(Number(c.index) / TILE_WIDTH);
      const bundle = { index, width: tileWidth(Number(c.size), 0, index) };
      assert.is(bundlePath(bundle), c.path);
      assert.equal(parseTilePath(c.path), { kind: 'entries', bundle });
    }
    for (const c of tiles) {
      const tile = { level: c.level, index: Number(c.index), width: c.partial === 0 ? 256 : c.partial };
      assert.is(tilePath(tile), c.path);
      assert.equal(parseTilePath(c.path), { kind: 'tile', tile });
    }
    for (const c of parse) {
      const path = `tile/${c.level}/${c.index}`;
      if (c.verdict === 'reject') throwsA(MerkleInputError, () => parseTilePath(path), path);
      else assert.equal(parseTilePath(path).kind, 'tile', path);
    }
  });

  test('synthetic/tiles: the exact resources of each size, byte for byte', async () => {
    const { sizes, size_70000_counts: counts } = vectorJson('synthetic/tiles/tiles.json');
    assert.equal(Object.keys(sizes).sort(), ['1', '1000', '2', '255', '256', '257']);
    const renamed = Object.entries(shapeOf(tilesForGrowth(0, 70_000))).map(([key, n]) => [
      key.split('_').reverse().join('_'),
      n,
    ]);
    assert.equal(Object.fromEntries(renamed), counts);
    const readTile = tilesOf(ruleTree(1000));
    for (const [size, wanted] of Object.entries(sizes)) {
      const made: Record<string, { bytes: number; sha256: string }> = {};
      const put = (path: string, bytes: Uint8Array): void => {
        made[path] = { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
      };
      for (const tile of tilesForGrowth(0, Number(size))) {
        put(tilePath(tile), await readTile(tile));
        if (tile.level > 0) continue;
        const entries = Array.from({ length: tile.width }, (_, i) => ruleEntry(tile.index * 256 + i));
        put(bundlePath(tile), formatEntryBundle(entries));
      }
      assert.equal(made, wanted, `size ${size}`);
    }
  });

  const testlog = (path: string): Uint8Array => vectorBytes(`tessera-testlog/${path}`);
  const rootOfCheckpoint = (size: number): string =>
    Buffer.from(new TextDecoder().decode(testlog(`checkpoint.${size}`)).split('\n')[2], 'base64').toString('hex');

  test('tessera-testlog: bundles, tiles and roots of all 15 sizes', async () => {
    assert.is(readdirSync(vectorPath('tessera-testlog/tile/0/000.p')).length, 15);
    assert.is(rootOfCheckpoint(0), hex(new CompactRange().root()));
    for (let size = 1; size <= 15; size++) {
      const tile = { level: 0, index: 0, width: size };
      assert.equal(tilesForGrowth(0, size), [tile]);
      const bundle = testlog(bundlePath(tile));
      const entries = parseEntryBundle(bundle, size);
      assert.equal(formatEntryBundle(entries), bundle);
      const leaves = flat(entries.map((entry) => nodeHasher.hashLeaf(entry)));
      assert.is(hex(leaves), hex(testlog(tilePath(tile))), `tile of ${size}`);
      const range = new CompactRange();
      range.appendMany(leaves);
      assert.is(hex(range.root()), rootOfCheckpoint(size), `root of ${size}`);
      const restored = await restoreRange(
        tileHashReader(size, async (id) => testlog(tilePath(id))),
        size,
      );
      assert.is(hex(restored.root()), rootOfCheckpoint(size), `root of ${size} from tiles`);
    }
  });

  test('tessera-testlog: every inclusion and consistency proof between its heads', async () => {
    const root = (size: number): Uint8Array => new Uint8Array(Buffer.from(rootOfCheckpoint(size), 'hex'));
    for (let size = 1; size <= 15; size++) {
      const reader = tileHashReader(size, async (id) => testlog(tilePath(id)));
      const leaves = testlog(`tile/0/000.p/${size}`);
      for (let i = 0; i < size; i++) {
        const leaf = leaves.slice(i * 32, i * 32 + 32);
        verifyInclusion(i, size, leaf, await proveInclusion(reader, i, size), root(size));
        verifyConsistency(i + 1, size, root(i + 1), root(size), await proveConsistency(reader, i + 1, size));
      }
    }
  });
}

test.run();
