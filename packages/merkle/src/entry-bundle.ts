import { MerkleInputError } from './errors.js';
import { MAX_ENTRY_SIZE, TILE_WIDTH } from './tile.js';

/**
 * Writes an entry bundle: each entry behind its length in two bytes, big-endian (C2SP tlog-tiles).
 * @throws MerkleInputError for more than 256 entries or one above 65,535 bytes.
 */
export function formatEntryBundle(entries: readonly Uint8Array[]): Uint8Array {
  if (entries.length > TILE_WIDTH) throw new MerkleInputError(`a bundle has at most ${TILE_WIDTH} entries`);
  let total = 0;
  for (const entry of entries) {
    if (entry.length > MAX_ENTRY_SIZE) throw new MerkleInputError(`an entry has at most ${MAX_ENTRY_SIZE} bytes`);
    total += 2 + entry.length;
  }
  const out = new Uint8Array(total);
  let at = 0;
  for (const entry of entries) {
    out[at] = entry.length >> 8;
    out[at + 1] = entry.length & 0xff;
    out.set(entry, at + 2);
    at += 2 + entry.length;
  }
  return out;
}

/**
 * Reads an entry bundle of exactly `width` entries; the entries are views into `bytes`.
 * @throws MerkleInputError when the bundle is cut short, has bytes left over, or another number of entries.
 */
export function parseEntryBundle(bytes: Uint8Array, width: number): Uint8Array[] {
  if (!Number.isInteger(width) || width < 1 || width > TILE_WIDTH) {
    throw new MerkleInputError(`a bundle has 1 to ${TILE_WIDTH} entries, not ${width}`);
  }
  const entries: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (at + 2 > bytes.length) throw new MerkleInputError('the entry bundle ends within a length');
    const length = (bytes[at] << 8) | bytes[at + 1];
    if (at + 2 + length > bytes.length) throw new MerkleInputError(`entry ${entries.length} of the bundle is cut short`);
    entries.push(bytes.subarray(at + 2, at + 2 + length));
    at += 2 + length;
    if (entries.length > width) throw new MerkleInputError(`the bundle has more than ${width} entries`);
  }
  if (entries.length !== width) throw new MerkleInputError(`the bundle has ${entries.length} entries instead of ${width}`);
  return entries;
}
