import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  AuthenticTiles,
  MerkleInputError,
  MerkleStateError,
  ProofError,
  proveConsistency,
  proveInclusion,
  type TileId,
} from '../src/index.js';
import { nodeHasher } from '../src/node/index.js';
import { flat, hex, hexAll, ruleTree, tilesOf } from './memory-tiles.js';
import { rejectsWith } from './refusal.js';

const tree = ruleTree(66_100);
const readTile = tilesOf(tree);
const SIZES = [1, 2, 255, 256, 257, 511, 512, 700, 65_535, 65_536, 65_537, 66_048, 66_100];

test('what leads to the root comes out, at every kind of size', async () => {
  for (const size of SIZES) {
    const reader = new AuthenticTiles(size, tree.root(size), readTile, nodeHasher);
    const nodes = [];
    for (let level = 0; 2 ** level <= size; level++) {
      const last = Math.floor(size / 2 ** level) - 1;
      for (const index of new Set([0, last >> 1, last])) nodes.push({ level, index });
    }
    const read = await reader.readHashes(nodes);
    assert.is(hex(read), hex(flat(nodes.map(({ level, index }) => tree.node(level, index)))), `size ${size}`);
  }
});

test('proofs made from it are those of the naive tree', async () => {
  const size = 66_100;
  const reader = new AuthenticTiles(size, tree.root(size), readTile, nodeHasher);
  for (const index of [0, 255, 256, 65_535, 65_536, 66_099])
    assert.equal(
      hexAll(await proveInclusion(reader, index, size, nodeHasher)),
      hexAll(tree.path(index, 0, size)),
      `leaf ${index}`,
    );
  for (const old of [1, 256, 300, 65_536, 65_999])
    assert.equal(hexAll(await proveConsistency(reader, old, size, nodeHasher)), hexAll(tree.consistency(old, size)), `${old}`);
});

test('any altered hash of any tile on the way is refused', async () => {
  const size = 66_100;
  const seen: TileId[] = [];
  const note = (tile: TileId) => {
    seen.push(tile);
    return readTile(tile);
  };
  await new AuthenticTiles(size, tree.root(size), note, nodeHasher).readHashes([{ level: 0, index: 1000 }]);
  assert.ok(seen.length >= 4);
  for (const { level, index, width } of seen) {
    for (const slot of [0, width >> 1, width - 1]) {
      const lying = async (tile: TileId) => {
        const hashes = (await readTile(tile)).slice();
        if (tile.level === level && tile.index === index) hashes[slot * 32 + 7] ^= 1;
        return hashes;
      };
      const reader = new AuthenticTiles(size, tree.root(size), lying, nodeHasher);
      await rejectsWith(ProofError, () => reader.readHashes([{ level: 0, index: 1000 }]), `${level}/${index} slot ${slot}`);
    }
  }
});

test('another root, and tiles of another width, are refused', async () => {
  const wrong = new AuthenticTiles(700, tree.root(699), readTile, nodeHasher);
  await rejectsWith(ProofError, () => wrong.readHashes([{ level: 0, index: 0 }]));
  for (const change of [-32, 32, 1]) {
    const reader = new AuthenticTiles(
      700,
      tree.root(700),
      async (tile) => new Uint8Array(tile.width * 32 + change),
      nodeHasher,
    );
    await rejectsWith(ProofError, () => reader.readHashes([{ level: 0, index: 0 }]));
  }
});

test('a node that the tree does not have is bad input', async () => {
  const reader = new AuthenticTiles(700, tree.root(700), readTile, nodeHasher);
  await rejectsWith(MerkleInputError, () => reader.readHashes([{ level: 0, index: 700 }]));
  await rejectsWith(MerkleInputError, () => reader.tile(0, 3));
});

test('a failed read is passed on and not remembered; each tile is read once', async () => {
  let failures = 1;
  const paths: string[] = [];
  const reader = new AuthenticTiles(
    700,
    tree.root(700),
    async (tile) => {
      if (failures-- > 0) throw new MerkleStateError('out of reach');
      paths.push(`${tile.level}/${tile.index}`);
      return readTile(tile);
    },
    nodeHasher,
  );
  await rejectsWith(MerkleStateError, () => reader.readHashes([{ level: 0, index: 3 }]));
  await reader.readHashes([0, 3, 300, 690].map((index) => ({ level: 0, index })));
  await reader.readHashes([{ level: 3, index: 40 }]);
  assert.equal([...new Set(paths)].sort(), ['0/0', '0/1', '0/2', '1/0']);
});

test.run();
