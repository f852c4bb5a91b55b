import { join } from 'node:path';
import {
  CompactRange,
  equalBytes,
  HASH_SIZE,
  proveConsistency,
  proveInclusion,
  type ReadTile,
  TILE_WIDTH,
  TileCache,
  tileHashReader,
  verifyConsistency,
  verifyInclusion,
} from '@treering/merkle';
import { nodeHasher, TreePool } from '@treering/merkle/node';
import Database from 'better-sqlite3';
import { type Benchmark, type Figures, quantile } from './benchmark.js';
import { makeLeafHashes } from './leaf-hashes.js';
import { withScratchFolder } from './scratch.js';

const LEAVES = 10_000_000;
const QUICK_LEAVES = 70_000;
const PROOFS = 10_000;
const QUICK_PROOFS = 50;
const WARM_UP = 2000;
const BATCH = 256;
/** Tiles that are kept expanded, as the sequencer does it. */
const CACHE = 1024;

/** Proving from the tiles of a large tree. */
export const proof: Benchmark = {
  name: 'proof',
  title: `proofs for random entries of a log of ${LEAVES.toLocaleString('en')} entries, in process; its tiles lie in SQLite, without the entries`,
  trials: 3,
  subjects: [
    { name: 'tiles in SQLite', rival: 'tiles in memory', measure: measureSqlite },
    { name: 'tiles in memory', measure: async (quick) => measure(await buildTiles(quick)) },
  ],
};

/** A tree as its tile levels: the hashes of each, flat. */
interface Tree {
  readonly quick: boolean;
  readonly levels: readonly Uint8Array[];
  readonly readTile: ReadTile;
}

async function buildTiles(quick: boolean): Promise<Tree> {
  const pool = new TreePool(nodeHasher, 1);
  const levels = [makeLeafHashes(quick ? QUICK_LEAVES : LEAVES)];
  for (let hashes = levels[0]; hashes.length >= TILE_WIDTH * HASH_SIZE; ) {
    const full = Math.floor(hashes.length / HASH_SIZE / TILE_WIDTH) * TILE_WIDTH;
    hashes = await pool.subtreeRoots(hashes.subarray(0, full * HASH_SIZE), Math.log2(TILE_WIDTH));
    levels.push(hashes);
  }
  const readTile: ReadTile = async ({ level, index, width }) => tileOf(levels[level], index, width);
  return { quick, levels, readTile };
}

function tileOf(hashes: Uint8Array, index: number, width = TILE_WIDTH): Uint8Array {
  return hashes.slice(index * TILE_WIDTH * HASH_SIZE, (index * TILE_WIDTH + width) * HASH_SIZE);
}

function measureSqlite(quick: boolean): Promise<Figures> {
  return withScratchFolder(async (folder) => {
    const { levels } = await buildTiles(quick);
    const db = new Database(join(folder, 'tiles.db'));
    db.exec(
      'PRAGMA journal_mode = WAL; CREATE TABLE tiles (level INTEGER, idx INTEGER, hashes BLOB, PRIMARY KEY (level, idx))',
    );
    const insert = db.prepare('INSERT INTO tiles VALUES (?, ?, ?)');
    db.transaction(() => {
      for (const [level, hashes] of levels.entries()) {
        for (let index = 0; index * TILE_WIDTH * HASH_SIZE < hashes.length; index++)
          insert.run(level, index, tileOf(hashes, index));
      }
    })();
    db.pragma('wal_checkpoint(TRUNCATE)');
    const select = db.prepare<[number, number], Buffer>('SELECT hashes FROM tiles WHERE level = ? AND idx = ?').pluck();
    const readTile: ReadTile = async ({ level, index, width }) =>
      new Uint8Array(select.get(level, index) as Buffer).subarray(0, width * HASH_SIZE);
    const figures = await measure({ quick, levels, readTile });
    db.close();
    return figures;
  });
}

async function measure({ quick, levels, readTile }: Tree): Promise<Figures> {
  const leaves = levels[0];
  const size = leaves.length / HASH_SIZE;
  const reader = tileHashReader(size, readTile, nodeHasher, new TileCache(CACHE));
  const random = randomNumbers();
  const anyBelow = (limit: number): number => random() % limit;
  const include = (index = anyBelow(size)): Promise<Uint8Array[]> => proveInclusion(reader, index, size, nodeHasher);
  const extend = (from = 1 + anyBelow(size - 1)): Promise<Uint8Array[]> => proveConsistency(reader, from, size, nodeHasher);
  await check(levels, size, include, extend);
  for (let i = 0; i < (quick ? 1 : WARM_UP); i++) await include();
  const count = quick ? QUICK_PROOFS : PROOFS;
  const inclusion = await timesOf(count, include);
  const consistency = await timesOf(count, extend);
  const batches = await timesOf(Math.ceil(count / BATCH), () => Promise.all(Array.from({ length: BATCH }, () => include())));
  return {
    'inclusion p50 ms': quantile(inclusion, 0.5),
    'inclusion p99 ms': quantile(inclusion, 0.99),
    'consistency p50 ms': quantile(consistency, 0.5),
    'consistency p99 ms': quantile(consistency, 0.99),
    [`batch of ${BATCH} p50 ms`]: quantile(batches, 0.5),
    'peak MiB': process.resourceUsage().maxRSS / 1024,
  };
}

/** Proofs that would not verify are not measured. */
async function check(
  levels: readonly Uint8Array[],
  size: number,
  include: (index: number) => Promise<Uint8Array[]>,
  extend: (from: number) => Promise<Uint8Array[]>,
): Promise<void> {
  const range = new CompactRange(nodeHasher);
  const half = Math.floor(size / 2);
  range.appendMany(levels[0].subarray(0, half * HASH_SIZE));
  const oldRoot = range.root();
  range.appendMany(levels[0].subarray(half * HASH_SIZE));
  const root = range.root();
  if (equalBytes(root, oldRoot)) throw new Error('the tree did not grow');
  const leaf = levels[0].slice(12_345 * HASH_SIZE, 12_346 * HASH_SIZE);
  verifyInclusion(12_345, size, leaf, await include(12_345), root, nodeHasher);
  verifyConsistency(half, size, oldRoot, root, await extend(half), nodeHasher);
}

/** Milliseconds that each of `count` takes, sorted. */
async function timesOf(count: number, work: () => Promise<unknown>): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const started = performance.now();
    await work();
    times.push(performance.now() - started);
  }
  return times.sort((a, b) => a - b);
}

/** The same numbers of 32 bits in each trial. */
function randomNumbers(): () => number {
  let state = 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
