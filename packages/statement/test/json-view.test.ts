import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type CborInput,
  CborTag,
  type CborValue,
  decodeBase64Url,
  decodeCbor,
  encodeBase64Url,
  encodeCbor,
  fromJson,
  type Json,
  toJson,
} from '../src/index.js';
import { textKeyedValue, toHex } from './cbor-values.js';
import { refuses } from './expect-error.js';

const map = (...pairs: [string, CborValue][]): CborValue => new Map(pairs);

test('CBOR to JSON text and back is the same CBOR', () => {
  fc.assert(
    fc.property(textKeyedValue, (value) => {
      const text = JSON.stringify(toJson(value));
      assert.is(toHex(encodeCbor(fromJson(JSON.parse(text)))), toHex(encodeCbor(value)));
    }),
    { seed: 42, numRuns: 1000 },
  );
});

test('JSON of any shape to CBOR and back is the same JSON', () => {
  const json = fc.letrec<{ json: Json }>((tie) => ({
    json: fc.oneof(
      { maxDepth: 4 },
      fc.constant(null),
      fc.boolean(),
      fc.integer(),
      fc.string({ unit: 'grapheme' }),
      fc.array(tie('json'), { maxLength: 4 }),
      fc.dictionary(fc.oneof(fc.constantFrom('$bytes', '$$bytes', '$', 'bytes', 'constructor'), fc.string()), tie('json'), {
        maxKeys: 3,
        noNullPrototype: true,
      }),
    ),
  })).json;
  let compared = 0;
  fc.assert(
    fc.property(json, (value) => {
      fc.pre(!JSON.stringify(value).includes('{"$bytes":'));
      assert.ok(isDeepStrictEqual(toJson(decodeCbor(encodeCbor(fromJson(value)))), value));
      compared++;
    }),
    { seed: 42, numRuns: 500 },
  );
  assert.ok(compared >= 400);
});

test('different values have different views', () => {
  fc.assert(
    fc.property(textKeyedValue, textKeyedValue, (a, b) => {
      const sameBytes = toHex(encodeCbor(a)) === toHex(encodeCbor(b));
      const view = (value: CborValue): string => JSON.stringify(toJson(decodeCbor(encodeCbor(value))));
      assert.is(view(a) === view(b), sameBytes);
    }),
    { seed: 42, numRuns: 500 },
  );
});

test('bytes are {"$bytes": base64url}, and a map that would read the same gets one more $', () => {
  const cases: [CborValue, Json][] = [
    [Uint8Array.of(251, 255, 0), { $bytes: '-_8A' }],
    [new Uint8Array(0), { $bytes: '' }],
    [map(['$bytes', 'AQ']), { $$bytes: 'AQ' }],
    [map(['$bytes', 1]), { $$bytes: 1 }],
    [map(['$bytes', Uint8Array.of(1)]), { $$bytes: { $bytes: 'AQ' } }],
    [map(['$$bytes', 'AQ']), { $$$bytes: 'AQ' }],
    [map(['$$bytes', map(['$bytes', null])]), { $$$bytes: { $$bytes: null } }],
    [map(['$bytes', 'AQ'], ['a', 1]), { $bytes: 'AQ', a: 1 }],
    [map(['bytes', 'AQ']), { bytes: 'AQ' }],
    [map(['$bytes\n', 'AQ']), { '$bytes\n': 'AQ' }],
    [map(['a$bytes', 'AQ']), { a$bytes: 'AQ' }],
    [map(['$Bytes', 'AQ']), { $Bytes: 'AQ' }],
    [map(), {}],
    [
      [Uint8Array.of(1), null, true, -1, 'x'],
      [{ $bytes: 'AQ' }, null, true, -1, 'x'],
    ],
  ];
  for (const [value, json] of cases) {
    assert.equal(toJson(value), json);
    assert.is(toHex(encodeCbor(fromJson(json))), toHex(encodeCbor(value)), JSON.stringify(json));
  }
});

test('the key __proto__ survives', () => {
  const text = JSON.stringify(toJson(map(['__proto__', map(['x', 1])])));
  assert.is(text, '{"__proto__":{"x":1}}');
  const back = fromJson(JSON.parse(text)) as ReadonlyMap<string, CborInput>;
  assert.equal([...back.keys()], ['__proto__']);
  assert.is(({} as { x?: number }).x, undefined);
});

test('tags and integer keys have no JSON form', () => {
  refuses(() => toJson(new CborTag(18, [])), 'cbor/not-in-profile', 'a tag');
  refuses(() => toJson([new CborTag(18, [])]), 'cbor/not-in-profile', 'a tag inside');
  refuses(() => toJson(new Map([[1, 'x']])), 'cbor/not-in-profile', 'an integer key');
  refuses(() => toJson(map(['a', new Map([[-1, 'x']])])), 'cbor/not-in-profile', 'an integer key inside');
});

test('malformed bytes are refused', () => {
  for (const item of [1, null, true, [], {}, ['AQ'], { $bytes: 'AQ' }]) {
    refuses(() => fromJson({ $bytes: item as Json }), 'cbor/not-in-profile', JSON.stringify(item));
  }
  for (const text of ['A', 'AQ==', 'AQ=', 'A+', 'A/', 'AR', 'AAB', ' AQ', 'AQ\n', 'AAAAA', 'ü']) {
    refuses(() => fromJson([{ $bytes: text }]), 'cbor/not-in-profile', JSON.stringify(text));
    refuses(() => decodeBase64Url(text), 'cbor/not-in-profile', JSON.stringify(text));
  }
});

test('what CBOR of this profile cannot say is refused on the way', () => {
  const inputs: Json[] = [0.5, 1e300, 2 ** 53, [1.5], { a: -0.1 }, 'half \ud800', { '\udc00': 1 }];
  for (const json of inputs) {
    refuses(() => encodeCbor(fromJson(json)), 'cbor/not-in-profile', JSON.stringify(json));
  }
});

test('JSON that is nested without end is refused, not a stack overflow', () => {
  for (const [open, close] of [
    ['[', ']'],
    ['{"a":', '}'],
  ]) {
    const json = JSON.parse(`${open.repeat(100_000)}1${close.repeat(100_000)}`);
    refuses(() => encodeCbor(fromJson(json)), 'cbor/not-in-profile', `${open} nested`);
  }
});

test('base64url without padding, as node:buffer writes it', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      const text = encodeBase64Url(bytes);
      assert.is(text, Buffer.from(bytes).toString('base64url'));
      assert.equal(decodeBase64Url(text), bytes);
    }),
    { seed: 42, numRuns: 300 },
  );
  const large = Uint8Array.from({ length: 100_000 }, (_, i) => i % 251);
  assert.is(encodeBase64Url(large), Buffer.from(large).toString('base64url'));
  assert.equal(decodeBase64Url(encodeBase64Url(large)), large);
});

test.run();
