import { type Code, doWhile, get, i32, i64, ModuleBuilder, seq, set, when } from '@treering/wasm';
import { defineField, FIELD_BYTES, loader, storer } from './field.js';

// Points of edwards25519 as WebAssembly. A point in memory is X, Y, Z, T with x = X/Z, y = Y/Z, xy = T/Z. A table entry is an
// affine point as y + x, y - x, 2dxy, padded to two cache lines. The addition is complete: it needs no special cases.

/** Bytes of a point in memory. */
export const POINT_BYTES = 4 * FIELD_BYTES;
/** Bytes of a table entry in memory. */
export const ENTRY_BYTES = 128;

/** d of the curve's equation -x² + y² = 1 + dx²y². */
export const D = 37095705934669439343138083508754565189542113879843219016388785533085940283555n;

const LIMB_COUNT = FIELD_BYTES / 4;
const [Y, Z, T] = [1, 2, 3].map((coordinate) => coordinate * FIELD_BYTES);

/** What the module exports, and the memory that it works on. All parameters are addresses in bytes unless said otherwise. */
export interface EdwardsModule {
  readonly memory: WebAssembly.Memory;
  /** out = a · b, of field elements */
  multiply(out: number, a: number, b: number): void;
  /** out = a², of field elements */
  square(out: number, a: number): void;
  /** out = a to the power 2^times, by so many squarings; `times` is at least 1 */
  squareTimes(out: number, a: number, times: number): void;
  /** out = a⁻¹, of field elements, with three of scratch space */
  invert(out: number, a: number, scratch: number): void;
  /** Writes the 32 canonical bytes of a field element. */
  toBytes(out: number, a: number): void;
  /** point = point + entry, with four field elements of scratch space. */
  add(point: number, entry: number, scratch: number): void;
  /** point = point - entry, with four field elements of scratch space. */
  subtract(point: number, entry: number, scratch: number): void;
  /** point = 2 · point, with four field elements of scratch space. */
  double(point: number, scratch: number): void;
  /** Makes the table entry of x and y, with two field elements of scratch space that begin with 2d. */
  toEntry(entry: number, x: number, y: number, scratch: number): void;
  /**
   * Adds one entry of each part of a table to a point. Part i holds 1 to 2^log times its base; digit i, an i16 between -2^log
   * and 2^log, says which multiple is added.
   */
  accumulate(point: number, digits: number, count: number, table: number, log: number, scratch: number): void;
}

/** Memory of an instance before it grows; the module is compiled for all sizes. */
const FIRST_PAGES = 1;

/** Compiled once: what has become fast in one instance is fast in the next. */
let compiled: WebAssembly.Module | undefined;

/**
 * An instance of the module with a memory of its own, which may grow.
 * @param pages of memory at first, 65,536 bytes each
 * @throws WebAssembly.CompileError where a page may not compile
 */
export function instantiateEdwards(pages: number): EdwardsModule {
  compiled ??= new WebAssembly.Module(encodeEdwards());
  const module = new WebAssembly.Instance(compiled).exports as unknown as EdwardsModule;
  module.memory.grow(pages - FIRST_PAGES);
  return module;
}

function encodeEdwards(): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder();
  const { multiply, square } = defineField(module);

  const add = module.define('add', 3, (f) => {
    const [point, entry, scratch] = f.parameters.map((parameter) => get(parameter));
    return mixedAddition(multiply, point, entry, scratch, 1);
  });
  const subtract = module.define('subtract', 3, (f) => {
    const [point, entry, scratch] = f.parameters.map((parameter) => get(parameter));
    return mixedAddition(multiply, point, entry, scratch, -1);
  });

  module.define('double', 2, (f) => {
    const [point, scratch] = f.parameters.map((parameter) => get(parameter));
    const [a, b, c, s] = [0, 1, 2, 3].map((index) => at(scratch, index * FIELD_BYTES));
    return seq(
      square(a, point),
      square(b, at(point, Y)),
      square(c, at(point, Z)),
      linear(s, [point, 1], [at(point, Y), 1]),
      square(s, s),
      linear(at(point, Z), [b, 1], [a, -1]), // G = Y² - X²
      linear(at(point, T), [b, 1], [a, 1]), // H = Y² + X²
      linear(at(point, Y), [s, 1], [at(point, T), -1]), // E = 2XY
      linear(c, [c, 2], [at(point, Z), -1]), // -F = 2Z² - G
      multiply(point, at(point, Y), c),
      multiply(s, at(point, Z), at(point, T)),
      multiply(at(point, T), at(point, Y), at(point, T)),
      multiply(at(point, Z), at(point, Z), c),
      linear(at(point, Y), [s, 1]),
    );
  });

  module.define('toEntry', 4, (f) => {
    const [entry, x, y, scratch] = f.parameters.map((parameter) => get(parameter));
    const product = at(scratch, FIELD_BYTES);
    return seq(
      multiply(product, x, y),
      linear(entry, [y, 1], [x, 1]),
      linear(at(entry, FIELD_BYTES), [y, 1], [x, -1]),
      multiply(at(entry, 2 * FIELD_BYTES), product, scratch),
    );
  });

  module.define('accumulate', 6, (f) => {
    const [point, digits, count, table, log, scratch] = f.parameters;
    const digit = f.local('i32');
    const entryOf = (positive: Code): Code =>
      i32.add(get(table), i32.shl(i32.sub(positive, i32.const(1)), i32.const(Math.log2(ENTRY_BYTES))));
    return doWhile(
      seq(
        set(digit, i32.load16S(get(digits))),
        when(i32.gtS(get(digit), i32.const(0)), add(get(point), entryOf(get(digit)), get(scratch))),
        when(i32.ltS(get(digit), i32.const(0)), subtract(get(point), entryOf(i32.sub(i32.const(0), get(digit))), get(scratch))),
        set(digits, i32.add(get(digits), i32.const(2))),
        set(table, i32.add(get(table), i32.shl(i32.const(ENTRY_BYTES), get(log)))),
        set(count, i32.sub(get(count), i32.const(1))),
      ),
      i32.gtS(get(count), i32.const(0)),
    );
  });
  return module.encode({ pages: FIRST_PAGES });
}

type Multiply = (out: Code, a: Code, b: Code) => Code;

const at = (address: Code, offset: number): Code => (offset === 0 ? address : i32.add(address, i32.const(offset)));

/** out = the sum of elements times 1, -1 or 2 (the first not -1), limb by limb and without carrying. */
function linear(out: Code, ...terms: readonly (readonly [address: Code, factor: number])[]): Code {
  const store = storer(out);
  return seq(
    ...Array.from({ length: LIMB_COUNT }, (_, limb) => {
      const sizes = terms.map(([address, factor]) => {
        const value = loader(address)(limb);
        return Math.abs(factor) === 2 ? i64.shl(value, 1) : value;
      });
      return store(
        limb,
        sizes.reduce((left, right, index) => (terms[index][1] < 0 ? i64.sub(left, right) : i64.add(left, right))),
      );
    }),
  );
}

/** Hisil, Wong, Carter and Dawson 2008, section 3.1, with Z2 = 1 and k·T2 in the table: seven products. */
function mixedAddition(multiply: Multiply, point: Code, entry: Code, scratch: Code, sign: 1 | -1): Code {
  const [e, f, g, h] = [0, 1, 2, 3].map((index) => at(scratch, index * FIELD_BYTES));
  const sums = [entry, at(entry, FIELD_BYTES)];
  const [sum, difference] = sign > 0 ? sums : sums.reverse();
  const [x, y, z, t] = [point, at(point, Y), at(point, Z), at(point, T)];
  return seq(
    linear(e, [y, 1], [x, -1]),
    linear(h, [y, 1], [x, 1]),
    multiply(x, e, difference), // A
    multiply(y, h, sum), // B
    multiply(t, t, at(entry, 2 * FIELD_BYTES)), // C
    linear(e, [y, 1], [x, -1]),
    linear(h, [y, 1], [x, 1]),
    linear(f, [z, 2], [t, -sign]),
    linear(g, [z, 2], [t, sign]),
    multiply(x, e, f),
    multiply(y, g, h),
    multiply(t, e, h),
    multiply(z, f, g),
  );
}
