import { formatManifest } from '@treering/record';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { claimsOf, IN_TOTO_PAYLOAD, parseInToto } from '../src/index.js';
import { refuses } from './expect-error.js';

const utf8 = (value: unknown): Uint8Array =>
  new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));
const DIGEST = 'ab'.repeat(32);
const GOOD = {
  _type: 'https://in-toto.io/Statement/v1',
  predicateType: 'https://slsa.dev/provenance/v1',
  subject: [
    { name: 'pkg:npm/a@1', digest: { sha512: 'cd', sha256: DIGEST } },
    { name: 'b', digest: { sha256: '00' } },
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
        { name: 'b', digests: { sha256: '00' } },
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
    'a second subject that is none': { ...GOOD, subject: [{ name: 'a', digest }, 'b'] },
  };
  for (const [what, statement] of Object.entries(wrong)) {
    refuses(() => parseInToto(utf8(statement)), 'foreign/malformed', what, /in-toto/);
    refuses(() => claims(statement), 'foreign/malformed', `${what}, for claims`, /in-toto/);
  }
  refuses(() => parseInToto(Uint8Array.of(0x22, 0xff, 0x22)), 'foreign/malformed', 'bad UTF-8', /no JSON/);
});

test('the claims of an in-toto statement are those of its first subject', () => {
  assert.equal(claims(GOOD), {
    payload_type: IN_TOTO_PAYLOAD,
    predicate_type: GOOD.predicateType,
    subject_name: 'pkg:npm/a@1',
    subject_digest: DIGEST,
  });
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

test('a model-signing statement over shards or with another hash is taken as it says', () => {
  for (const serialization of [
    { method: 'shards', hash_type: 'sha256', shard_size: 1000 },
    { method: 'files', hash_type: 'blake2b' },
  ]) {
    const changed = structuredClone(MODEL);
    changed.predicate.serialization = serialization;
    changed.subject[0].digest.sha256 = DIGEST;
    assert.is(claims(changed).subject_digest, DIGEST);
  }
});

test.run();
