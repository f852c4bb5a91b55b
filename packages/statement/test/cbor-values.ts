import fc from 'fast-check';
import type { CborValue } from '../src/index.js';

/** The bytes of a hex text; spaces are for the reader. */
export function fromHex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.replace(/\s/g, ''), 'hex'));
}

/** Lower-case hex. */
export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** Integers around every width of a CBOR head, both signs, to 2^53 - 1. */
export const EDGE_INTEGERS: readonly number[] = [
  23,
  24,
  255,
  256,
  65_535,
  65_536,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 53 - 2,
  2 ** 53 - 1,
].flatMap((n) => (n === 2 ** 53 - 1 ? [n, -n] : [n, -n, -n - 1]));

const integer = fc.oneof(fc.integer({ min: -30, max: 30 }), fc.maxSafeInteger(), fc.constantFrom(...EDGE_INTEGERS));
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.string({ unit: 'grapheme', maxLength: 300, size: 'max' }),
  fc.constantFrom('', '__proto__', 'constructor', '$bytes', '$$bytes', 'toString', '\u0000', '水', '1'),
);
const bytes = fc.uint8Array({ maxLength: 40 });
const scalar: fc.Arbitrary<CborValue> = fc.oneof(fc.constant(null), fc.boolean(), integer, text, bytes);

function containerOf(key: fc.Arbitrary<number | string>): fc.Arbitrary<CborValue> {
  return fc.letrec<{ value: CborValue }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 6, withCrossShrink: true },
      scalar,
      fc.array(tie('value'), { maxLength: 6 }),
      fc.uniqueArray(fc.tuple(key, tie('value')), { maxLength: 6, selector: ([k]) => k }).map((pairs) => new Map(pairs)),
    ),
  })).value;
}

/** Any value of the profile; maps have integer and text keys, in any order. */
export const profileValue = containerOf(fc.oneof(integer, text));

/** Values whose maps have text keys only, as records have and as JSON can say. */
export const textKeyedValue = containerOf(text);

/** cborg at its strictest: no longer head than needed, no indefinite length, no key twice; maps as Map. */
export const STRICT_CBORG = {
  strict: true,
  allowIndefinite: false,
  allowUndefined: false,
  allowInfinity: false,
  allowNaN: false,
  allowBigInt: false,
  rejectDuplicateMapKeys: true,
  useMaps: true,
} as const;
