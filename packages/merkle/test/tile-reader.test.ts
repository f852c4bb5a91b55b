import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  ExpandedTile,
  MerkleInputError,
  MerkleStateError,
  type ReadTile,
  TileCache,
  type TileId,
  tileHashReader,
  tilePath,
} from '../src/index.js';
import { nodeHasher } from '../src/node/index.js';
import { flat, hex, ruleTree, tilesOf } from './memory-tiles.js';
import { rejectsWith, throwsA } from './refusal.js';

const SIZE = 700;
const tree = ruleTree(SIZE);
const readTile = tilesOf(tree);

/** A tile source that notes what is read of it. */
function noted(): { read: ReadTile; paths: string[] } {
  const paths: string[] = [];
  const read = (tile: TileId): Promise<Uint8Array> => {
    paths.push(tilePath(tile));
    return readTile(tile);
  };
  return { paths, read };
}

test('every complete node can be read, in the order asked for', async () => {
  const nodes = [];
  for (let level = 0; 2 ** level <= SIZE; level++) {
    for (let index = 0; (index + 1) * 2 ** level <= SIZE; index += 1 + (index >> 3)) nodes.push({ level, index });
  }
  nodes.reverse();
  const read = await tileHashReader(SIZE, readTile, nodeHasher).readHashes(nodes);
  assert.is(hex(read), hex(flat(nodes.map(({ level, index }) => tree.node(level, index)))));
});

test('each tile is read once a call, at its width, and not again while it is cached', async () => {
  const { read, paths } = noted();
  const reader = tileHashReader(SIZE, read, nodeHasher);
  const nodes = [
    { level: 0, index: 600 },
    { level: 3, index: 80 },
    { level: 0, index: 0 },
    { level: 8, index: 1 },
    { level: 9, index: 0 },
  ];
  await reader.readHashes(nodes);
  assert.equal(paths.sort(), ['tile/0/000', 'tile/0/002.p/188', 'tile/1/000.p/2']);
  await reader.readHashes(nodes);
  assert.is(paths.length, 3);
});

test('one cache serves readers of several sizes: a tile that grew is read again', async () => {
  const cache = new TileCache();
  for (const [size, reads] of [
    [100, ['tile/0/000.p/100']],
    [200, ['tile/0/000.p/200']],
    [100, []],
  ] as [number, string[]][]) {
    const { read, paths } = noted();
    const hash = await tileHashReader(size, read, nodeHasher, cache).readHashes([{ level: 5, index: 2 }]);
    assert.is(hex(hash), hex(tree.node(5, 2)));
    assert.equal(paths, reads);
  }
});

test('a node that is not complete, or not in the tree, is bad input', async () => {
  const reader = tileHashReader(SIZE, readTile, nodeHasher);
  const wrong = [
    [0, 700],
    [1, 350],
    [2, 175],
    [7, 5],
    [8, 2],
    [9, 1],
    [10, 0],
    [60, 0],
  ];
  for (const [level, index] of wrong) {
    await rejectsWith(MerkleInputError, () => reader.readHashes([{ level, index }]), `node ${index} of level ${level}`);
  }
});

test('a tile of another width than the size demands is an impossible state', async () => {
  for (const length of [0, 31, 188 * 32 - 1, 187 * 32, 189 * 32, 256 * 32]) {
    const reader = tileHashReader(SIZE, async () => new Uint8Array(length), nodeHasher);
    await rejectsWith(MerkleStateError, () => reader.readHashes([{ level: 0, index: 600 }]), `${length} bytes`);
  }
});

test('a failed read is passed on, and not remembered', async () => {
  let failures = 1;
  const reader = tileHashReader(SIZE, async (tile) => {
    if (failures-- > 0) throw new RangeError('out of reach');
    return readTile(tile);
  });
  try {
    await reader.readHashes([{ level: 0, index: 3 }]);
    assert.unreachable();
  } catch (error) {
    assert.instance(error, RangeError);
  }
  assert.is(hex(await reader.readHashes([{ level: 0, index: 3 }])), hex(tree.leaves[3]));
});

test('bad input leaves no failed read behind that nobody waits for', async () => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => void unhandled.push(reason);
  process.on('unhandledRejection', note);
  try {
    const reader = tileHashReader(SIZE, async () => Promise.reject(new RangeError('out of reach')));
    const nodes = [
      { level: 0, index: 3 },
      { level: 0, index: 256 * SIZE },
    ];
    await rejectsWith(MerkleInputError, () => reader.readHashes(nodes));
    await new Promise((done) => setTimeout(done, 20));
  } finally {
    process.off('unhandledRejection', note);
  }
  assert.equal(unhandled, []);
});

test('an expanded tile holds every complete node of its 256 hashes or fewer', () => {
  for (const width of [1, 2, 3, 128, 255, 256]) {
    const tile = new ExpandedTile(flat(tree.leaves.slice(0, width)), nodeHasher);
    for (let level = 0; level <= 8; level++) {
      const count = Math.floor(width / 2 ** level);
      for (let index = 0; index < count; index++) {
        assert.is(hex(tile.node(level, index) as Uint8Array), hex(tree.node(level, index)), `${level}/${index} of ${width}`);
      }
      assert.is(tile.node(level, count), undefined, `${level}/${count} of ${width}`);
    }
    assert.is(tile.node(9, 0), undefined);
  }
});

test('a tile of no hashes, of 257 or of a part of one is bad input', () => {
  for (const length of [0, 1, 31, 33, 256 * 32 + 1, 257 * 32]) {
    throwsA(MerkleInputError, () => void new ExpandedTile(new Uint8Array(length)), `${length} bytes`);
  }
});

test('a cache keeps as many tiles as it may, and lets the one go that was not used for longest', () => {
  const cache = new TileCache(2);
  const [a, b, c] = [0, 1, 2].map((i) => new ExpandedTile(tree.leaves[i], nodeHasher));
  cache.set('a', a);
  cache.set('b', b);
  assert.is(cache.get('a'), a);
  cache.set('c', c);
  assert.is(cache.get('b'), undefined);
  assert.is(cache.get('a'), a);
  assert.is(cache.get('c'), c);
});

test.run();
