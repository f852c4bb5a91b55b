import { D, type EdwardsModule } from './edwards-wasm.js';
import { FIELD_BYTES, LIMB_OFFSETS, P, writeElement } from './field-wasm.js';

/** Coefficient of the curve's Montgomery form v² = u³ + A·u² + u. */
const A = 486662n;

const residue = (value: bigint): bigint => ((value % P) + P) % P;
const invert = (value: bigint): bigint => power(value, P - 2n);
const I = power(2n, (P - 1n) / 4n);

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (let square = residue(base); exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) result = (result * square) % P;
    square = (square * square) % P;
  }
  return result;
}

function squareRoot(value: bigint): bigint {
  const root = power(value, (P + 3n) / 8n);
  return (root * root) % P === residue(value) ? root : (root * I) % P;
}

/** Field elements that the work on every point needs. */
const CONSTANTS = {
  zero: 0n,
  one: 1n,
  d: D,
  i: I,
  a2: 2n * A,
  three: 3n,
  a: A,
  /** v/u · x of the map to the Montgomery form */
  c: squareRoot(residue(-486664n)),
  /** slope of the tangent at a point of order 4 */
  slope: squareRoot(A + 2n),
  /** from the root of i times the one difference to the root of the other, see `halve` */
  other: squareRoot(invert(residue(I * (A * A - 4n)))),
};
/** Field elements that the work on one point changes. */
const VARIABLES = ['s', 't', 'p', 'q', 'w', 'e', 'r', 'm', 'u', 'v', 'k', 'scratch', 'scratch1', 'scratch2'] as const;

type Name = keyof typeof CONSTANTS | (typeof VARIABLES)[number];

/** Decodes points and tests whether they lie in the subgroup of prime order, on a module's field arithmetic. */
export class PointDecoder {
  /** Bytes of memory that a decoder takes. */
  static readonly BYTES = (Object.keys(CONSTANTS).length + VARIABLES.length) * FIELD_BYTES + 64;
  readonly #module: EdwardsModule;
  readonly #view: DataView;
  readonly #words: BigUint64Array;
  readonly #at: Record<Name, number>;
  readonly #bytes: number;

  /** @param start where its memory begins, a multiple of 8 */
  constructor(module: EdwardsModule, start: number) {
    this.#module = module;
    this.#view = new DataView(module.memory.buffer);
    this.#words = new BigUint64Array(module.memory.buffer);
    this.#bytes = start;
    const names = [...Object.keys(CONSTANTS), ...VARIABLES];
    this.#at = Object.fromEntries(names.map((name, index) => [name, start + 64 + index * FIELD_BYTES])) as Record<Name, number>;
    for (const [name, value] of Object.entries(CONSTANTS)) {
      writeElement(this.#view, this.#at[name as Name], residue(value));
    }
  }

  /**
   * Writes x and y of the point that 32 bytes encode.
   * @returns false when they are no canonical encoding of a point of the curve
   */
  decode(bytes: Uint8Array, x: number, y: number): boolean {
    const { multiply, square, plus, minus, power } = this.#module;
    const { one, d, i, s, t, p, q, scratch, zero } = this.#at;
    this.#read(y, bytes);
    this.#module.toBytes(this.#bytes, y);
    for (let at = 0; at < 32; at++) {
      if (this.#view.getUint8(this.#bytes + at) !== (at < 31 ? bytes[at] : bytes[at] & 0x7f)) return false;
    }
    square(s, y);
    multiply(t, s, d);
    minus(s, s, one); // u = y² - 1
    plus(t, t, one); // v = dy² + 1
    square(p, t);
    multiply(p, p, t); // v³
    square(q, p);
    multiply(q, q, t); // v⁷
    multiply(q, q, s); // uv⁷
    power(x, q, scratch);
    multiply(x, x, p);
    multiply(x, x, s); // uv³(uv⁷)^((p-5)/8)
    square(q, x);
    multiply(q, q, t); // vx²
    minus(p, q, s);
    if (!this.#isZero(p)) {
      plus(p, q, s);
      if (!this.#isZero(p)) return false;
      multiply(x, x, i);
    }
    this.#module.toBytes(this.#bytes, x);
    const odd = this.#view.getUint8(this.#bytes) & 1;
    if (odd !== bytes[31] >> 7) {
      if (odd === 0 && this.#isZero(x)) return false;
      minus(x, zero, x);
    }
    return true;
  }

  /** out = x · (1 - y²), whose inverse `isPrimeOrder` needs. It is zero for the points of order 1 and 2 only. */
  toInvert(out: number, x: number, y: number): void {
    const { multiply, square, minus } = this.#module;
    const { one, s } = this.#at;
    square(s, y);
    minus(s, one, s);
    multiply(out, s, x);
  }

  /**
   * True when the point is eight times a point of the curve (Pornin 2022, "Point-Halving and Subgroup Membership in Twisted
   * Edwards Curves", is the idea). The point is halved once; its half must be four times a point, which one fourth power tells.
   * @param inverse the inverse of what `toInvert` wrote
   */
  isPrimeOrder(x: number, y: number, inverse: number): boolean {
    const { multiply, square, plus, minus, power } = this.#module;
    const { one, a, a2, c, i, slope, other, three, s, t, p, q, w, e, r, m, u, v, k, scratch } = this.#at;
    plus(s, one, y);
    minus(t, one, y);
    // u = (1 + y)/(1 - y) = (1 + y)²/(1 - y²); 1/x and 1/u in the same way
    multiply(p, inverse, x); // 1/(1 - y²)
    square(q, s);
    multiply(u, q, p);
    square(q, t);
    multiply(k, q, p); // 1/u
    multiply(p, s, t);
    multiply(p, inverse, p); // 1/x
    // w = √u, or the point is not even twice a point
    power(q, u, scratch);
    multiply(w, q, u);
    square(q, w);
    minus(r, q, u);
    if (!this.#isZero(r)) {
      plus(r, q, u);
      if (!this.#isZero(r)) return false;
      multiply(w, w, i);
    }
    // v = cu/x and e = v/w = cw/x, so that e² = u² + Au + 1
    multiply(p, p, c);
    multiply(v, p, u);
    multiply(e, p, w);
    // The half's u, called h, solves h + 1/h = 2(u ± e): h = g + √(g² - 1) for that g = u ± e which has the root.
    plus(s, u, e);
    square(q, s);
    minus(q, q, one);
    power(t, q, scratch);
    multiply(r, t, q);
    square(t, r);
    minus(m, t, q);
    if (!this.#isZero(m)) {
      plus(m, t, q);
      if (this.#isZero(m)) multiply(r, r, i);
      else {
        // (g₁² - 1)(g₂² - 1) = (A² - 4)u²: the root of the second from what was computed for the first
        minus(s, u, e);
        square(q, s);
        minus(q, q, one);
        multiply(r, r, q);
        multiply(r, r, k);
        multiply(r, r, other);
        square(t, r);
        minus(m, t, q);
        if (!this.#isZero(m)) multiply(r, r, i);
      }
    }
    plus(s, s, r); // h
    // 2v·v' = (3h² + 2Ah + 1)(h - u) - 2h(h² + Ah + 1) with v' the half's v
    square(q, s);
    multiply(p, q, three);
    multiply(t, s, a2);
    plus(p, p, t);
    plus(p, p, one);
    minus(t, s, u);
    multiply(p, p, t);
    multiply(t, s, a);
    plus(q, q, t);
    plus(q, q, one);
    multiply(q, q, s);
    plus(q, q, q);
    minus(p, p, q);
    // (v' - slope·h)²/h is a fourth power: with n = 2v·v' - 2v·slope·h, (2v·n)²h³ is one
    plus(v, v, v);
    multiply(t, v, slope);
    multiply(t, t, s);
    minus(p, p, t);
    multiply(p, p, v);
    square(p, p);
    square(q, s);
    multiply(q, q, s);
    multiply(p, p, q);
    power(q, p, scratch);
    square(q, q);
    multiply(q, q, p);
    minus(q, q, one);
    return this.#isZero(q);
  }

  #isZero(element: number): boolean {
    this.#module.toBytes(this.#bytes, element);
    const word = this.#bytes / 8;
    const words = this.#words;
    return words[word] === 0n && words[word + 1] === 0n && words[word + 2] === 0n && words[word + 3] === 0n;
  }

  #read(out: number, bytes: Uint8Array): void {
    LIMB_OFFSETS.forEach((offset, limb) => {
      const byte = offset >> 3;
      const word = (bytes[byte] | (bytes[byte + 1] << 8) | (bytes[byte + 2] << 16) | ((bytes[byte + 3] ?? 0) << 24)) >>> 0;
      const low = word / 2 ** (offset & 7) + (bytes[byte + 4] ?? 0) * 2 ** (32 - (offset & 7));
      this.#view.setInt32(out + 4 * limb, Math.floor(low) % 2 ** (limb % 2 === 0 ? 26 : 25), true);
    });
  }
}
