import { Point } from '@noble/ed25519';
import { checkEd25519PublicKey } from '@treering/note';
import { D, type EdwardsModule, ENTRY_BYTES, instantiateEdwards, POINT_BYTES } from './edwards-wasm.js';
import { FIELD_BYTES, P, writeElement } from './field-wasm.js';
import { invertAll } from './invert-all.js';
import { recode, scalarBytes } from './scalar.js';
import { challenge, hasCanonicalS, idOf, type SignedMessage } from './signed-message.js';

/** Scalars are below 2^253, and a signed digit may carry once more. */
const SCALAR_BITS = 254;
/** Window of the base point's table: 32 parts of 128 entries, 512 KiB. */
const BASE_WINDOW = 8;
/** Signatures whose points are brought to affine coordinates with one inversion. */
const BATCH = 64;

const PAGE = 65536;
const DIGITS = 0;
const SCRATCH = 256;
const CONSTANT_2D = SCRATCH + 8 * FIELD_BYTES;
const NEUTRAL = CONSTANT_2D + 2 * FIELD_BYTES;
const PREFIX = NEUTRAL + POINT_BYTES;

/**
 * Strict Ed25519 verification from tables: the multiples of the base point and of each key are computed once, so that S·B - k·A
 * is a sum of table entries without doublings. The result is encoded and compared with R, as the one-by-one verification does;
 * R is never decoded, so the verdict is the same for every input and nothing is random.
 */
export class TableEd25519 {
  readonly #module: EdwardsModule;
  readonly #points: number;
  readonly #base: number;
  readonly #window: number;
  readonly #keyBytes: number;
  readonly #keyLimit: number;
  /** Where the table of each key lies; null for bytes that are no acceptable key. */
  readonly #keys = new Map<string, number | null>();
  readonly #digits: Int16Array;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #loaded = 0;

  /**
   * @param keyLimit how many keys have room for their tables
   * @param window bits of a key's window: 4 to 8, of 61, 102, 172, 296 and 512 KiB
   */
  constructor(keyLimit: number, window = 6) {
    const largest = Math.max(entriesOf(BASE_WINDOW), entriesOf(window));
    this.#window = window;
    this.#keyLimit = keyLimit;
    this.#keyBytes = entriesOf(window) * ENTRY_BYTES;
    this.#points = align(PREFIX + largest * FIELD_BYTES);
    this.#base = align(this.#points + largest * POINT_BYTES);
    const end = this.#base + entriesOf(BASE_WINDOW) * ENTRY_BYTES + keyLimit * this.#keyBytes;
    this.#module = instantiateEdwards(Math.ceil(end / PAGE));
    const { buffer } = this.#module.memory;
    this.#digits = new Int16Array(buffer, DIGITS, SCRATCH / 2);
    this.#bytes = new Uint8Array(buffer);
    this.#view = new DataView(buffer);
    writeElement(this.#view, CONSTANT_2D, (2n * D) % P);
    this.#writePoint(NEUTRAL, 0n, 1n);
    this.#fillTable(this.#base, BASE_WINDOW, Point.BASE);
  }

  /**
   * Computes the table of a key, unless it is there already. The result is its address, or null for what is no acceptable key.
   * @throws RangeError when there is no room for another key
   */
  load(publicKey: Uint8Array): number | null {
    const id = idOf(publicKey);
    const known = this.#keys.get(id);
    if (known !== undefined) return known;
    const point = decodeKey(publicKey);
    let table: number | null = null;
    if (point !== undefined) {
      if (this.#loaded === this.#keyLimit) throw new RangeError(`there is room for ${this.#keyLimit} keys`);
      table = this.#base + entriesOf(BASE_WINDOW) * ENTRY_BYTES + this.#loaded++ * this.#keyBytes;
      this.#fillTable(table, this.#window, point.negate());
    }
    this.#keys.set(id, table);
    return table;
  }

  /**
   * The verdict on each signature, in order.
   * @throws RangeError when there is no room for another key
   */
  verifyMany(items: readonly SignedMessage[]): boolean[] {
    const verdicts: boolean[] = [];
    for (let start = 0; start < items.length; start += BATCH) {
      const batch = items.slice(start, start + BATCH);
      // Tables first: filling one uses the space in which the sums are kept.
      const tables = batch.map(({ publicKey }) => this.load(publicKey));
      const pointAt = (index: number): number => this.#points + index * POINT_BYTES;
      const acceptable = batch.map((item, index) => this.#sum(item, tables[index], pointAt(index)));
      this.#invertZ(batch.length);
      batch.forEach(({ signature }, index) => {
        verdicts.push(acceptable[index] && this.#encodesTo(pointAt(index), signature));
      });
    }
    return verdicts;
  }

  /** point = S·B - k·A; false, and the neutral point, when the key or S is not acceptable. */
  #sum({ publicKey, message, signature }: SignedMessage, table: number | null, point: number): boolean {
    this.#copyPoint(point, NEUTRAL);
    if (table === null || !hasCanonicalS(signature)) return false;
    const k = challenge(signature.subarray(0, 32), publicKey, message);
    const addMultiple = (scalar: Uint8Array, window: number, from: number): void => {
      recode(scalar, window, partsOf(window), this.#digits);
      this.#module.accumulate(point, DIGITS, partsOf(window), from, window - 1, SCRATCH);
    };
    addMultiple(signature.subarray(32), BASE_WINDOW, this.#base);
    addMultiple(scalarBytes(k), this.#window, table);
    return true;
  }

  /** True when the affine encoding of the point, whose Z is already inverted, is R. */
  #encodesTo(point: number, signature: Uint8Array): boolean {
    const module = this.#module;
    const inverse = point + 2 * FIELD_BYTES;
    module.multiply(point, point, inverse);
    module.multiply(point + FIELD_BYTES, point + FIELD_BYTES, inverse);
    module.toBytes(SCRATCH, point);
    module.toBytes(SCRATCH + 32, point + FIELD_BYTES);
    this.#bytes[SCRATCH + 63] |= (this.#bytes[SCRATCH] & 1) << 7;
    for (let i = 0; i < 32; i++) if (this.#bytes[SCRATCH + 32 + i] !== signature[i]) return false;
    return true;
  }

  /** Fills a table: part i holds the multiples 1 to 2^(window-1) of 2^(window·i) · point. */
  #fillTable(table: number, window: number, point: Point): void {
    const module = this.#module;
    const parts = partsOf(window);
    const perPart = 2 ** (window - 1);
    const { x, y } = point.toAffine();
    const pointAt = (index: number): number => this.#points + index * POINT_BYTES;
    // The bases of all parts first: their entries stand in the table before the multiples are added up from them.
    for (let part = 0; part < parts; part++) {
      if (part === 0) this.#writePoint(pointAt(0), x, y);
      else this.#copyPoint(pointAt(part), pointAt(part - 1));
      for (let bit = 0; part > 0 && bit < window; bit++) module.double(pointAt(part), SCRATCH);
    }
    this.#invertZ(parts);
    for (let part = 0; part < parts; part++) this.#writeEntry(table + part * perPart * ENTRY_BYTES, pointAt(part));
    for (let part = 0; part < parts; part++) {
      const first = part * perPart;
      for (let multiple = 1; multiple <= perPart; multiple++) {
        const sum = pointAt(first + multiple - 1);
        this.#copyPoint(sum, multiple === 1 ? NEUTRAL : sum - POINT_BYTES);
        module.add(sum, table + first * ENTRY_BYTES, SCRATCH);
      }
    }
    this.#invertZ(parts * perPart);
    for (let index = 0; index < parts * perPart; index++) this.#writeEntry(table + index * ENTRY_BYTES, pointAt(index));
  }

  /** Replaces the Z of the first points by their inverses. */
  #invertZ(count: number): void {
    const elements = Array.from({ length: count }, (_, index) => this.#points + index * POINT_BYTES + 2 * FIELD_BYTES);
    invertAll(this.#module, elements, PREFIX, SCRATCH);
  }

  /** Makes a table entry of a point whose Z is already inverted. */
  #writeEntry(entry: number, point: number): void {
    const [x, y, inverse] = [0, 1, 2].map((coordinate) => point + coordinate * FIELD_BYTES);
    this.#module.multiply(x, x, inverse);
    this.#module.multiply(y, y, inverse);
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
}

/** How many table entries a window of so many bits takes. */
const entriesOf = (window: number): number => partsOf(window) * 2 ** (window - 1);
const partsOf = (window: number): number => Math.ceil(SCALAR_BITS / window);
const align = (address: number): number => Math.ceil(address / ENTRY_BYTES) * ENTRY_BYTES;

function decodeKey(publicKey: Uint8Array): Point | undefined {
  try {
    return Point.fromBytes(checkEd25519PublicKey(publicKey));
  } catch {
    return undefined;
  }
}
