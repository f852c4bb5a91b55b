import { createHash } from 'node:crypto';
import { formatManifest } from '@treering/record';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { claimsOf, IN_TOTO_PAYLOAD, parseInToto } from '../src/index.js';
import { refuses } from './expect-error.js';

const utf8 = (value: unknown): Uint8Array =>
  new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));
const DIGEST = 'ab'.repeat(32);
const OTHER = '00'.repeat(32);
const GOOD = {
  _type: 'https://in-toto.io/Statement/v1',
  predicateType: 'https://slsa.dev/provenance/v1',
  subject: [
    { name: 'pkg:npm/a@1', digest: { sha512: 'cd', sha256: DIGEST } },
    { name: 'b', digest: { sha256: OTHER } },
  ] as unknown,
  predicate: { anything: true },
};
const MODEL = JSON.parse(
  new TextDecoder().decode(
    formatManifest('wink', [
      { name: 'a', digest: new Uint8Array(32).fill(1) },
      { name: 'b', digest: new Uint8Array(32).fill(2) },
    ]),
  ),
);

/** The claims of an in-toto statement. */
const claims = (statement: unknown): Record<string, string> =>
  claimsOf({ payloadType: IN_TOTO_PAYLOAD, payload: utf8(statement) });

test('an in-toto statement says what it is about', () => {
  for (const _type of [GOOD._type, 'https://in-toto.io/Statement/v0.1'])
    assert.equal(parseInToto(utf8({ ...GOOD, _type })), {
      predicateType: GOOD.predicateType,
      subjects: [
        { name: 'pkg:npm/a@1', digests: { sha512: 'cd', sha256: DIGEST } },
        { name: 'b', digests: { sha256: OTHER } },
      ],
    });
  const [{ name }] = parseInToto(utf8({ ...GOOD, subject: [{ digest: { sha256: DIGEST } }] })).subjects;
  assert.is(name, '');
});

test('what is no in-toto statement is refused', () => {
  const digest = { sha256: DIGEST };
  const wrong: Readonly<Record<string, unknown>> = {
    'no JSON': '{',
    nothing: '',
    null: 'null',
    'a list': [GOOD],
    'no type': { ...GOOD, _type: undefined },
    'another version': { ...GOOD, _type: 'https://in-toto.io/Statement/v2' },
    'the type in a list': { ...GOOD, _type: [GOOD._type] },
    'no predicate type': { ...GOOD, predicateType: undefined },
    'an empty predicate type': { ...GOOD, predicateType: '' },
    'a predicate type that is no text': { ...GOOD, predicateType: 1 },
    'no subject': { ...GOOD, subject: undefined },
    'an empty list of subjects': { ...GOOD, subject: [] },
    'a subject that is no list': { ...GOOD, subject: { name: 'a', digest } },
    'a subject that is null': { ...GOOD, subject: [null] },
    'a subject without digest': { ...GOOD, subject: [{ name: 'a' }] },
    'an empty digest': { ...GOOD, subject: [{ name: 'a', digest: {} }] },
    'a digest that is text': { ...GOOD, subject: [{ name: 'a', digest: DIGEST }] },
    'a digest that is a number': { ...GOOD, subject: [{ name: 'a', digest: { sha256: 1 } }] },
    'a SHA-256 in upper case': { ...GOOD, subject: [{ name: 'a', digest: { sha256: DIGEST.toUpperCase() } }] },
    'a SHA-256 cut short': { ...GOOD, subject: [{ name: 'a', digest: { sha256: DIGEST.slice(2) } }] },
    'a SHA-256 that is none, of the second subject': { ...GOOD, subject: [{ digest }, { digest: { sha256: 'XYZ' } }] },
    'two lists of subjects': JSON.stringify(GOOD).replace('"subject"', '"subject":[],"subject"'),
    'a name escaped in another way': JSON.stringify(GOOD).replace('"subject"', '"subjec\\u0074":[],"subject"'),
    'a second subject that is none': { ...GOOD, subject: [{ name: 'a', digest }, 'b'] },
  };
  for (const [what, statement] of Object.entries(wrong)) {
    refuses(() => parseInToto(utf8(statement)), 'foreign/malformed', what, /in-toto/);
    refuses(() => claims(statement), 'foreign/malformed', `${what}, for claims`, /in-toto/);
  }
  refuses(() => parseInToto(Uint8Array.of(0x22, 0xff, 0x22)), 'foreign/malformed', 'bad UTF-8', /no JSON/);
});

test('the claims of an in-toto statement are those of all its subjects', () => {
  const subject = [
    { name: 'pkg:npm/a@1', digest: { sha512: 'cd', sha256: DIGEST } },
    { name: 'pkg:npm/a@1', digest: { sha256: DIGEST } },
  ];
  const claimed = { payload_type: IN_TOTO_PAYLOAD, predicate_type: GOOD.predicateType };
  assert.equal(claims({ ...GOOD, subject }), { ...claimed, subject_name: 'pkg:npm/a@1', subject_digest: DIGEST });
  assert.equal(claims({ ...GOOD, subject: subject.slice(0, 1) }), {
    ...claimed,
    subject_name: 'pkg:npm/a@1',
    subject_digest: DIGEST,
  });
  assert.equal(claims(GOOD), claimed, 'what differs is claimed of none');
  const [first] = subject;
  const named = { ...claimed, subject_name: first.name };
  assert.equal(claims({ ...GOOD, subject: [first, { ...first, digest: { sha256: OTHER } }] }), named, 'another digest');
  assert.equal(claims({ ...GOOD, subject: [first, { ...first, digest: { sha512: 'cd' } }] }), named, 'no such digest');
  const { subject_digest } = claims({ ...GOOD, subject: [{ name: 'a', digest: { sha512: 'cd' } }] });
  assert.is(subject_digest, undefined, 'another hash is no claim');
});

test('of another payload only the type is claimed', () => {
  for (const payloadType of ['text/plain', 'application/vnd.in-toto.provenance+json'])
    assert.equal(claimsOf({ payloadType, payload: utf8(GOOD) }), { payload_type: payloadType });
});

test('a subject named like a member of every object does no harm', () => {
  const digest = JSON.parse(`{"__proto__":"x","sha256":"${DIGEST}"}`);
  const { subjects } = parseInToto(utf8({ ...GOOD, subject: [{ name: '__proto__', digest }] }));
  assert.equal(Object.keys(subjects[0].digests), ['__proto__', 'sha256']);
  assert.is(Object.getPrototypeOf(subjects[0].digests), Object.prototype);
});

test('a model-signing statement hashes to its subject', () => {
  assert.is(claims(MODEL).subject_name, 'wink');
  assert.is(claims(MODEL).subject_digest, MODEL.subject[0].digest.sha256);
  const changes: Readonly<Record<string, (json: typeof MODEL) => void>> = {
    'another root': (j) => (j.subject[0].digest.sha256 = DIGEST),
    'a resource changed': (j) => (j.predicate.resources[0].digest = DIGEST),
    'a resource fewer': (j) => j.predicate.resources.pop(),
    'a resource more': (j) => j.predicate.resources.push({ name: 'c', algorithm: 'sha256', digest: DIGEST }),
    'no resources': (j) => delete j.predicate.resources,
    'no digest of the subject': (j) => (j.subject[0].digest = { sha512: DIGEST }),
    'a second subject': (j) => j.subject.push(j.subject[0]),
  };
  for (const [what, change] of Object.entries(changes)) {
    const changed = structuredClone(MODEL);
    change(changed);
    refuses(() => claims(changed), 'foreign/malformed', what, /model signing statement|manifest/);
  }
});

const OTHER_WAYS = [
  { serialization: { method: 'shards', hash_type: 'sha256', shard_size: 1000 }, digests: ['11'.repeat(32), '22'.repeat(32)] },
  { serialization: { method: 'files', hash_type: 'blake2b' }, digests: ['11'.repeat(64), '22'.repeat(64)] },
];
for (const { serialization, digests } of OTHER_WAYS) {
  const over = (list: readonly string[]): string =>
    createHash('sha256')
      .update(Buffer.from(list.join(''), 'hex'))
      .digest('hex');
  const statement = {
    ...MODEL,
    subject: [{ name: 'wink', digest: { sha256: over(digests) } }],
    predicate: {
      serialization,
      resources: digests.map((digest, i) => ({ name: `a:${i}`, algorithm: serialization.hash_type, digest })),
    },
  };
  const name = `${serialization.method} with ${serialization.hash_type}`;

  test(`a model-signing statement over ${name} hashes to its subject too`, () => {
    assert.is(claims(statement).subject_digest, over(digests));
    const changes: Readonly<Record<string, (json: typeof statement) => void>> = {
      'another root': (j) => (j.subject[0].digest.sha256 = DIGEST),
      'another order': (j) => j.predicate.resources.reverse(),
      'a resource fewer': (j) => j.predicate.resources.pop(),
      'no resources': (j) => (j.predicate.resources = []),
      'a resource twice': (j) => (j.predicate.resources[1].name = 'a:0'),
      'a digest that is none': (j) => (j.predicate.resources[0].digest = 'aa'),
      'a second subject': (j) => j.subject.push(j.subject[0]),
    };
    for (const [what, change] of Object.entries(changes)) {
      const changed = structuredClone(statement);
      change(changed);
      refuses(() => claims(changed), 'foreign/malformed', what, /model signing statement/);
    }
  });
}

test('a model-signing statement says how it was made, and is of version 1.0', () => {
  for (const predicate of [{}, { resources: MODEL.predicate.resources }, undefined, []])
    refuses(() => claims({ ...MODEL, predicate }), 'foreign/malformed', JSON.stringify(predicate), /how it was made/);
  for (const version of ['signature/v0.1', 'signature/v1.1', 'Digests/v0.1', ''])
    refuses(() => claims({ ...MODEL, predicateType: `https://model_signing/${version}` }), 'foreign/unsupported', version);
});

test.run();
