import assert from 'node:assert/strict';
import { CompactRange, equalBytes, HASH_SIZE, hashesAtTileLevel, TILE_WIDTH } from '@treering/merkle';
import { nodeHasher } from '@treering/merkle/node';
import { type LogTrust, openCheckpoint } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import type { Storage } from '@treering/storage';

/** What somebody outside was told about an entry. */
interface Acknowledged {
  readonly index: number;
  /** 32 bytes */
  readonly leaf: Uint8Array;
}

/** What the world outside knows of a log. */
export interface Known {
  readonly trust: LogTrust;
  readonly acknowledged: readonly Acknowledged[];
  /** Signed notes of every head that was ever answered or published. */
  readonly heads: readonly Uint8Array[];
}

/**
 * Re-verifies the whole world after a scenario: the stored head is the root of the stored tiles and of the stored entries, every
 * head that anybody was ever told is a prefix of it, and every acknowledged entry is at its index.
 */
export async function checkLog(storage: Storage, known: Known): Promise<void> {
  const head = await storage.head();
  const size = head?.size ?? 0;
  const leaves = new Uint8Array(size * HASH_SIZE);
  const roots = await walk(storage, size, leaves);
  if (head !== null) {
    assert.deepEqual(openSize(known.trust, head.note), { size, root: head.root }, 'the head and its signed note differ');
    assert.deepEqual(roots.get(size), head.root, 'the stored entries do not hash to the head');
  }
  await checkTiles(storage, size, leaves);
  const published = await storage.published();
  if (published !== null) {
    const row = { size: published.size, root: published.root };
    assert.deepEqual(openSize(known.trust, published.note), row, 'the published checkpoint and its signed note differ');
  }
  const kept = (await storage.keptHeads(0, 1_000_000)).map(({ note }) => note);
  for (const note of [...known.heads, ...kept, ...(published === null ? [] : [published.note])]) {
    const told = openSize(known.trust, note);
    assert.ok(told.size <= size, `a head of ${told.size} entries was told, and ${size} are stored`);
    assert.deepEqual(rootOf(leaves, told.size), told.root, `the head of ${told.size} entries is no prefix of what is stored`);
  }
  for (const { index, leaf } of known.acknowledged) {
    assert.ok(index < size, `entry ${index} was acknowledged, and ${size} are stored`);
    const stored = leaves.subarray(index * HASH_SIZE, (index + 1) * HASH_SIZE);
    assert.ok(equalBytes(stored, leaf), `entry ${index} is another than was acknowledged`);
  }
}

function openSize(trust: LogTrust, note: Uint8Array): { size: number; root: Uint8Array } {
  const { checkpoint } = openCheckpoint(note, trust, nodeEd25519);
  return { size: Number(checkpoint.size), root: checkpoint.root };
}

/** Hashes every stored entry into `leaves`, compares it with what is stored beside it, and returns the root at the end. */
async function walk(storage: Storage, size: number, leaves: Uint8Array): Promise<Map<number, Uint8Array>> {
  const range = new CompactRange(nodeHasher);
  for (let start = 0; start < size; start += 1024) {
    const end = Math.min(start + 1024, size);
    const [entries, infos] = [await storage.entries(start, end), await storage.entryInfos(start, end)];
    entries.forEach((entry, i) => {
      const leaf = nodeHasher.hashLeaf(entry);
      assert.ok(equalBytes(leaf, infos[i].leafHash), `entry ${start + i} does not hash to its leaf hash`);
      leaves.set(leaf, (start + i) * HASH_SIZE);
    });
    range.appendMany(leaves.subarray(start * HASH_SIZE, end * HASH_SIZE));
  }
  return new Map([[size, range.root()]]);
}

function rootOf(leaves: Uint8Array, size: number): Uint8Array {
  const range = new CompactRange(nodeHasher);
  range.appendMany(leaves.subarray(0, size * HASH_SIZE));
  return range.root();
}

/** Every tile at its full and its partial width holds the hashes that the entries below it have. */
async function checkTiles(storage: Storage, size: number, leaves: Uint8Array): Promise<void> {
  let hashes = leaves;
  for (let level = 0; hashesAtTileLevel(size, level) > 0; level++) {
    const count = hashes.length / HASH_SIZE;
    const above: Uint8Array[] = [];
    for (let first = 0; first < count; first += TILE_WIDTH) {
      const width = Math.min(TILE_WIDTH, count - first);
      const expected = hashes.subarray(first * HASH_SIZE, (first + width) * HASH_SIZE);
      const stored = await storage.tile(level, first / TILE_WIDTH, width);
      assert.ok(
        stored !== null && equalBytes(stored, expected),
        `tile ${level}/${first / TILE_WIDTH} is not what its entries hash to`,
      );
      if (width === TILE_WIDTH) above.push(rootOf(expected, TILE_WIDTH));
    }
    hashes = new Uint8Array(Buffer.concat(above));
  }
}
