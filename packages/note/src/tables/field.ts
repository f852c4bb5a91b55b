import { type Code, doWhile, type FunctionBuilder, get, i32, i64, type ModuleBuilder, seq, set, when } from '@treering/wasm';

// Arithmetic modulo p = 2^255 - 19 as WebAssembly. An element is ten limbs of 26 and 25 bits in turn, each an i32 in memory and
// an i64 in a local. A product leaves limbs below 2^26 and (just above) 2^25; sums and differences are not carried. A sum of m
// products times one of n has columns below 2^59 · m · n: with m · n up to 12, which nothing here exceeds, they fit an i64.

const LIMBS = 10;

/** Bytes of one field element in memory. */
export const FIELD_BYTES = 4 * LIMBS;

/** Where each limb begins, in bits. */
export const LIMB_OFFSETS: readonly number[] = [0, 26, 51, 77, 102, 128, 153, 179, 204, 230];

const widthOf = (limb: number): number => (limb % 2 === 0 ? 26 : 25);
const maskOf = (limb: number): Code => i64.const((1n << BigInt(widthOf(limb))) - 1n);

/** The order of the field. */
export const P = 2n ** 255n - 19n;

/** Writes a value between 0 and 2^255 as an element. */
export function writeElement(view: DataView, at: number, value: bigint): void {
  LIMB_OFFSETS.forEach((offset, limb) => {
    view.setInt32(at + 4 * limb, Number(BigInt.asUintN(widthOf(limb), value >> BigInt(offset))), true);
  });
}

/** Calls of the functions that work on elements in memory; each argument is an address. */
export interface FieldCalls {
  /** out = a · b */
  readonly multiply: (out: Code, a: Code, b: Code) => Code;
  /** out = a² */
  readonly square: (out: Code, a: Code) => Code;
}

/** Adds the field's functions to a module; what each does stands at `EdwardsModule`. */
export function defineField(module: ModuleBuilder): FieldCalls {
  const multiply = module.define('multiply', 3, (f) => {
    const [out, a, b] = f.parameters;
    return product(f, loader(get(a)), loader(get(b)), storer(get(out)));
  });
  const square = module.define('square', 2, (f) => {
    const [out, a] = f.parameters;
    return squared(f, loader(get(a)), storer(get(out)));
  });
  const squareTimes = module.define('squareTimes', 3, (f) => {
    const [out, a, times] = f.parameters;
    const more = i32.gtS(get(times), i32.const(1));
    const again = seq(square(get(out), get(out)), set(times, i32.sub(get(times), i32.const(1))));
    return seq(square(get(out), get(a)), when(more, doWhile(again, more)));
  });
  module.define('invert', 3, (f) => inverse(f, multiply, squareTimes));
  module.define('toBytes', 2, encoding);
  return { multiply, square };
}

/** Reads limb i of an element. */
type Load = (limb: number) => Code;
/** Writes limb i of an element. */
type Store = (limb: number, value: Code) => Code;

/** The element at an address. */
export const loader =
  (address: Code, offset = 0): Load =>
  (limb) =>
    i64.load32(address, offset + 4 * limb);

/** Writes to the element at an address. */
export const storer =
  (address: Code, offset = 0): Store =>
  (limb, value) =>
    i64.store32(address, value, offset + 4 * limb);

/** out = a · b, by columns: what lies above 2^255 comes down times 19, and two odd limbs meet half a bit too high. */
function product(f: FunctionBuilder, a: Load, b: Load, out: Store): Code {
  const as = Array.from({ length: LIMBS }, () => f.local('i64'));
  const bs = Array.from({ length: LIMBS }, () => f.local('i64'));
  const doubled = as.map((local, i) => (i % 2 === 1 ? f.local('i64') : local));
  const folded = bs.map((local, i) => (i > 0 ? f.local('i64') : local));
  const prepare = seq(
    ...as.map((local, i) => set(local, a(i))),
    ...bs.map((local, i) => set(local, b(i))),
    ...as.map((local, i) => (i % 2 === 1 ? set(doubled[i], i64.shl(get(local), 1)) : [])),
    ...bs.map((local, i) => (i > 0 ? set(folded[i], i64.mul(get(local), i64.const(19n))) : [])),
  );
  const column = (k: number): Code =>
    as
      .map((_, i) => {
        const j = (k - i + LIMBS) % LIMBS;
        return i64.mul(get((i % 2 === 1 && j % 2 === 1 ? doubled : as)[i]), get((i > k ? folded : bs)[j]));
      })
      .reduce(i64.add);
  return seq(prepare, carried(f, column, out));
}

/** out = a², with each mixed term taken once. */
function squared(f: FunctionBuilder, a: Load, out: Store): Code {
  const as = Array.from({ length: LIMBS }, () => f.local('i64'));
  const doubled = as.map(() => f.local('i64'));
  const folded = as.map((_, i) => (i >= 5 ? f.local('i64') : undefined));
  const foldedTwice = as.map((_, i) => (i >= 5 && i % 2 === 1 ? f.local('i64') : undefined));
  const prepare = seq(
    ...as.map((local, i) => set(local, a(i))),
    ...as.map((local, i) => set(doubled[i], i64.shl(get(local), 1))),
    ...folded.map((local, i) => (local !== undefined ? set(local, i64.mul(get(as[i]), i64.const(19n))) : [])),
    ...foldedTwice.map((local, i) => (local !== undefined ? set(local, i64.shl(get(folded[i] as number), 1)) : [])),
  );
  const column = (k: number): Code => {
    const terms: Code[] = [];
    for (let i = 0; i < LIMBS; i++) {
      // i <= j (mod the fold): the larger index carries the factors 19 and, for two odd limbs, 2.
      const j = (k - i + LIMBS) % LIMBS;
      if (j < i) continue;
      const odd = i % 2 === 1 && j % 2 === 1;
      const low = get(i === j ? as[i] : doubled[i]);
      const high = i + j >= LIMBS ? (odd ? foldedTwice[j] : folded[j]) : odd ? doubled[j] : as[j];
      terms.push(i64.mul(low, get(high as number)));
    }
    return terms.reduce(i64.add);
  };
  return seq(prepare, carried(f, column, out));
}

/** Computes ten columns, carries them in two chains beside each other, and stores the limbs. */
function carried(f: FunctionBuilder, column: (k: number) => Code, out: Store): Code {
  const h = Array.from({ length: LIMBS }, () => f.local('i64'));
  return seq(
    ...h.map((local, k) => set(local, column(k))),
    ...[0, 4, 1, 5, 2, 6, 3, 7, 4, 8, 9, 0].map((limb) => carry(f, h, limb)),
    ...h.map((local, k) => out(k, get(local))),
  );
}

/** Moves what exceeds a limb to the next; from the last it comes back to the first times 19. Rounds towards minus infinity. */
function carry(f: FunctionBuilder, h: readonly number[], limb: number): Code {
  const over = f.local('i64');
  const next = (limb + 1) % LIMBS;
  const amount = limb === 9 ? i64.mul(get(over), i64.const(19n)) : get(over);
  return seq(
    set(over, i64.shrS(get(h[limb]), widthOf(limb))),
    set(h[limb], i64.and(get(h[limb]), maskOf(limb))),
    set(h[next], i64.add(get(h[next]), amount)),
  );
}

/** a^(p-2): 254 squarings and 11 products. */
function inverse(f: FunctionBuilder, multiply: FieldCalls['multiply'], squareTimes: FieldCalls['multiply']): Code {
  const [out, a, scratch] = f.parameters;
  const slot = (index: number): Code => i32.add(get(scratch), i32.const(index * FIELD_BYTES));
  const [t, u, v] = [slot(0), slot(1), slot(2)];
  const times = (to: Code, from: Code, count: number): Code => squareTimes(to, from, i32.const(count));
  const runs: [to: Code, from: Code, by: Code, bits: number][] = [
    [u, u, u, 5], // 10 ones
    [v, u, u, 10], // 20 ones
    [v, v, v, 20], // 40 ones
    [u, v, u, 10], // 50 ones
    [v, u, u, 50], // 100 ones
    [v, v, v, 100], // 200 ones
    [u, v, u, 50], // 250 ones
  ];
  return seq(
    times(t, get(a), 1), // a^2
    times(u, t, 2), // a^8
    multiply(u, u, get(a)), // a^9
    multiply(t, t, u), // a^11
    times(v, t, 1), // a^22
    multiply(u, u, v), // a^31: 5 ones
    ...runs.map(([to, from, by, bits]) => {
      // The result may overwrite what it is multiplied by: the run goes through `out`.
      return seq(times(get(out), from, bits), multiply(to, get(out), by));
    }),
    times(u, u, 5),
    multiply(get(out), u, t),
  );
}

/** The canonical bytes of an element. */
function encoding(f: FunctionBuilder): Code {
  const [out, a] = f.parameters;
  const h = Array.from({ length: LIMBS }, () => f.local('i64'));
  const q = f.local('i64');
  const words = Array.from({ length: 4 }, () => f.local('i64'));
  const round = seq(...h.map((_, limb) => carry(f, h, limb)));
  // Carried three times, the limbs are in range and the value lies below 2^255. It is at least p when adding 19 reaches 2^255.
  const quotient = seq(
    set(q, i64.const(19n)),
    ...h.map((local, limb) => set(q, i64.shrS(i64.add(get(local), get(q)), widthOf(limb)))),
    set(h[0], i64.add(get(h[0]), i64.mul(get(q), i64.const(19n)))),
  );
  const last = seq(...h.slice(0, 9).map((_, limb) => carry(f, h, limb)), set(h[9], i64.and(get(h[9]), maskOf(9))));
  const pack = LIMB_OFFSETS.map((offset, limb) => {
    const [word, shift] = [offset >> 6, offset & 63];
    const low = set(words[word], i64.or(get(words[word]), i64.shl(get(h[limb]), shift)));
    const crosses = shift + widthOf(limb) > 64;
    return crosses ? seq(low, set(words[word + 1], i64.shrU(get(h[limb]), 64 - shift))) : low;
  });
  return seq(
    ...h.map((local, limb) => set(local, i64.load32(get(a), 4 * limb))),
    round,
    round,
    round,
    quotient,
    last,
    ...pack,
    ...words.map((word, index) => i64.store(get(out), get(word), 8 * index)),
  );
}
