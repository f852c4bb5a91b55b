import { createHash, createPublicKey } from 'node:crypto';
import { looksLikeBundle } from '@treering/governance';
import type { Issuer } from '@treering/record';
import { dssePae, encodeCoseKey } from '@treering/statement';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { haveVectors, vectorBytes, vectorJson } from '../../../test/vectors.js';
import { coseKeyOf, generateTestKey, type TestKey } from '../../statement/test/ec-keys.js';
import { refuses as refusesStatement } from '../../statement/test/expect-error.js';
import { IN_TOTO_PAYLOAD } from '../src/index.js';
import { nodeMeans, verifyBundle } from '../src/node/index.js';
import { refuses } from './expect-error.js';

const TYPE = 'application/vnd.dsse.envelope.v1+json';
const utf8 = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const [A, B, C] = [generateTestKey('P-256'), generateTestKey('Ed25519'), generateTestKey('P-384')];
const STATEMENT = {
  _type: 'https://in-toto.io/Statement/v1',
  predicateType: 'https://slsa.dev/provenance/v1',
  subject: [{ name: 'wink', digest: { sha256: 'ab'.repeat(32) } }],
};

/** The bytes of an envelope that these keys signed. */
function envelope(keys: readonly TestKey[], payloadType = IN_TOTO_PAYLOAD, payload = utf8(STATEMENT)): Uint8Array {
  const signatures = keys.map((key) => ({ sig: Buffer.from(key.sign(dssePae(payloadType, payload))).toString('base64') }));
  return utf8({ payloadType, payload: Buffer.from(payload).toString('base64'), signatures });
}

const issuerOf = (name: string, ...keys: TestKey[]): Issuer => ({
  issuer: name,
  keys: keys.map(({ key }) => encodeCoseKey(key)),
});
const verify = (bytes: Uint8Array, ...issuers: Issuer[]): ReturnType<typeof verifyBundle> =>
  verifyBundle(TYPE, bytes, issuers, undefined);
const notVerified = (bytes: Uint8Array, issuers: readonly Issuer[], what: string): void =>
  refuses(() => verify(bytes, ...issuers), 'foreign/not-verified', what, /holds under no issuer of the policy/);

test('an envelope with one signature says its issuer, the key and what it is about', () => {
  for (const key of [A, B, C]) {
    const found = verify(envelope([key]), issuerOf('x', A, B, C));
    const cose = encodeCoseKey(key.key);
    assert.equal(found, {
      issuer: 'x',
      anchor: sha256(cose),
      claims: {
        payload_type: IN_TOTO_PAYLOAD,
        predicate_type: STATEMENT.predicateType,
        subject_name: 'wink',
        subject_digest: 'ab'.repeat(32),
        key: sha256(cose),
      },
    });
  }
});

test('an envelope around something else says its type alone', () => {
  const { claims } = verify(envelope([A], 'text/plain', utf8('hello')), issuerOf('x', A));
  assert.equal(Object.keys(claims).sort(), ['key', 'payload_type']);
  assert.is(claims.payload_type, 'text/plain');
});

test('two signatures hold under two keys of the same issuer', () => {
  const both = envelope([A, B]);
  assert.is(verify(both, issuerOf('x', A, B)).anchor, sha256(encodeCoseKey(A.key)), 'the first signature counts');
  assert.is(verify(both, issuerOf('x', B, A)).anchor, sha256(encodeCoseKey(A.key)), 'whatever the order of the keys');
  notVerified(both, [issuerOf('x', A)], 'the second under no key');
  notVerified(both, [issuerOf('x', B)], 'the first under no key');
  notVerified(both, [issuerOf('x', A), issuerOf('y', B)], 'the keys of two issuers');
  assert.is(verify(both, issuerOf('x', A), issuerOf('y', B), issuerOf('z', A, B)).issuer, 'z');
});

test('a signature that holds under nothing spoils the others', () => {
  const read = JSON.parse(new TextDecoder().decode(envelope([A])));
  for (const sig of ['', 'AAAA', Buffer.from(C.sign(utf8('else'))).toString('base64')]) {
    notVerified(utf8({ ...read, signatures: [...read.signatures, { sig }] }), [issuerOf('x', A, B, C)], `behind: '${sig}'`);
    notVerified(utf8({ ...read, signatures: [{ sig }, ...read.signatures] }), [issuerOf('x', A, B, C)], `before: '${sig}'`);
  }
});

test('an unknown key, an issuer without keys, or no issuer is refused', () => {
  notVerified(envelope([A]), [issuerOf('x', B, C)], 'an unknown key');
  notVerified(envelope([A]), [], 'no issuer');
  notVerified(envelope([A]), [{ issuer: 'x', roots: [Uint8Array.of(0x30)], identities: ['*'] }], 'roots alone');
  notVerified(envelope([A]), [{ issuer: 'x', trusted_root: utf8({}), identities: ['*'] }], 'a trusted root alone');
});

test('the first issuer whose keys signed is named', () => {
  assert.is(verify(envelope([A]), issuerOf('w', B), issuerOf('x', C, A), issuerOf('y', A)).issuer, 'x');
});

test('a changed payload, type or signature is refused', () => {
  const read = JSON.parse(new TextDecoder().decode(envelope([A])));
  const payload = Buffer.from(JSON.stringify({ ...STATEMENT, predicateType: 'other' })).toString('base64');
  const sig = Buffer.from(read.signatures[0].sig, 'base64');
  sig[9] ^= 1;
  for (const [what, change] of Object.entries({
    payload: { payload },
    type: { payloadType: 'text/plain' },
    signature: { signatures: [{ sig: sig.toString('base64') }] },
  }))
    notVerified(utf8({ ...read, ...change }), [issuerOf('x', A)], what);
});

test('an envelope of in-toto around something else is refused before its signature is checked', () => {
  const bytes = envelope([A], IN_TOTO_PAYLOAD, utf8('hello'));
  refuses(() => verify(bytes, issuerOf('x', A)), 'foreign/malformed', 'text', /in-toto/);
});

test('malformed envelopes are refused', () => {
  for (const text of ['', '{', 'null', '{}', '[]'])
    refusesStatement(() => verify(new TextEncoder().encode(text), issuerOf('x', A)), 'dsse/malformed', text);
});

test('the means of admission verify the same', async () => {
  assert.equal(
    await nodeMeans.bundle(TYPE, envelope([A]), [issuerOf('x', A)], undefined),
    verify(envelope([A]), issuerOf('x', A)),
  );
  const outcome = await nodeMeans.bundle(TYPE, envelope([A]), [], undefined).catch((error: unknown) => error);
  assert.is((outcome as { code?: string }).code, 'foreign/not-verified', 'a promise that rejects');
});

test('media types of DSSE are read in whatever case, and whatever they are named after', () => {
  for (const type of [TYPE, 'application/vnd.in-toto+dsse', 'application/vnd.in-toto.sigstore+dsse', TYPE.toUpperCase()]) {
    assert.ok(looksLikeBundle(type), type);
    assert.is(verifyBundle(type, envelope([A]), [issuerOf('x', A)], undefined).issuer, 'x', type);
  }
});

if (haveVectors) {
  test('the envelope of the DSSE protocol holds under its key alone', () => {
    const vector = vectorJson('dsse/protocol-vector.json');
    const coordinate = (decimal: string): string =>
      Buffer.from(BigInt(decimal).toString(16).padStart(64, '0'), 'hex').toString('base64url');
    const jwk = { kty: 'EC', crv: 'P-256', x: coordinate(vector.publicX_dec), y: coordinate(vector.publicY_dec) };
    const key = encodeCoseKey(coseKeyOf(createPublicKey({ key: jwk, format: 'jwk' })));
    const found = verify(utf8(vector.envelope), { issuer: 'dsse', keys: [key] });
    assert.equal(found.claims, { payload_type: vector.payloadType, key: sha256(key) });
    notVerified(utf8(vector.envelope), [issuerOf('x', A)], 'another key');
  });

  test('the in-toto envelope of Rekor holds under its key alone', () => {
    const bytes = vectorBytes('dsse/rekor-intoto_dsse.json');
    const key = encodeCoseKey(coseKeyOf(createPublicKey(Buffer.from(vectorBytes('dsse/rekor-intoto_dsse.pem')))));
    const found = verify(bytes, { issuer: 'rekor', keys: [key] });
    assert.equal([found.issuer, found.anchor], ['rekor', sha256(key)]);
    const { predicateType, subject } = JSON.parse(
      Buffer.from(vectorJson('dsse/rekor-intoto_dsse.json').payload, 'base64').toString(),
    );
    assert.is(found.claims.predicate_type, predicateType);
    assert.is(found.claims.subject_digest, subject[0].digest.sha256);
    notVerified(bytes, [issuerOf('x', A)], 'another key');
  });
}

test.run();
