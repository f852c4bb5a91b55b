/** Bytes of a SHA-256 that are kept: what nobody can find a second preimage of, and half of what a whole one would take. */
const KEY = 16;
/** Bytes of one row: the key, and an entry's index as a big-endian number. */
const ROW = KEY + 4;
const MOST_INDEX = 0xffff_ffff;
/** Part of the slots that may be in use before there are more of them. */
const FILL = 0.75;

/**
 * Which entry a SHA-256 belongs to, for millions of them: 20 bytes each and a hash table of 4-byte slots, so that a million take
 * about 40 MB at most. Everybody compares the same first 16 bytes, so everybody decides alike. Two hashes that agree in those
 * bytes can be made by somebody who makes both (2^64 work), who then gets the second refused; nobody makes one for a hash of
 * somebody else.
 */
export class HashIndex {
  #rows: Uint8Array;
  #view: DataView;
  #size: number;
  /** Number of the row plus one, 0 for a free slot; found by linear probing. */
  #slots = new Uint32Array(16);

  /** @param rows what `bytes` gave */
  constructor(rows: Uint8Array = new Uint8Array(0)) {
    if (rows.length % ROW !== 0) throw new RangeError(`the rows of an index have ${ROW} bytes each`);
    // Not slice(), which of a Buffer is a view of all that it came with.
    this.#rows = new Uint8Array(rows);
    this.#view = viewOf(this.#rows);
    this.#size = rows.length / ROW;
    this.#spread();
  }

  get size(): number {
    return this.#size;
  }

  /**
   * The rows in the order in which they were added, for a snapshot. A view and no copy, that stays what it is while more are added and
   * taken away again: only taking away one of these would change it.
   */
  get bytes(): Uint8Array {
    return this.#rows.subarray(0, this.#size * ROW);
  }

  /** The entry that a hash (32 bytes) was added with, or undefined. */
  get(hash: Uint8Array): number | undefined {
    const row = this.#slots[this.#slotOf(hash, 0)];
    return row === 0 ? undefined : this.#view.getUint32((row - 1) * ROW + KEY);
  }

  /**
   * Adds a hash (32 bytes) that is not there.
   * @returns what takes it away again; last in, first out
   */
  add(hash: Uint8Array, index: number): () => void {
    if (index > MOST_INDEX) throw new RangeError(`an index counts to ${MOST_INDEX}`);
    if ((this.#size + 1) * ROW > this.#rows.length) this.#grow();
    if (this.#size + 1 > this.#slots.length * FILL) this.#spread();
    this.#rows.set(hash.subarray(0, KEY), this.#size * ROW);
    this.#view.setUint32(this.#size * ROW + KEY, index);
    this.#slots[this.#slotOf(hash, 0)] = ++this.#size;
    return () => {
      // Nothing was put behind the newest row, so that its slot can be freed without moving others.
      this.#size--;
      this.#slots[this.#slotOf(this.#rows, this.#size * ROW)] = 0;
    };
  }

  /** The slot of the key at `offset` of some bytes, or the free one where it would be. */
  #slotOf(bytes: Uint8Array, offset: number): number {
    const mask = this.#slots.length - 1;
    let slot = ((bytes[offset] << 24) | (bytes[offset + 1] << 16) | (bytes[offset + 2] << 8) | bytes[offset + 3]) & mask;
    while (this.#slots[slot] !== 0 && !this.#holds((this.#slots[slot] - 1) * ROW, bytes, offset)) slot = (slot + 1) & mask;
    return slot;
  }

  #holds(row: number, bytes: Uint8Array, offset: number): boolean {
    for (let i = 0; i < KEY; i++) if (this.#rows[row + i] !== bytes[offset + i]) return false;
    return true;
  }

  #grow(): void {
    const rows = new Uint8Array(Math.max(64, Math.ceil(this.#size * 1.5)) * ROW);
    rows.set(this.#rows.subarray(0, this.#size * ROW));
    this.#rows = rows;
    this.#view = viewOf(rows);
  }

  /** Finds each row its slot again, among as many as one more row needs. */
  #spread(): void {
    let slots = this.#slots.length;
    while (this.#size + 1 > slots * FILL) slots *= 2;
    this.#slots = new Uint32Array(slots);
    for (let row = 0; row < this.#size; row++) this.#slots[this.#slotOf(this.#rows, row * ROW)] = row + 1;
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
