import { randomBytes } from 'node:crypto';
import { Point } from '@noble/ed25519';
import { nodeEd25519 } from '@treering/note/node';
import { D, type EdwardsModule, ENTRY_BYTES, instantiateEdwards, POINT_BYTES } from './edwards-wasm.js';
import { FIELD_BYTES, P, writeElement } from './field-wasm.js';
import { invertAll } from './invert-all.js';
import { L, littleEndian, recode, scalarBytes } from './scalar.js';
import { challenge, hasCanonicalS, idOf, type SignedMessage } from './signed-message.js';
import { PointDecoder } from './subgroup.js';

const Z_BYTES = 16;
/** One bit more than the scalars have, for the carry of a signed digit. */
const [Z_BITS, SCALAR_BITS] = [129, 254];
/** Groups that are not larger are verified one by one when their equation fails. */
const SMALLEST = 4;
const MAX_WINDOW = 10;
const PAGE = 65536;

/** A term of the sum: the scalar, little-endian, and the table entry of its point. */
interface Term {
  readonly scalar: Uint8Array;
  readonly entry: number;
}

/** A signature that the combined equation can say something about: S, k, and the entries of -R and of -A. */
interface Candidate {
  readonly index: number;
  readonly s: bigint;
  readonly k: bigint;
  readonly r: number;
  readonly key: number;
}

/**
 * Strict Ed25519 verification by a random linear combination: the sum of z·(S·B - k·A - R) over a batch is zero for valid signatures,
 * and otherwise with a probability of 2^-128 - as long as A and R have no part of small order. Both are therefore tested; what fails
 * the test or the equation is left to node:crypto, and a batch whose equation fails is halved.
 */
export class BatchEd25519 {
  readonly #module: EdwardsModule;
  readonly #decoder: PointDecoder;
  readonly #bytes: Uint8Array;
  readonly #size: number;
  readonly #keyLimit: number;
  /** Entries of -A of the keys in the subgroup of prime order; null for all other keys. */
  readonly #keys = new Map<string, number | null>();
  readonly #at: Readonly<
    Record<'twoD' | 'neutral' | 'total' | 'running' | 'buckets' | 'points' | 'prefix' | 'base' | 'entries', number>
  >;
  #keyCount = 0;
  #leftToNative = 0;

  /**
   * @param size signatures in one equation, at most
   * @param keyLimit how many keys are remembered
   */
  constructor(size: number, keyLimit: number) {
    this.#size = size;
    this.#keyLimit = keyLimit;
    let end = Math.ceil(PointDecoder.BYTES / 64) * 64;
    const take = (bytes: number): number => {
      const start = end;
      end = Math.ceil((start + bytes) / 64) * 64;
      return start;
    };
    this.#at = {
      twoD: take(9 * FIELD_BYTES),
      neutral: take(POINT_BYTES),
      total: take(POINT_BYTES),
      running: take(POINT_BYTES),
      buckets: take(2 ** (MAX_WINDOW - 1) * POINT_BYTES),
      points: take(2 * size * POINT_BYTES),
      prefix: take((2 * size + 4) * FIELD_BYTES),
      base: take(ENTRY_BYTES),
      entries: take((size + keyLimit) * ENTRY_BYTES),
    };
    this.#module = instantiateEdwards(Math.ceil(end / PAGE));
    this.#decoder = new PointDecoder(this.#module, 0);
    this.#bytes = new Uint8Array(this.#module.memory.buffer);
    const { twoD, neutral, base, points } = this.#at;
    const view = new DataView(this.#module.memory.buffer);
    writeElement(view, twoD, (2n * D) % P);
    [0n, 1n, 1n, 0n].forEach((value, coordinate) => {
      writeElement(view, neutral + coordinate * FIELD_BYTES, value);
    });
    this.#decoder.decode(Point.BASE.toBytes(), points, points + FIELD_BYTES);
    this.#module.toEntry(base, points, points + FIELD_BYTES, twoD);
  }

  /** How many signatures the equation did not decide: node:crypto did. */
  get leftToNative(): number {
    return this.#leftToNative;
  }

  /**
   * The verdict on each signature, in order.
   * @throws RangeError when there is no room for another key
   */
  verifyMany(items: readonly SignedMessage[]): boolean[] {
    const verdicts: boolean[] = [];
    for (let start = 0; start < items.length; start += this.#size) {
      verdicts.push(...this.#verifyBatch(items.slice(start, start + this.#size)));
    }
    return verdicts;
  }

  #verifyBatch(items: readonly SignedMessage[]): boolean[] {
    const verdicts = new Array<boolean>(items.length).fill(false);
    this.#loadKeys(items);
    const oneByOne: number[] = [];
    const possible: number[] = [];
    items.forEach(({ publicKey, signature }, index) => {
      if (!hasCanonicalS(signature)) return;
      (this.#keys.get(idOf(publicKey)) === null ? oneByOne : possible).push(index);
    });
    const rs = possible.map((index) => items[index].signature.subarray(0, 32));
    const candidates: Candidate[] = [];
    this.#decodeAll(rs, (at) => this.#at.entries + at * ENTRY_BYTES).forEach((state, at) => {
      const index = possible[at];
      const { publicKey, message, signature } = items[index];
      // With A in the subgroup S·B - k·A lies in it too, so an R outside, or one that is no point, cannot be right.
      if (state === 'unclear') oneByOne.push(index);
      if (state !== 'prime order') return;
      const s = littleEndian(signature.subarray(32));
      const k = challenge(signature.subarray(0, 32), publicKey, message);
      const key = this.#keys.get(idOf(publicKey)) as number;
      candidates.push({ index, s, k, r: this.#at.entries + at * ENTRY_BYTES, key });
    });
    this.#bisect(candidates, items, verdicts);
    for (const index of oneByOne) verdicts[index] = this.#natively(items[index]);
    return verdicts;
  }

  #natively({ publicKey, message, signature }: SignedMessage): boolean {
    this.#leftToNative++;
    return nodeEd25519.verify(publicKey, message, signature);
  }

  #bisect(candidates: readonly Candidate[], items: readonly SignedMessage[], verdicts: boolean[]): void {
    if (candidates.length === 0) return;
    if (this.#holds(candidates)) {
      for (const { index } of candidates) verdicts[index] = true;
    } else if (candidates.length <= SMALLEST) {
      for (const { index } of candidates) verdicts[index] = this.#natively(items[index]);
    } else {
      const middle = candidates.length >> 1;
      this.#bisect(candidates.slice(0, middle), items, verdicts);
      this.#bisect(candidates.slice(middle), items, verdicts);
    }
  }

  /** The combined equation, with one term for B, one for each key and one for each R. */
  #holds(candidates: readonly Candidate[]): boolean {
    const random = randomBytes(candidates.length * Z_BYTES);
    const ofKeys = new Map<number, bigint>();
    let ofBase = 0n;
    const short = candidates.map(({ s, k, r, key }, index): Term => {
      const scalar = random.subarray(index * Z_BYTES, (index + 1) * Z_BYTES);
      const z = littleEndian(scalar);
      ofBase += z * s;
      ofKeys.set(key, (ofKeys.get(key) ?? 0n) + z * k);
      return { scalar, entry: r };
    });
    const long = [...ofKeys].map(([entry, scalar]): Term => ({ scalar: scalarBytes(scalar % L), entry }));
    return this.#sumIsNeutral(short, [...long, { scalar: scalarBytes(ofBase % L), entry: this.#at.base }]);
  }

  /** Pippenger's buckets with signed digits, from the highest window down. */
  #sumIsNeutral(short: readonly Term[], long: readonly Term[]): boolean {
    const { total, running, buckets, neutral, twoD } = this.#at;
    const { add, subtract, addPoint, double } = this.#module;
    const window = cheapestWindow(short.length, long.length);
    const half = 2 ** (window - 1);
    const scratch = twoD + FIELD_BYTES;
    const [shortParts, longParts] = [Z_BITS, SCALAR_BITS].map((bits) => Math.ceil(bits / window));
    const digitsOf = (terms: readonly Term[], parts: number): Int16Array[] =>
      terms.map(({ scalar }) => {
        const digits = new Int16Array(parts);
        recode(scalar, window, parts, digits);
        return digits;
      });
    const [shorts, longs] = [digitsOf(short, shortParts), digitsOf(long, longParts)];
    const bucketAt = (digit: number): number => buckets + (digit - 1) * POINT_BYTES;
    const drop = (digit: number, entry: number): void => {
      if (digit > 0) add(bucketAt(digit), entry, scratch);
      else if (digit < 0) subtract(bucketAt(-digit), entry, scratch);
    };
    this.#copyPoint(total, neutral);
    for (let part = longParts - 1; part >= 0; part--) {
      for (let bit = 0; bit < window; bit++) double(total, scratch);
      for (let digit = 1; digit <= half; digit++) this.#copyPoint(bucketAt(digit), neutral);
      long.forEach(({ entry }, index) => {
        drop(longs[index][part], entry);
      });
      if (part < shortParts) {
        for (let index = 0; index < short.length; index++) drop(shorts[index][part], short[index].entry);
      }
      this.#copyPoint(running, neutral);
      for (let digit = half; digit >= 1; digit--) {
        addPoint(running, bucketAt(digit), twoD);
        addPoint(total, running, twoD);
      }
    }
    const { minus, toBytes } = this.#module;
    minus(running, total + FIELD_BYTES, total + 2 * FIELD_BYTES);
    toBytes(scratch, total);
    toBytes(scratch + 32, running);
    return this.#bytes.subarray(scratch, scratch + 64).every((byte) => byte === 0);
  }

  /** Decodes and tests the keys that are not yet known. */
  #loadKeys(items: readonly SignedMessage[]): void {
    const fresh = new Map<string, Uint8Array>();
    for (const { publicKey } of items) {
      const id = idOf(publicKey);
      if (this.#keys.has(id) || fresh.has(id)) continue;
      if (publicKey.length === 32) fresh.set(id, publicKey);
      else this.#keys.set(id, null);
    }
    if (this.#keyCount + fresh.size > this.#keyLimit) throw new RangeError(`there is room for ${this.#keyLimit} keys`);
    const ids = [...fresh.keys()];
    const first = this.#at.entries + (this.#size + this.#keyCount) * ENTRY_BYTES;
    this.#decodeAll([...fresh.values()], (index) => first + index * ENTRY_BYTES).forEach((state, index) => {
      this.#keys.set(ids[index], state === 'prime order' ? first + index * ENTRY_BYTES : null);
    });
    this.#keyCount += ids.length;
  }

  /** Writes the entries of the negatives of those encoded points that lie in the subgroup of prime order. */
  #decodeAll(encoded: readonly Uint8Array[], entryOf: (index: number) => number): ('prime order' | 'unclear' | 'outside')[] {
    const { points, prefix, twoD, neutral } = this.#at;
    const { minus, toEntry } = this.#module;
    const decoder = this.#decoder;
    const x = (index: number): number => points + index * POINT_BYTES;
    const y = (index: number): number => x(index) + FIELD_BYTES;
    const n = (index: number): number => x(index) + 2 * FIELD_BYTES;
    const states = encoded.map((bytes, index) => {
      if (!decoder.decode(bytes, x(index), y(index))) return 'outside';
      decoder.toInvert(n(index), x(index), y(index));
      return this.#isZero(n(index)) ? 'unclear' : 'prime order';
    });
    const usable = states.flatMap((state, index) => (state === 'prime order' ? [index] : []));
    invertAll(this.#module, usable.map(n), prefix, twoD + FIELD_BYTES);
    for (const index of usable) {
      if (!decoder.isPrimeOrder(x(index), y(index), n(index))) states[index] = 'outside';
      else {
        minus(x(index), neutral, x(index));
        toEntry(entryOf(index), x(index), y(index), twoD);
      }
    }
    return states;
  }

  #isZero(element: number): boolean {
    const at = this.#at.running;
    this.#module.toBytes(at, element);
    return this.#bytes.subarray(at, at + 32).every((byte) => byte === 0);
  }

  #copyPoint(to: number, from: number): void {
    this.#bytes.copyWithin(to, from, from + POINT_BYTES);
  }
}

function cheapestWindow(short: number, long: number): number {
  let best = 1;
  let least = Number.POSITIVE_INFINITY;
  for (let window = 2; window <= MAX_WINDOW; window++) {
    const parts = Math.ceil(SCALAR_BITS / window);
    const cost = 7 * (short * Math.ceil(Z_BITS / window) + long * parts) + 18 * 2 ** (window - 1) * parts;
    if (cost < least) [best, least] = [window, cost];
  }
  return best;
}
