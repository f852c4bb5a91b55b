import { decode, encode, rfc8949EncodeOptions } from 'cborg';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type CborValue, decodeCbor, encodeCbor } from '../src/index.js';
import { EDGE_INTEGERS, profileValue, STRICT_CBORG, toHex } from './cbor-values.js';

/** cborg's value with its bytes as plain Uint8Array, so that values compare. */
function adopt(value: unknown): unknown {
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (Array.isArray(value)) return value.map(adopt);
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [key, adopt(item)]));
  return value;
}

/** The value, or undefined when it is refused. */
function accepted(bytes: Uint8Array, order?: 'any'): CborValue | undefined {
  try {
    return decodeCbor(bytes, { order, tags: [] });
  } catch {
    return undefined;
  }
}

test('cborg writes the same bytes', () => {
  fc.assert(
    fc.property(profileValue, (value) => {
      assert.is(toHex(encodeCbor(value)), toHex(encode(value, rfc8949EncodeOptions)));
    }),
    { seed: 42, numRuns: 1500 },
  );
  for (const n of EDGE_INTEGERS) assert.is(toHex(encodeCbor(n)), toHex(encode(n, rfc8949EncodeOptions)), String(n));
});

test('cborg sorts the keys of plain objects alike', () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.string({ unit: 'grapheme', maxLength: 40 }), fc.maxSafeInteger(), { maxKeys: 30 }),
      (value) => {
        assert.is(toHex(encodeCbor(value)), toHex(encode(value, rfc8949EncodeOptions)));
      },
    ),
    { seed: 42, numRuns: 500 },
  );
});

test('what cborg wrote is read to the same value', () => {
  fc.assert(
    fc.property(profileValue, (value) => {
      assert.equal(decodeCbor(encode(value, rfc8949EncodeOptions)), value);
    }),
    { seed: 43, numRuns: 500 },
  );
});

test('what is accepted, of changed bytes too, cborg reads to the same value', () => {
  let compared = 0;
  fc.assert(
    fc.property(
      profileValue,
      fc.nat(),
      fc.nat({ max: 255 }),
      fc.constantFrom('any' as const, undefined),
      (value, at, mask, order) => {
        const bytes = encodeCbor(value);
        bytes[at % bytes.length] ^= mask;
        const ours = accepted(bytes, order);
        if (ours === undefined) return;
        assert.equal(adopt(decode(bytes, STRICT_CBORG)), ours);
        compared++;
      },
    ),
    { seed: 42, numRuns: 4000 },
  );
  assert.ok(compared > 500, `only ${compared} were accepted`);
});

test('what is accepted of random bytes, cborg reads to the same value and writes to the same bytes', () => {
  let compared = 0;
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 6 }), (bytes) => {
      const ours = accepted(bytes);
      if (ours === undefined) return;
      const theirs = decode(bytes, STRICT_CBORG);
      assert.equal(adopt(theirs), ours);
      assert.is(toHex(encode(theirs, rfc8949EncodeOptions)), toHex(bytes));
      compared++;
    }),
    { seed: 42, numRuns: 20_000 },
  );
  assert.ok(compared > 500, `only ${compared} were accepted`);
});

test.run();
