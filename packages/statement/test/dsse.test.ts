import { createPublicKey, sign, X509Certificate } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { haveVectors, vectorBytes, vectorJson, vectorPath } from '../../../test/vectors.js';
import { type CoseKey, createCoseKey, dsseFromJson, dssePae, parseDsse, verifyDsse } from '../src/index.js';
import { fromHex } from './cbor-values.js';
import { coseKeyOf, generateTestKey, type TestKey } from './ec-keys.js';
import { refuses } from './expect-error.js';

const TYPE = 'application/vnd.in-toto+json';
const BODY = new TextEncoder().encode('{"_type":"https://in-toto.io/Statement/v1"} öß');
const base64 = (bytes: Uint8Array, spelling: 'base64' | 'base64url' = 'base64'): string =>
  Buffer.from(bytes).toString(spelling);
const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

/** Where a Sigstore bundle has the signer's certificate, in its older and its newer versions. */
interface VerificationMaterial {
  readonly certificate?: { readonly rawBytes: string };
  readonly x509CertificateChain?: { readonly certificates: readonly { readonly rawBytes: string }[] };
}

/** The JSON of an envelope around BODY, signed with each key. */
function envelope(keys: readonly TestKey[], payloadType = TYPE) {
  return {
    payloadType,
    payload: base64(BODY),
    signatures: keys.map((key) => ({ keyid: 'a hint', sig: base64(key.sign(dssePae(payloadType, BODY))) })),
  };
}

if (haveVectors) {
  const SMALL: CoseKey = generateTestKey('P-256').key;

  test('the example of the DSSE protocol: its encoding and its signature', () => {
    const vector = vectorJson('dsse/protocol-vector.json');
    const body = new TextEncoder().encode(vector.payload_utf8);
    assert.is(new TextDecoder().decode(dssePae(vector.payloadType, body)), vector.pae);
    const coordinate = (decimal: string): Uint8Array => fromHex(BigInt(decimal).toString(16).padStart(64, '0'));
    const key = createCoseKey('P-256', coordinate(vector.publicX_dec), coordinate(vector.publicY_dec));
    assert.equal(verifyDsse(dsseFromJson(vector.envelope), [key]), body);
    refuses(() => verifyDsse(dsseFromJson(vector.envelope), [SMALL]), 'dsse/bad-signature', 'another key');
  });

  test('the in-toto envelope of Rekor, in DER', () => {
    const read = parseDsse(vectorBytes('dsse/rekor-intoto_dsse.json'));
    const key = coseKeyOf(createPublicKey(Buffer.from(vectorBytes('dsse/rekor-intoto_dsse.pem'))));
    assert.is(JSON.parse(new TextDecoder().decode(verifyDsse(read, [key])))._type, 'https://in-toto.io/Statement/v0.1');
    refuses(() => verifyDsse(read, [SMALL]), 'dsse/bad-signature', 'another key');
  });

  /** The key of the certificate that a Sigstore bundle carries, or undefined. */
  const certificateKey = ({ verificationMaterial }: { verificationMaterial: VerificationMaterial }): CoseKey | undefined => {
    const { certificate, x509CertificateChain } = verificationMaterial;
    const raw = certificate?.rawBytes ?? x509CertificateChain?.certificates[0].rawBytes;
    return raw === undefined ? undefined : coseKeyOf(new X509Certificate(Buffer.from(raw, 'base64')).publicKey);
  };

  const bundles = [
    ...['js', 'go'].flatMap((folder) =>
      readdirSync(vectorPath(`sigstore-bundles/${folder}`)).map((name) => `sigstore-bundles/${folder}/${name}`),
    ),
    ...readdirSync(vectorPath('sigstore-model-signing'))
      .filter((name) => name.startsWith('v'))
      .map((name) => `sigstore-model-signing/${name}/model.sig`),
    ...['happy-path-intoto-in-dsse-v3', 'rekor2-dsse-happy-path', 'intoto-with-custom-trust-root'].map(
      (name) => `sigstore-conformance/${name}/bundle.sigstore.json`,
    ),
  ];

  test('there are envelopes to verify in every folder', () => assert.ok(bundles.length >= 15, String(bundles.length)));

  for (const name of bundles) {
    test(`the envelope in ${name} verifies, changed it does not`, () => {
      const bundle = vectorJson(name);
      const pem = (): CoseKey =>
        coseKeyOf(createPublicKey(Buffer.from(vectorBytes('sigstore-model-signing/keys/signing-key-pub.pem'))));
      const key = certificateKey(bundle) ?? pem();
      assert.is(key.curve, name.includes('-key/') || name.includes('-certificate/') ? 'P-384' : 'P-256');
      const read = dsseFromJson(bundle.dsseEnvelope);
      assert.equal(verifyDsse(read, [key]), new Uint8Array(Buffer.from(bundle.dsseEnvelope.payload, 'base64')));
      refuses(() => verifyDsse(read, [SMALL]), 'dsse/bad-signature', 'another key');
      const payload = read.payload.slice();
      payload[payload.length >> 1] ^= 1;
      refuses(() => verifyDsse({ ...read, payload }, [key]), 'dsse/bad-signature', 'another payload');
      refuses(() => verifyDsse({ ...read, payloadType: 'text/plain' }, [key]), 'dsse/bad-signature', 'another type');
    });
  }

  test('the bundle whose envelope has a wrong signature is refused', () => {
    const bundle = vectorJson('sigstore-conformance/dsse-invalid-sig_fail/bundle.sigstore.json');
    const key = certificateKey(bundle) as CoseKey;
    refuses(() => verifyDsse(dsseFromJson(bundle.dsseEnvelope), [key]), 'dsse/bad-signature');
  });
}

test('lengths in the encoding count bytes, not characters', () => {
  assert.is(new TextDecoder().decode(dssePae('tÿpe', new TextEncoder().encode('水'))), 'DSSEv1 5 tÿpe 3 水');
  assert.is(new TextDecoder().decode(dssePae('a', new Uint8Array(0))), 'DSSEv1 1 a 0 ');
});

test('envelopes of all three curves verify; r ‖ s and DER both hold', () => {
  for (const curve of ['Ed25519', 'P-256', 'P-384'] as const) {
    const key = generateTestKey(curve);
    const raw = envelope([key]);
    assert.equal(verifyDsse(parseDsse(json(raw)), [key.key]), BODY);
    refuses(() => verifyDsse(parseDsse(json(raw)), [generateTestKey(curve).key]), 'dsse/bad-signature', `another ${curve} key`);
    if (curve === 'Ed25519') continue;
    const der = sign(curve === 'P-256' ? 'sha256' : 'sha384', dssePae(TYPE, BODY), key.privateKey);
    assert.equal(verifyDsse(dsseFromJson({ ...raw, signatures: [{ sig: base64(der) }] }), [key.key]), BODY);
    const wrongHash = sign(curve === 'P-256' ? 'sha384' : 'sha256', dssePae(TYPE, BODY), key.privateKey);
    refuses(
      () => verifyDsse(dsseFromJson({ ...raw, signatures: [{ sig: base64(wrongHash) }] }), [key.key]),
      'dsse/bad-signature',
      'another hash',
    );
  }
});

test('standard and URL-safe base64 are read, with padding and without', () => {
  const key = generateTestKey('P-256');
  const payload = Uint8Array.from({ length: 256 }, (_, i) => 255 - i);
  const sig = key.sign(dssePae(TYPE, payload));
  assert.match(base64(payload), /[+/].*=$/);
  const bare = (text: string): string => text.replace(/=+$/, '');
  for (const spell of [
    base64,
    (b: Uint8Array) => base64(b, 'base64url'),
    (b: Uint8Array) => bare(base64(b)),
    (b: Uint8Array) => base64(b).replace(/\+/g, '-').replace(/\//g, '_'),
  ]) {
    const read = parseDsse(json({ payloadType: TYPE, payload: spell(payload), signatures: [{ sig: spell(sig) }] }));
    assert.equal(verifyDsse(read, [key.key]), payload);
  }
});

test('every given key must have signed; other signatures do no harm', () => {
  const [a, b, c] = [generateTestKey('Ed25519'), generateTestKey('P-256'), generateTestKey('P-384')];
  const read = dsseFromJson(envelope([a, b]));
  verifyDsse(read, [a.key]);
  verifyDsse(read, [b.key, a.key]);
  refuses(() => verifyDsse(read, [a.key, c.key]), 'dsse/bad-signature', 'a key that did not sign');
  refuses(() => verifyDsse(read, []), 'dsse/bad-signature', 'no key');
  const noise = { ...envelope([a]), signatures: [{ sig: '' }, { sig: 'AAAA' }, ...envelope([a]).signatures] };
  assert.equal(verifyDsse(dsseFromJson(noise), [a.key]), BODY);
});

test('a key id is a hint: absent, null, empty or misleading, it decides nothing', () => {
  const key = generateTestKey('Ed25519');
  const [{ sig }] = envelope([key]).signatures;
  for (const [keyid, expected] of [
    [undefined, undefined],
    [null, undefined],
    ['', ''],
    ['another key', 'another key'],
  ]) {
    const read = dsseFromJson({ ...envelope([key]), signatures: [{ keyid, sig }] });
    assert.is(read.signatures[0].keyid, expected);
    verifyDsse(read, [key.key]);
    refuses(() => verifyDsse(read, [generateTestKey('Ed25519').key]), 'dsse/bad-signature', 'another key');
  }
});

test('every flipped bit of signature, payload and type is refused', () => {
  const key = generateTestKey('P-256');
  const read = dsseFromJson(envelope([key]));
  const flip = (bytes: Uint8Array, bit: number): Uint8Array =>
    bytes.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
  const { signature } = read.signatures[0];
  for (let bit = 0; bit < signature.length * 8; bit += 5) {
    refuses(
      () => verifyDsse({ ...read, signatures: [{ keyid: undefined, signature: flip(signature, bit) }] }, [key.key]),
      'dsse/bad-signature',
      `bit ${bit}`,
    );
  }
  for (let bit = 0; bit < BODY.length * 8; bit += 7) {
    refuses(() => verifyDsse({ ...read, payload: flip(BODY, bit) }, [key.key]), 'dsse/bad-signature', `payload bit ${bit}`);
  }
  for (const payloadType of ['', `${TYPE} `, TYPE.slice(1), TYPE.toUpperCase()]) {
    refuses(() => verifyDsse({ ...read, payloadType }, [key.key]), 'dsse/bad-signature', `type '${payloadType}'`);
  }
});

test('a type that is no Unicode text never verifies as another type', () => {
  const key = generateTestKey('Ed25519');
  const read = envelope([key], 'text/\ufffd');
  verifyDsse(dsseFromJson(read), [key.key]);
  const lone = { ...read, payloadType: 'text/\ud800' };
  refuses(
    () => verifyDsse(parseDsse(json(lone)), [key.key]),
    ['dsse/malformed', 'dsse/bad-signature'],
    'half a surrogate pair for U+FFFD',
  );
});

test('malformed envelopes are refused', () => {
  const good = envelope([generateTestKey('Ed25519')]);
  const [signature] = good.signatures;
  dsseFromJson(good);
  const cases: [string, unknown][] = [
    ['null', null],
    ['a list', [good]],
    ['text', 'envelope'],
    ['a number', 1],
    ['no members', {}],
    ['no type', { ...good, payloadType: undefined }],
    ['an empty type', { ...good, payloadType: '' }],
    ['a type that is a number', { ...good, payloadType: 1 }],
    ['no payload', { ...good, payload: undefined }],
    ['a payload that is null', { ...good, payload: null }],
    ['a payload that is an object', { ...good, payload: {} }],
    ['white space in base64', { ...good, payload: 'aGVs bG8=' }],
    ['a line break in base64', { ...good, payload: 'aGVsbG8=\n' }],
    ['one character of base64', { ...good, payload: 'A' }],
    ['padding alone', { ...good, payload: '=' }],
    ['padding in the middle', { ...good, payload: 'aG=sbG8=' }],
    ['too much padding', { ...good, payload: 'aGVs=' }],
    ['characters outside both alphabets', { ...good, payload: 'aGVs!G8=' }],
    ['no signatures', { ...good, signatures: undefined }],
    ['an empty list of signatures', { ...good, signatures: [] }],
    ['signatures in an object', { ...good, signatures: { 0: signature } }],
    ['65 signatures', { ...good, signatures: new Array(65).fill(signature) }],
    ['a signature that is text', { ...good, signatures: ['sig'] }],
    ['a signature that is null', { ...good, signatures: [null] }],
    ['no sig', { ...good, signatures: [{ keyid: 'x' }] }],
    ['a sig that is a number', { ...good, signatures: [{ sig: 1 }] }],
    ['a sig that is no base64', { ...good, signatures: [{ sig: '*' }] }],
    ['one malformed signature among good ones', { ...good, signatures: [signature, { sig: '*' }] }],
    ['a key id that is a number', { ...good, signatures: [{ ...signature, keyid: 1 }] }],
  ];
  for (const [what, value] of cases) {
    refuses(() => dsseFromJson(value), 'dsse/malformed', what);
    if (value !== undefined) refuses(() => parseDsse(json(value)), 'dsse/malformed', `${what}, in bytes`);
  }
});

test('bytes that are no JSON are refused', () => {
  const texts = [
    '',
    '{',
    'null',
    '{"payload":}',
    `${JSON.stringify(envelope([generateTestKey('Ed25519')]))}x`,
    '['.repeat(100_000),
  ];
  for (const text of texts) refuses(() => parseDsse(new TextEncoder().encode(text)), 'dsse/malformed', text.slice(0, 20));
  refuses(() => parseDsse(Uint8Array.of(0x22, 0xff, 0x22)), 'dsse/malformed', 'bad UTF-8');
});

test('an envelope has at most 16 MiB', () => {
  const key = generateTestKey('Ed25519');
  const limit = 16 * 1024 * 1024;
  const padded = (size: number): Uint8Array => {
    const bytes = new Uint8Array(size).fill(0x20);
    bytes.set(json(envelope([key])));
    return bytes;
  };
  assert.equal(parseDsse(padded(limit)).payload, BODY);
  refuses(() => parseDsse(padded(limit + 1)), 'dsse/malformed', 'a byte more');
});

test.run();
