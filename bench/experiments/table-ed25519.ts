import { hash } from 'node:crypto';
import { Point } from '@noble/ed25519';
import { checkEd25519PublicKey } from '@treering/note';
import { compileEdwards, type EdwardsModule, ENTRY_BYTES, POINT_BYTES } from './edwards-wasm.js';
import { FIELD_BYTES, LIMB_OFFSETS } from './field-wasm.js';

/** A signature to check: 32 bytes of public key, the message, 64 bytes of signature. */
export interface SignedMessage {
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
}

const L = 2n ** 252n + 27742317777372353535851937790883648493n;
const P = 2n ** 255n - 19n;
const D = 37095705934669439343138083508754565189542113879843219016388785533085940283555n;

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
    this.#module = compileEdwards(Math.ceil(end / PAGE));
    const { buffer } = this.#module.memory;
    this.#digits = new Int16Array(buffer, DIGITS, SCRATCH / 2);
    this.#bytes = new Uint8Array(buffer);
    this.#view = new DataView(buffer);
    this.#writeField(CONSTANT_2D, (2n * D) % P);
    this.#writePoint(NEUTRAL, 0n, 1n);
    this.#fillTable(this.#base, BASE_WINDOW, Point.BASE);
  }

  /**
   * Computes the table of a key, unless it is there already. The result is its address, or null for what is no acceptable key.
   * @throws RangeError when there is no room for another key
   */
  load(publicKey: Uint8Array): number | null {
    const id = Buffer.from(publicKey.buffer, publicKey.byteOffset, publicKey.length).toString('latin1');
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

  /** The verdict on each signature, in order. */
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
    const module = this.#module;
    const baseParts = recode(signature.subarray(32), BASE_WINDOW, this.#digits);
    module.accumulate(point, DIGITS, baseParts, this.#base, BASE_WINDOW - 1, SCRATCH);
    const parts = recode(k, this.#window, this.#digits);
    module.accumulate(point, DIGITS, parts, table, this.#window - 1, SCRATCH);
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

  /** Replaces the Z of the first points by their inverses, with one inversion (Montgomery). */
  #invertZ(count: number): void {
    const module = this.#module;
    const z = (index: number): number => this.#points + index * POINT_BYTES + 2 * FIELD_BYTES;
    const prefix = (index: number): number => PREFIX + index * FIELD_BYTES;
    const [inverse, product, scratch] = [SCRATCH, SCRATCH + FIELD_BYTES, SCRATCH + 2 * FIELD_BYTES];
    this.#bytes.copyWithin(prefix(0), z(0), z(0) + FIELD_BYTES);
    for (let i = 1; i < count; i++) module.multiply(prefix(i), prefix(i - 1), z(i));
    module.invert(inverse, prefix(count - 1), scratch);
    for (let i = count - 1; i > 0; i--) {
      module.multiply(product, inverse, prefix(i - 1));
      module.multiply(inverse, inverse, z(i));
      this.#bytes.copyWithin(z(i), product, product + FIELD_BYTES);
    }
    this.#bytes.copyWithin(z(0), inverse, inverse + FIELD_BYTES);
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
      this.#writeField(at + coordinate * FIELD_BYTES, value);
    });
  }

  #writeField(at: number, value: bigint): void {
    LIMB_OFFSETS.forEach((offset, limb) => {
      const width = limb % 2 === 0 ? 26 : 25;
      this.#view.setInt32(at + 4 * limb, Number(BigInt.asUintN(width, value >> BigInt(offset))), true);
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

function hasCanonicalS(signature: Uint8Array): boolean {
  if (signature.length !== 64) return false;
  return signature[63] < 0x10 || littleEndian(signature.subarray(32)) < L;
}

const littleEndian = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);

/** k = SHA-512(R, A, message) mod L as 32 bytes, little-endian. */
function challenge(r: Uint8Array, publicKey: Uint8Array, message: Uint8Array): Uint8Array {
  const digest = hash('sha512', Buffer.concat([r, publicKey, message]), 'buffer');
  const words = new DataView(digest.buffer, digest.byteOffset, 64);
  let k = 0n;
  for (let at = 56; at >= 0; at -= 8) k = (k << 64n) | words.getBigUint64(at, true);
  k %= L;
  const bytes = new Uint8Array(32);
  const out = new DataView(bytes.buffer);
  for (let at = 0; at < 32; at += 8) {
    out.setBigUint64(at, BigInt.asUintN(64, k), true);
    k >>= 64n;
  }
  return bytes;
}

/** Writes a scalar as digits between -2^(window-1) + 1 and 2^(window-1), the lowest first, and returns how many there are. */
function recode(scalar: Uint8Array, window: number, digits: Int16Array): number {
  const parts = partsOf(window);
  const half = 2 ** (window - 1);
  let carry = 0;
  for (let part = 0; part < parts; part++) {
    const bit = part * window;
    const pair = scalar[bit >> 3] | ((scalar[(bit >> 3) + 1] ?? 0) << 8);
    const digit = ((pair >> (bit & 7)) & (2 * half - 1)) + carry;
    carry = digit > half ? 1 : 0;
    digits[part] = carry === 1 ? digit - 2 * half : digit;
  }
  return parts;
}
