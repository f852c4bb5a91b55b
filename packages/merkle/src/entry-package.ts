import { MerkleInputError } from './errors.js';
import { checkHash, HASH_SIZE } from './hasher.js';
import { checkSize } from './size.js';
import { MAX_ENTRY_SIZE, TILE_WIDTH } from './tile.js';

/*
 * https://c2sp.org/tlog-mirror, add-entries:
 *
 *   +------------------------------+-----------+-----------------------+
 *   | u16 BE length, entry; 1..256 | u8 hashes | 32 bytes each, 0..63  |
 *   +------------------------------+-----------+-----------------------+
 */

/** Hashes in the proof of a package beyond this number are refused. */
const MAX_HASHES = 63;

/** One package of an upload: the entries [start, end), proved as the subtree of the leaves [first, end). */
export interface EntryPackage {
  /** A multiple of 256. */
  readonly first: number;
  readonly start: number;
  readonly end: number;
}

/**
 * The packages of an upload of the entries [start, end), in their one order: cut at multiples of 256.
 * Requires 0 <= start <= end.
 * @throws MerkleInputError outside that range
 */
export function* entryPackages(start: number, end: number): Generator<EntryPackage> {
  checkSize(start, 'the start of the upload');
  checkSize(end, 'the end of the upload');
  if (start > end) throw new MerkleInputError(`an upload does not go from ${start} to ${end}`);
  for (let at = start; at < end; ) {
    const first = at - (at % TILE_WIDTH);
    const next = Math.min(end, first + TILE_WIDTH);
    yield { first, start: at, end: next };
    at = next;
  }
}

/**
 * Writes a package.
 * @param proof of the subtree [first, end) in the tree that the upload leads to
 * @throws MerkleInputError for more than 256 entries, an entry above 65,535 bytes or more than 63 hashes
 */
export function formatEntryPackage(entries: readonly Uint8Array[], proof: readonly Uint8Array[]): Uint8Array {
  if (entries.length > TILE_WIDTH) throw new MerkleInputError(`a package has at most ${TILE_WIDTH} entries`);
  if (proof.length > MAX_HASHES) throw new MerkleInputError(`the proof of a package has at most ${MAX_HASHES} hashes`);
  const total = entries.reduce((sum, entry) => sum + 2 + entry.length, 1 + proof.length * HASH_SIZE);
  const out = new Uint8Array(total);
  let at = 0;
  for (const entry of entries) {
    if (entry.length > MAX_ENTRY_SIZE) throw new MerkleInputError(`an entry has at most ${MAX_ENTRY_SIZE} bytes`);
    out[at] = entry.length >> 8;
    out[at + 1] = entry.length & 0xff;
    out.set(entry, at + 2);
    at += 2 + entry.length;
  }
  out[at++] = proof.length;
  for (const hash of proof) {
    out.set(checkHash(hash, 'a proof hash'), at);
    at += HASH_SIZE;
  }
  return out;
}
