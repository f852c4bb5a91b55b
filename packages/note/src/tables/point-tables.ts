import { Point } from '@noble/ed25519';
import { D, type EdwardsModule, ENTRY_BYTES, instantiateEdwards, POINT_BYTES } from './edwards.js';
import { FIELD_BYTES, P, writeElement } from './field.js';
import { invertAll } from './invert-all.js';
import { recode } from './scalar.js';

/** Scalars are below 2^253, and a signed digit may carry once more. */
const SCALAR_BITS = 254;
/** Bits of a window: of the base point's table, which takes 512 KiB, and of a key's, which takes 172 KiB. */
const [BASE_WINDOW, KEY_WINDOW] = [8, 6];
/** Points that are brought to affine coordinates with one inversion while a table is filled: some parts of a table. */
const CHUNK = 256;
/** Sums that can be kept until they are inverted together. */
export const SUMS = 64;

const PAGE = 65_536;

const partsOf = (window: number): number => Math.ceil(SCALAR_BITS / window);
const entriesOf = (window: number): number => partsOf(window) * 2 ** (window - 1);
const align = (address: number): number => Math.ceil(address / ENTRY_BYTES) * ENTRY_BYTES;

/** Where everything lies in the memory, in bytes. The tables of keys come last, one behind the other. */
const DIGITS = 0;
const SCRATCH = 256;
const CONSTANT_2D = SCRATCH + 8 * FIELD_BYTES;
const NEUTRAL = CONSTANT_2D + 2 * FIELD_BYTES;
const PREFIX = NEUTRAL + POINT_BYTES;
const POINTS = align(PREFIX + CHUNK * FIELD_BYTES);
const SUM = align(POINTS + CHUNK * POINT_BYTES);
const BASE_TABLE = align(SUM + SUMS * POINT_BYTES);
const KEY_TABLES = BASE_TABLE + entriesOf(BASE_WINDOW) * ENTRY_BYTES;
const KEY_TABLE_BYTES = entriesOf(KEY_WINDOW) * ENTRY_BYTES;

/**
 * Multiples of the base point and of negated keys, computed once, so that S·B - k·A is a sum of 75 table entries without doublings.
 * Sums are computed at places 0 to `SUMS` - 1, inverted together by `normalise`, and then compared. The memory grows with the number
 * of keys.
 */
export class PointTables {
  readonly #module: EdwardsModule = instantiateEdwards(Math.ceil(KEY_TABLES / PAGE));
  // The views of the memory are made anew when it has grown.
  #digits!: Int16Array;
  #bytes!: Uint8Array;
  #view!: DataView;

  /** @throws WebAssembly.CompileError where a page may not compile */
  constructor() {
    this.#look();
    writeElement(this.#view, CONSTANT_2D, (2n * D) % P);
    this.#writePoint(NEUTRAL, 0n, 1n);
    this.#fill(BASE_TABLE, BASE_WINDOW, Point.BASE);
  }

  /** Bytes of memory taken so far. */
  get size(): number {
    return this.#bytes.length;
  }

  /**
   * Writes the table of a key, which takes about a millisecond.
   * @param slot where: a number from 0 up, of which none is left out. What was there is gone.
   * @param point the key A, not of small order
   * @throws RangeError when there is no memory for it
   */
  setKey(slot: number, point: Point): void {
    const table = keyTable(slot);
    const missing = table + KEY_TABLE_BYTES - this.size;
    if (missing > 0) {
      this.#module.memory.grow(Math.ceil(missing / PAGE));
      this.#look();
    }
    this.#fill(table, KEY_WINDOW, point.negate());
  }

  /**
   * Computes S·B - k·A at a place.
   * @param s 32 bytes, little-endian, below L
   * @param k likewise
   * @param slot that of A
   */
  sum(place: number, s: Uint8Array, k: Uint8Array, slot: number): void {
    const point = SUM + place * POINT_BYTES;
    this.#copyPoint(point, NEUTRAL);
    this.#addMultiple(point, s, BASE_WINDOW, BASE_TABLE);
    this.#addMultiple(point, k, KEY_WINDOW, keyTable(slot));
  }

  /** Inverts the Z of the sums at the first places: once, before they are compared. */
  normalise(count: number): void {
    this.#invertZ(SUM, count);
  }

  /** True when the canonical encoding of the normalised sum at a place is these bytes. Each sum is asked for once. */
  encodesTo(place: number, r: Uint8Array): boolean {
    const [x, y] = this.#affine(SUM + place * POINT_BYTES);
    this.#module.toBytes(SCRATCH, x);
    this.#module.toBytes(SCRATCH + 32, y);
    this.#bytes[SCRATCH + 63] |= (this.#bytes[SCRATCH] & 1) << 7;
    for (let i = 0; i < 32; i++) if (this.#bytes[SCRATCH + 32 + i] !== r[i]) return false;
    return true;
  }

  #addMultiple(point: number, scalar: Uint8Array, window: number, table: number): void {
    const parts = partsOf(window);
    recode(scalar, window, parts, this.#digits);
    this.#module.accumulate(point, DIGITS, parts, table, window - 1, SCRATCH);
  }

  /** Fills a table: part i holds the multiples 1 to 2^(window-1) of 2^(window·i) · point. */
  #fill(table: number, window: number, point: Point): void {
    const module = this.#module;
    const parts = partsOf(window);
    const perPart = 2 ** (window - 1);
    const entryAt = (index: number): number => table + index * ENTRY_BYTES;
    const pointAt = (index: number): number => POINTS + index * POINT_BYTES;
    // The bases of all parts first: their entries stand in the table before the multiples are added up from them.
    const { x, y } = point.toAffine();
    this.#writePoint(pointAt(0), x, y);
    for (let part = 1; part < parts; part++) {
      this.#copyPoint(pointAt(part), pointAt(part - 1));
      for (let bit = 0; bit < window; bit++) module.double(pointAt(part), SCRATCH);
    }
    this.#invertZ(POINTS, parts);
    for (let part = 0; part < parts; part++) this.#writeEntry(entryAt(part * perPart), pointAt(part));
    for (let first = 0; first < parts * perPart; first += CHUNK) {
      const count = Math.min(CHUNK, parts * perPart - first);
      for (let i = 0; i < count; i++) {
        const multiple = i % perPart;
        this.#copyPoint(pointAt(i), multiple === 0 ? NEUTRAL : pointAt(i - 1));
        module.add(pointAt(i), entryAt(first + i - multiple), SCRATCH);
      }
      this.#invertZ(POINTS, count);
      for (let i = 0; i < count; i++) this.#writeEntry(entryAt(first + i), pointAt(i));
    }
  }

  /** Replaces the Z of so many points by their inverses. */
  #invertZ(points: number, count: number): void {
    const elements = Array.from({ length: count }, (_, index) => points + index * POINT_BYTES + 2 * FIELD_BYTES);
    invertAll(this.#module, elements, PREFIX, SCRATCH);
  }

  /** Where x and y of a point are whose Z is already inverted; X and Y are gone. */
  #affine(point: number): [x: number, y: number] {
    const [x, y, inverse] = [0, 1, 2].map((coordinate) => point + coordinate * FIELD_BYTES);
    this.#module.multiply(x, x, inverse);
    this.#module.multiply(y, y, inverse);
    return [x, y];
  }

  /** Makes a table entry of a point whose Z is already inverted. */
  #writeEntry(entry: number, point: number): void {
    const [x, y] = this.#affine(point);
    this.#module.toEntry(entry, x, y, CONSTANT_2D);
  }

  #copyPoint(to: number, from: number): void {
    this.#bytes.copyWithin(to, from, from + POINT_BYTES);
  }

  #writePoint(at: number, x: bigint, y: bigint): void {
    [x, y, 1n, (x * y) % P].forEach((value, coordinate) => {
      writeElement(this.#view, at + coordinate * FIELD_BYTES, value);
    });
  }

  #look(): void {
    const { buffer } = this.#module.memory;
    this.#digits = new Int16Array(buffer, DIGITS, (SCRATCH - DIGITS) / 2);
    this.#bytes = new Uint8Array(buffer);
    this.#view = new DataView(buffer);
  }
}

function keyTable(slot: number): number {
  return KEY_TABLES + slot * KEY_TABLE_BYTES;
}
