import { type CborInput, encodeCbor, type Json, StatementError } from '@treering/statement';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type ChangeRecord,
  decodeRecord,
  encodeRecord,
  recordFromJson,
  recordSchemas,
  recordToJson,
  validateRecord,
} from '../src/index.js';
import { ALL_EXAMPLES, digestOf, EXAMPLES, RECORD_TYPES } from './examples.js';
import { refuses } from './expect-error.js';
import { isBytes, type JsonPath, pathsOf, valueAt, withValue } from './json-paths.js';

/** A value of a type that never stands where `json` stands. */
function otherType(json: Json): Json {
  if (isBytes(json)) return '7b'.repeat(32);
  if (Array.isArray(json)) return { 0: json[0] ?? 'x' };
  if (typeof json === 'object') return [json];
  return typeof json === 'string' ? 7 : 'seven';
}

const isGroup = (json: Json): boolean => typeof json === 'object' && json !== null && !Array.isArray(json) && !isBytes(json);

/** Members whose names the record's author chooses. */
const isFree = (path: JsonPath): boolean =>
  ['parameters', 'claims'].includes(String(path[path.length - 2])) || path[path.length - 3] === 'jwks';

/** Bytes that are no digest: keys, certificates, trusted roots. */
const isSized = (path: JsonPath): boolean =>
  ['key', 'trusted_root'].includes(String(path[path.length - 1])) || ['keys', 'roots'].includes(String(path[path.length - 2]));

test('there is an example of every record type', () => {
  assert.equal([...RECORD_TYPES].sort(), Object.keys(recordSchemas).sort());
  assert.is(RECORD_TYPES.length, 19);
});

for (const { name, record } of ALL_EXAMPLES) {
  test(`the ${name} record is read as it was written`, () => {
    const bytes = encodeRecord(record);
    assert.equal(decodeRecord(bytes), record);
    const json = recordToJson(record);
    assert.equal(recordFromJson(JSON.parse(JSON.stringify(json))), record);
    assert.equal(encodeRecord(recordFromJson(json)), bytes);
  });

  test(`the ${name} record takes no null, no other type and no unknown member`, () => {
    const json = recordToJson(record);
    for (const path of pathsOf(json)) {
      const where = path.join('.');
      const code = where === 'type' ? 'record/unknown-type' : 'record/invalid';
      refuses(() => recordFromJson(withValue(json, path, null)), code, `null at ${where}`);
      refuses(() => recordFromJson(withValue(json, path, otherType(valueAt(json, path)))), code, `another type at ${where}`);
      if (isGroup(valueAt(json, path))) {
        refuses(() => recordFromJson(withValue(json, [...path, 'unexpected'], true)), 'record/invalid', `a member in ${where}`);
      }
    }
    refuses(() => recordFromJson(withValue(json, ['unexpected'], 'x')), 'record/invalid', 'an unknown member', /unexpected/);
  });
}

for (const type of RECORD_TYPES) {
  test(`a ${type} record misses none of its required members`, () => {
    const json = recordToJson(EXAMPLES[type].minimal);
    for (const path of pathsOf(json).filter((p) => typeof p[p.length - 1] === 'string')) {
      const code = path.join() === 'type' ? 'record/unknown-type' : 'record/invalid';
      refuses(() => recordFromJson(withValue(json, path, undefined)), code, `${type} without ${path.join('.')}`);
    }
  });

  test(`every digest of a ${type} record has 32 bytes`, () => {
    const json = recordToJson(EXAMPLES[type].full);
    const digests = pathsOf(json).filter((path) => isBytes(valueAt(json, path)) && !isSized(path));
    assert.ok(digests.length > 0);
    for (const path of digests) {
      for (const size of [0, 31, 33, 64]) {
        const bytes = { $bytes: Buffer.alloc(size, 7).toString('base64url') };
        refuses(() => recordFromJson(withValue(json, path, bytes)), 'record/invalid', `${size} bytes at ${path.join('.')}`);
      }
    }
  });
}

test('what is optional in a full record can be left out, and nothing else', () => {
  for (const type of RECORD_TYPES) {
    const { minimal, full } = EXAMPLES[type];
    const json = recordToJson(full);
    for (const member of Object.keys(full)) {
      const less = withValue(json, [member], undefined);
      // An amendment needs one of several members, so that none of them is required beside others.
      const required = Object.hasOwn(minimal, member) && !(type === 'amendment' && member === 'threshold');
      if (required) {
        assert.throws(() => recordFromJson(less), undefined, `${type} without ${member}`);
      } else {
        const read = recordFromJson(less);
        assert.not.ok(Object.hasOwn(read, member), `${type}.${member}`);
      }
    }
  }
});

test('the bytes do not depend on the order of the members', () => {
  fc.assert(
    fc.property(fc.constantFrom(...ALL_EXAMPLES), fc.infiniteStream(fc.nat()), ({ record }, numbers) => {
      const shuffled = (value: unknown): unknown => {
        if (Array.isArray(value)) return value.map(shuffled);
        if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
        const keyed = Object.entries(value).map((entry) => ({ entry, at: numbers.next().value as number }));
        keyed.sort((a, b) => a.at - b.at);
        return Object.fromEntries(keyed.map(({ entry: [key, item] }) => [key, shuffled(item)]));
      };
      assert.equal(encodeRecord(shuffled(record) as ChangeRecord), encodeRecord(record));
    }),
    { seed: 42, numRuns: 200 },
  );
});

test('a payload is deterministic CBOR with text keys, whole and alone', () => {
  const { minimal } = EXAMPLES.freeze;
  const bytes = encodeRecord(minimal);
  const refusesCbor = (payload: Uint8Array, what: string): void => {
    assert.throws(
      () => decodeRecord(payload),
      (error: unknown) => error instanceof StatementError,
      what,
    );
  };
  refusesCbor(Uint8Array.of(...bytes, 0), 'a byte too many');
  refusesCbor(bytes.subarray(0, -1), 'a byte too few');
  refusesCbor(Uint8Array.of(0xbf, ...bytes.subarray(1), 0xff), 'a map of indefinite length');
  refusesCbor(Uint8Array.of(0xb8, bytes[0] & 0x1f, ...bytes.subarray(1)), 'a length longer than it must be');
  refuses(() => decodeRecord(encodeCbor(new Map<number, CborInput>([[1, 2]]))), 'record/invalid', 'a number as a key', /texts/);
  refuses(() => decodeRecord(encodeCbor(['freeze'])), 'record/unknown-type', 'a list');
  refuses(() => decodeRecord(encodeCbor('freeze')), 'record/unknown-type', 'a text');
  refuses(() => decodeRecord(encodeCbor(null)), 'record/unknown-type', 'null');
});

test('a type is one of the record types, not what every object has', () => {
  for (const type of ['toString', 'constructor', '__proto__', 'hasOwnProperty', '', 'Model', 'model ', 1, true, ['model']]) {
    refuses(() => validateRecord({ ...EXAMPLES.model.minimal, type }), 'record/unknown-type', String(type));
  }
  for (const value of [undefined, null, 1, 'model', []]) refuses(() => validateRecord(value), 'record/unknown-type');
});

test('members that JavaScript treats specially open nothing', () => {
  const spoil = (json: Json, path: JsonPath, key: string): Json => {
    const copy = structuredClone(json);
    Object.defineProperty(valueAt(copy, path), key, {
      value: 'polluted',
      enumerable: true,
      configurable: true,
      writable: true,
    });
    return copy;
  };
  for (const type of RECORD_TYPES) {
    const json = recordToJson(EXAMPLES[type].full);
    for (const path of [[], ...pathsOf(json)].filter((p) => isGroup(valueAt(json, p)))) {
      refuses(() => recordFromJson(spoil(json, path, '__proto__')), 'record/invalid', `__proto__ in ${type}.${path.join('.')}`);
      if (isFree([...path, 'x'])) continue;
      for (const key of ['constructor', 'prototype', 'toString']) {
        refuses(() => recordFromJson(spoil(json, path, key)), 'record/invalid', `${key} in ${type}.${path.join('.')}`);
      }
    }
  }
  const named = recordFromJson(
    spoil(recordToJson(EXAMPLES.config.full), ['parameters'], 'constructor'),
  ) as typeof EXAMPLES.config.full;
  assert.ok(Object.hasOwn(named.parameters ?? {}, 'constructor'));
  assert.is(named.parameters?.constructor as unknown, 'polluted');
  assert.equal(decodeRecord(encodeRecord(named)), named);
  assert.is(({} as Record<string, unknown>).polluted, undefined);
});

test('encoding refuses __proto__ as decoding does', () => {
  const parameters = JSON.parse('{"temperature":"0.7","__proto__":"x"}');
  refuses(() => encodeRecord({ ...EXAMPLES.config.minimal, parameters }), 'record/invalid', 'a parameter __proto__');
});

test('what the log cannot say is refused when a record is written', () => {
  const { minimal } = EXAMPLES['map-head'];
  for (const size of [-1, 0.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY, 1n, '1']) {
    refuses(() => encodeRecord({ ...minimal, size } as ChangeRecord), 'record/invalid', `size ${size}`);
  }
  refuses(
    () => encodeRecord({ ...minimal, root: [...digestOf(1)] } as unknown as ChangeRecord),
    'record/invalid',
    'a root as a list',
  );
  for (const v of [0, 2, '1'])
    refuses(() => encodeRecord({ ...minimal, v } as unknown as ChangeRecord), 'record/invalid', `v ${v}`);
});

test.run();
