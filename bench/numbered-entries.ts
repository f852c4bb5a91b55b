/** Bytes of an entry that is only hashed: as many as a signed record has. */
const SIZE = 300;

/** The entries `first` to `first + count - 1` of a log that nobody reads: each differs from every other one. */
export function numberedEntries(first: number, count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => {
    const entry = new Uint8Array(SIZE).fill((first + i) % 251);
    new DataView(entry.buffer).setBigUint64(0, BigInt(first + i));
    return entry;
  });
}
