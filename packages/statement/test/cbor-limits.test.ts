import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type CborInput, CborTag, type CborValue, decodeCbor, encodeCbor } from '../src/index.js';
import { fromHex, toHex } from './cbor-values.js';
import { errorOf, refuses } from './expect-error.js';

/** `depth` arrays inside one another, the innermost around `core`. */
function nested(depth: number, core: readonly CborInput[]): CborInput {
  let value: CborInput = core;
  for (let i = 1; i < depth; i++) value = [value];
  return value;
}

test('sixteen containers inside one another are read and written', () => {
  for (const hex of [`${'81'.repeat(16)}01`, `${'81'.repeat(15)}80`, `${'81'.repeat(15)}a10101`, `${'a101'.repeat(16)}01`]) {
    assert.is(toHex(encodeCbor(decodeCbor(fromHex(hex)))), hex);
  }
  assert.is(toHex(encodeCbor(nested(16, [1]))), `${'81'.repeat(16)}01`);
});

test('seventeen are refused, whatever the innermost holds', () => {
  for (const [hex, at] of [
    [`${'81'.repeat(17)}01`, [16, 17]],
    [`${'81'.repeat(16)}80`, [16]],
    [`${'a101'.repeat(17)}01`, [32, 33, 34]],
    [`${'81'.repeat(10_000)}01`, [16, 17]],
  ] as const) {
    const error = errorOf(() => decodeCbor(fromHex(hex)), hex.slice(0, 40));
    assert.is(error.code, 'cbor/not-in-profile');
    assert.ok((at as readonly number[]).includes(error.offset ?? -1), `offset ${error.offset}`);
  }
  refuses(() => encodeCbor(nested(17, [1])), 'cbor/not-in-profile', '17 arrays around 1');
  refuses(() => encodeCbor(nested(17, [])), 'cbor/not-in-profile', '17 arrays around nothing');
  refuses(() => encodeCbor(nested(10_000, [])), 'cbor/not-in-profile', '10,000 arrays');
});

test('a value that holds itself is refused', () => {
  const circle: CborInput[] = [];
  circle.push(circle);
  refuses(() => encodeCbor(circle), 'cbor/not-in-profile');
});

test('a tag counts as one level: what is written can be read', () => {
  const fits = encodeCbor(new CborTag(18, nested(15, [1]) as CborValue));
  assert.is(toHex(encodeCbor(decodeCbor(fits))), toHex(fits));
  refuses(() => decodeCbor(fromHex(`d2${'81'.repeat(16)}01`)), 'cbor/not-in-profile', 'tag 18 around 16 arrays, read');
  refuses(
    () => encodeCbor(new CborTag(18, nested(16, [1]) as CborValue)),
    'cbor/not-in-profile',
    'tag 18 around 16 arrays, written',
  );
});

test('a tag stands only around the whole item', () => {
  refuses(() => encodeCbor([new CborTag(18, 1)]), 'cbor/not-in-profile', 'a tag in an array, written');
  refuses(() => encodeCbor(new CborTag(18, new CborTag(18, 1))), 'cbor/not-in-profile', 'a tag in a tag, written');
  for (const order of ['deterministic', 'any'] as const) {
    for (const hex of ['81d201', 'a101d201', 'd2d201']) {
      const error = errorOf(() => decodeCbor(fromHex(hex), { order }), `${hex}, ${order}`);
      assert.is(error.code, 'cbor/not-in-profile');
      assert.type(error.offset, 'number');
    }
  }
});

test('many tags inside one another are refused, not a stack overflow', () => {
  let value: CborInput = 1;
  for (let i = 0; i < 100_000; i++) value = new CborTag(18, value);
  refuses(() => encodeCbor(value), 'cbor/not-in-profile', '100,000 tags, written');
  refuses(() => decodeCbor(fromHex(`${'d2'.repeat(100_000)}01`)), 'cbor/not-in-profile', '100,000 tags, read');
});

test('only the tags of the profile are read; each of them keeps its number and its item', () => {
  for (const tag of [0, 2, 6, 18, 64, 100, 258, 55_799, 0x74_72_65_61]) {
    const bytes = encodeCbor(new CborTag(tag, ['x', Uint8Array.of(1)]));
    if (tag !== 18) refuses(() => decodeCbor(bytes), 'cbor/not-in-profile', `tag ${tag}`);
    refuses(() => decodeCbor(bytes, { tags: [] }), 'cbor/not-in-profile', `tag ${tag} where none may be`);
    const read = decodeCbor(bytes, { tags: [tag] });
    assert.instance(read, CborTag, `tag ${tag}`);
    assert.is((read as CborTag).tag, tag);
    assert.equal((read as CborTag).value, ['x', Uint8Array.of(1)]);
  }
});

test('a tag number is a natural number within 2^53 - 1', () => {
  for (const tag of [-1, 1.5, Number.NaN, 2 ** 53])
    refuses(() => encodeCbor(new CborTag(tag, 1)), 'cbor/not-in-profile', `tag ${tag}`);
});

test('numbers that CBOR of this profile cannot say are not written', () => {
  for (const n of [0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, -(2 ** 53), 1e300]) {
    refuses(() => encodeCbor(n), 'cbor/not-in-profile', String(n));
    refuses(() => encodeCbor({ a: [n] }), 'cbor/not-in-profile', `${n} inside`);
    refuses(() => encodeCbor(new Map([[n, 1]])), 'cbor/not-in-profile', `${n} as a key`);
  }
});

test('half a surrogate pair is not written, as a value or as a key', () => {
  for (const text of ['\ud800', 'a\udc00', '\udc00\ud800']) {
    refuses(() => encodeCbor(text), 'cbor/not-in-profile', 'a value');
    refuses(() => encodeCbor({ [text]: 1 }), 'cbor/not-in-profile', 'a key');
  }
  assert.is(toHex(encodeCbor('\ud83d\ude00')), '64f09f9880');
});

test('other types have no CBOR form', () => {
  const inputs: readonly [string, unknown][] = [
    ['undefined', undefined],
    ['a bigint', 1n],
    ['a symbol', Symbol('x')],
    ['a function', () => 1],
    ['undefined in an array', [undefined]],
    ['a hole in an array', new Array(2)],
    ['a Date', new Date(0)],
    ['a Set', new Set([1])],
    ['a Uint16Array', Uint16Array.of(1)],
    ['an ArrayBuffer', new ArrayBuffer(4)],
    ['a RegExp', /x/],
  ];
  for (const [what, input] of inputs) refuses(() => encodeCbor(input as CborInput), 'cbor/not-in-profile', what);
});

test('a map that could not be read back is not written', () => {
  for (const key of [true, null, Uint8Array.of(1), [1]]) {
    refuses(() => encodeCbor(new Map([[key, 1]]) as unknown as CborInput), 'cbor/not-in-profile', `key ${String(key)}`);
  }
});

test('large values are read and written', () => {
  const map = new Map(Array.from({ length: 70_000 }, (_, i) => [i, i]));
  assert.is((decodeCbor(encodeCbor(map)) as Map<number, number>).get(69_999), 69_999);
  assert.is((decodeCbor(encodeCbor(new Uint8Array(3_000_000).fill(7))) as Uint8Array)[2_999_999], 7);
});

test('a count or length that lies costs nothing', () => {
  const lies = [
    '9a7fffffff',
    'ba7fffffff',
    '5a7fffffff',
    '7a7fffffff',
    `${'9a00ffffff'.repeat(15)}`,
    '9b0000001000000000',
    'bb0000001000000000',
  ];
  for (const hex of lies) {
    const before = performance.now();
    refuses(() => decodeCbor(fromHex(hex)), 'cbor/malformed', hex);
    assert.ok(performance.now() - before < 50, hex);
  }
});

test.run();
