import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { haveVectors, vectorJson } from '../../../test/vectors.js';
import {
  type CborInput,
  type CborValue,
  decodeCbor,
  encodeCbor,
  StatementError,
  type StatementErrorCode,
} from '../src/index.js';
import { EDGE_INTEGERS, fromHex, profileValue, toHex } from './cbor-values.js';
import { errorOf, refuses } from './expect-error.js';

/** A decoded value as the published vectors write it: objects for maps. */
function plain(value: CborValue): unknown {
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, item]) => [key, plain(item)]));
  if (Array.isArray(value)) return value.map(plain);
  return value;
}

if (haveVectors) {
  test('RFC 8949 appendix A: the profile reads and writes its part, and refuses the rest', () => {
    let accepted = 0;
    let refused = 0;
    for (const item of vectorJson('cbor-rfc8949-appendix-a/appendix_a.json')) {
      const { hex, roundtrip, decoded, diagnostic } = item;
      const bytes = fromHex(hex);
      const isFloat = /^f[9ab]/.test(hex);
      const isBytes = typeof diagnostic === 'string' && diagnostic.startsWith("h'");
      const inProfile =
        roundtrip &&
        !isFloat &&
        (isBytes || 'decoded' in item) &&
        (typeof decoded !== 'number' || Number.isSafeInteger(decoded));
      if (!inProfile) {
        refuses(() => decodeCbor(bytes), ['cbor/not-in-profile', 'cbor/not-deterministic'], hex);
        refused++;
        continue;
      }
      const value = decodeCbor(bytes);
      assert.equal(plain(value), isBytes ? fromHex(diagnostic.slice(2, -1)) : decoded, hex);
      assert.is(toHex(encodeCbor(value)), hex);
      accepted++;
    }
    assert.ok(accepted >= 15 && refused >= 15, `${accepted} accepted, ${refused} refused`);
  });

  for (const { name, hex, verdict } of vectorJson('synthetic/cbor-hostile/strict.json').cases) {
    test(`hostile CBOR: ${name} is ${verdict}ed within 50 ms`, () => {
      const bytes = fromHex(hex);
      const before = performance.now();
      if (verdict === 'accept') assert.is(toHex(encodeCbor(decodeCbor(bytes))), hex);
      else errorOf(() => decodeCbor(bytes), hex);
      assert.ok(performance.now() - before < 50);
    });
  }
}

const REFUSED: readonly [hex: string, code: StatementErrorCode, offset: number, why: string][] = [
  ['', 'cbor/malformed', 0, 'nothing'],
  ['0102', 'cbor/malformed', 1, 'bytes behind the item'],
  ['8201', 'cbor/malformed', 0, 'an array with fewer items than it counts'],
  ['830102 19', 'cbor/malformed', 4, 'a head cut short'],
  ['01 1c', 'cbor/malformed', 1, 'bytes behind the item, themselves malformed'],
  ['81 1c', 'cbor/malformed', 1, 'reserved additional information 28'],
  ['81 3e', 'cbor/malformed', 1, 'reserved additional information 30'],
  ['81 fc', 'cbor/malformed', 1, 'a reserved simple head'],
  ['81 ff', 'cbor/malformed', 1, 'a break'],
  ['82 01 62c328', 'cbor/malformed', 3, 'bad UTF-8'],
  ['82 01 63eda080', 'cbor/malformed', 3, 'a surrogate in UTF-8'],
  ['82 01 62c080', 'cbor/malformed', 3, 'an overlong NUL'],
  ['81 5bffffffffffffffff', 'cbor/not-in-profile', 1, 'a length of 2^64 - 1'],
  ['81 5b001fffffffffffff', 'cbor/malformed', 1, 'a length of 2^53 - 1'],
  ['bb001fffffffffffff', 'cbor/malformed', 0, 'a map of 2^53 - 1 pairs'],
  ['a2 0101 0102', 'cbor/malformed', 3, 'the same integer key twice'],
  ['a2 616101 616102', 'cbor/malformed', 4, 'the same text key twice'],
  ['82 01 1817', 'cbor/not-deterministic', 2, '23 in two bytes'],
  ['82 01 1900ff', 'cbor/not-deterministic', 2, '255 in three bytes'],
  ['82 01 1a0000ffff', 'cbor/not-deterministic', 2, '65,535 in five bytes'],
  ['82 01 1b00000000ffffffff', 'cbor/not-deterministic', 2, '2^32 - 1 in nine bytes'],
  ['81 3817', 'cbor/not-deterministic', 1, '-24 in two bytes'],
  ['81 5800', 'cbor/not-deterministic', 1, 'a long empty byte string'],
  ['81 780161', 'cbor/not-deterministic', 1, 'a text with a long head'],
  ['9801 01', 'cbor/not-deterministic', 0, 'an array with a long head'],
  ['b801 0101', 'cbor/not-deterministic', 0, 'a map with a long head'],
  ['d812 01', 'cbor/not-deterministic', 0, 'tag 18 with a long head'],
  ['81 9f01ff', 'cbor/not-deterministic', 1, 'an indefinite array'],
  ['81 bfff', 'cbor/not-deterministic', 1, 'an indefinite map'],
  ['81 5f4101ff', 'cbor/not-deterministic', 1, 'indefinite bytes'],
  ['81 7f6161ff', 'cbor/not-deterministic', 1, 'indefinite text'],
  ['a2 0201 0102', 'cbor/not-deterministic', 3, 'keys in descending order'],
  ['a2 2001 0102', 'cbor/not-deterministic', 3, 'a negative key before a positive one'],
  ['a2 626161 01 617a 02', 'cbor/not-deterministic', 5, 'a longer key before a shorter one'],
  ['a1 f501', 'cbor/not-in-profile', 1, 'a boolean key'],
  ['a1 f601', 'cbor/not-in-profile', 1, 'a null key'],
  ['a1 410001', 'cbor/not-in-profile', 1, 'a byte string key'],
  ['a1 8001', 'cbor/not-in-profile', 1, 'an array as key'],
  ['a1 d20101', 'cbor/not-in-profile', 1, 'a tagged key'],
  ['81 f90000', 'cbor/not-in-profile', 1, 'a half float'],
  ['81 fa00000000', 'cbor/not-in-profile', 1, 'a single float'],
  ['81 fb3ff0000000000000', 'cbor/not-in-profile', 1, 'a double'],
  ['81 f97e00', 'cbor/not-in-profile', 1, 'NaN'],
  ['81 f7', 'cbor/not-in-profile', 1, 'undefined'],
  ['81 e0', 'cbor/not-in-profile', 1, 'simple value 0'],
  ['81 f820', 'cbor/not-in-profile', 1, 'simple value 32'],
  ['81 1b0020000000000000', 'cbor/not-in-profile', 1, '2^53'],
  ['81 3b001fffffffffffff', 'cbor/not-in-profile', 1, '-2^53'],
  ['81 3bffffffffffffffff', 'cbor/not-in-profile', 1, '-2^64'],
  ['c0 60', 'cbor/not-in-profile', 0, 'tag 0, a date'],
  ['d840 4101', 'cbor/not-in-profile', 0, 'tag 64, a typed array'],
  ['81 d90102 80', 'cbor/not-in-profile', 1, 'tag 258, a set'],
];

for (const [hex, code, offset, why] of REFUSED) {
  test(`refused at byte ${offset}: ${why}`, () => {
    const error = errorOf(() => decodeCbor(fromHex(hex)), why);
    assert.is(error.code, code);
    assert.is(error.offset, offset);
    assert.match(error.message, `(at byte ${offset})`);
  });
}

test('integers are exact to 2^53 - 1 on both sides', () => {
  for (const n of EDGE_INTEGERS) assert.is(decodeCbor(encodeCbor(n)), n);
  assert.is(toHex(encodeCbor(2 ** 53 - 1)), '1b001fffffffffffff');
  assert.is(toHex(encodeCbor(-(2 ** 53) + 1)), '3b001ffffffffffffe');
  assert.is(toHex(encodeCbor(-0)), '00');
  assert.is(toHex(encodeCbor(-(2 ** 32))), '3affffffff');
});

test('every profile value is read back as it was written, in either order of reading', () => {
  fc.assert(
    fc.property(profileValue, (value) => {
      const bytes = encodeCbor(value);
      assert.equal(decodeCbor(bytes), value);
      assert.equal(decodeCbor(bytes, { order: 'any' }), value);
    }),
    { seed: 42, numRuns: 600 },
  );
});

test('texts of every length around the borders of heads, in one to four bytes a character', () => {
  for (const unit of ['a', 'é', '水', '😀']) {
    for (const n of [
      0, 5, 6, 7, 11, 12, 23, 24, 63, 64, 65, 85, 86, 127, 128, 255, 256, 16_384, 21_845, 21_846, 32_768, 65_535, 65_536,
    ]) {
      const text = unit.repeat(n);
      assert.ok(decodeCbor(encodeCbor(text)) === text, `${unit} x ${n}`);
    }
  }
});

test('a byte order mark is a character like others, wherever it stands', () => {
  for (const n of [1, 60, 64, 300, 70_000]) {
    for (const text of [`\ufeff${'a'.repeat(n)}`, `${'a'.repeat(n)}\ufeff`]) {
      for (const order of ['deterministic', 'any'] as const)
        assert.ok(decodeCbor(encodeCbor(text), { order }) === text, `${n}, ${order}`);
    }
  }
  const key = 'k'.repeat(80);
  const twoKeys = new Map([
    [key, 1],
    [`\ufeff${key}`, 2],
  ]);
  assert.equal(decodeCbor(encodeCbor(twoKeys), { order: 'any' }), twoKeys);
});

test('map keys are written in bytewise order (the example of RFC 8949 section 4.2.1)', () => {
  const map = new Map<number | string, CborInput>([
    ['aa', 5],
    [-1, 3],
    ['z', 4],
    [100, 2],
    [10, 1],
  ]);
  assert.is(toHex(encodeCbor(map)), toHex(fromHex('a5 0a01 186402 2003 617a04 62616105')));
  assert.is(toHex(encodeCbor({ b: { d: 1, c: 2 }, a: [] })), toHex(fromHex('a2 6161 80 6162 a2 6163 02 6164 01')));
});

test('a foreign map in another order is read only when asked for, and even then no key twice', () => {
  const unsorted = fromHex('a2 617a01 0a02');
  assert.is(errorOf(() => decodeCbor(unsorted)).code, 'cbor/not-deterministic');
  assert.equal(
    decodeCbor(unsorted, { order: 'any' }),
    new Map<number | string, number>([
      ['z', 1],
      [10, 2],
    ]),
  );
  assert.is(errorOf(() => decodeCbor(fromHex('a3 617a01 0a02 617a03'), { order: 'any' })).code, 'cbor/malformed');
  assert.is(errorOf(() => decodeCbor(fromHex('1817'), { order: 'any' })).code, 'cbor/not-deterministic');
});

test('a foreign map may have a key of any length', () => {
  const map = new Map([['k'.repeat(200_000), 1]]);
  assert.ok((decodeCbor(encodeCbor(map), { order: 'any' }) as Map<string, number>).get('k'.repeat(200_000)) === 1);
});

test('plain objects are maps with text keys, and undefined members are left out', () => {
  assert.is(
    toHex(encodeCbor({ b: 1, gone: undefined, a: '1' })),
    toHex(
      encodeCbor(
        new Map<string, CborInput>([
          ['a', '1'],
          ['b', 1],
        ]),
      ),
    ),
  );
  assert.is(toHex(encodeCbor({ gone: undefined })), 'a0');
  assert.is(toHex(encodeCbor(Object.assign(Object.create(null), { a: 1 }))), 'a1616101');
  assert.is(toHex(encodeCbor({ 1: 2 })), 'a1613102', 'the key of an object is text');
  const read = decodeCbor(encodeCbor({ a: { b: 1 } }));
  assert.instance(read, Map);
  assert.equal(read, new Map([['a', new Map([['b', 1]])]]));
});

test('the keys __proto__ and constructor are keys like others', () => {
  const before = Object.getOwnPropertyNames(Object.prototype).length;
  for (const value of [
    JSON.parse('{"__proto__":{"x":1},"constructor":2}'),
    new Map<string, CborInput>([
      ['__proto__', { x: 1 }],
      ['constructor', 2],
    ]),
  ]) {
    const read = decodeCbor(encodeCbor(value)) as Map<string, CborValue>;
    assert.equal([...read.keys()], ['__proto__', 'constructor']);
    assert.equal(read.get('__proto__'), new Map([['x', 1]]));
    assert.is(read.get('constructor'), 2);
  }
  assert.is(Object.getOwnPropertyNames(Object.prototype).length, before);
  assert.is(({} as { x?: number }).x, undefined);
});

test('bytes come back as copies of their own', () => {
  const bytes = encodeCbor([Uint8Array.of(1, 2, 3)]);
  const [read] = decodeCbor(bytes) as [Uint8Array];
  bytes.fill(0);
  assert.equal(read, Uint8Array.of(1, 2, 3));
  assert.is(read.constructor, Uint8Array);
  assert.is(read.buffer.byteLength, 3);
  assert.is(toHex(encodeCbor(Buffer.from([1, 2]))), '420102');
});

test('bytes in the middle of a larger buffer are read', () => {
  const large = new Uint8Array(100).fill(0xff);
  large.set(fromHex('a1616101'), 50);
  assert.equal(decodeCbor(large.subarray(50, 54)), new Map([['a', 1]]));
});

test('a changed byte is refused or is another value: what is accepted is written again as it was', () => {
  fc.assert(
    fc.property(profileValue, fc.nat(), fc.integer({ min: 1, max: 255 }), (value, at, mask) => {
      const bytes = encodeCbor(value);
      bytes[at % bytes.length] ^= mask;
      for (const order of ['deterministic', 'any'] as const) {
        let read: CborValue;
        try {
          read = decodeCbor(bytes, { order });
        } catch (error) {
          assert.instance(error, StatementError);
          continue;
        }
        const again = encodeCbor(read);
        if (order === 'deterministic') assert.is(toHex(again), toHex(bytes));
        else assert.is(again.length, bytes.length, 'only the order of keys may differ');
      }
    }),
    { seed: 42, numRuns: 3000 },
  );
});

test('random bytes throw a StatementError or are accepted as they are', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 24 }), (bytes) => {
      let read: CborValue;
      try {
        read = decodeCbor(bytes);
      } catch (error) {
        assert.instance(error, StatementError);
        return;
      }
      assert.is(toHex(encodeCbor(read)), toHex(bytes));
    }),
    { seed: 42, numRuns: 5000 },
  );
});

test.run();
