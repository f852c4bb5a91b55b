import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseBundle } from '../src/index.js';
import { refuses } from './expect-error.js';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const base64 = (text: string): string => Buffer.from(text).toString('base64');

const ENVELOPE = {
  payloadType: 'application/vnd.in-toto+json',
  payload: base64('{}'),
  signatures: [{ sig: base64('signature'), keyid: '' }],
};
const CERTIFICATE = { rawBytes: base64('not read here') };
const GOOD = {
  mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
  verificationMaterial: { publicKey: { hint: 'a key' } as unknown, tlogEntries: [] as unknown },
  dsseEnvelope: ENVELOPE as unknown,
};

const read = (bundle: unknown): ReturnType<typeof parseBundle> => parseBundle(utf8(JSON.stringify(bundle)));
const withMaterial = (verificationMaterial: unknown): unknown => ({ ...GOOD, verificationMaterial });
const withEnvelope = (change: Partial<Record<keyof typeof ENVELOPE, unknown>>): unknown => ({
  ...GOOD,
  dsseEnvelope: { ...ENVELOPE, ...change },
});

function refusesAll(cases: Readonly<Record<string, unknown>>, message: RegExp): void {
  for (const [what, bundle] of Object.entries(cases)) refuses(() => read(bundle), 'foreign/malformed', what, message);
}

test('a bundle is read with its envelope and who is said to have signed it', () => {
  const { mediaType, material, envelope, logged, json } = read(GOOD);
  assert.is(mediaType, GOOD.mediaType);
  assert.equal(material, { kind: 'public-key', hint: 'a key' });
  assert.is(envelope.payloadType, ENVELOPE.payloadType);
  assert.equal(envelope.payload, utf8('{}'));
  assert.equal(envelope.signatures, [{ keyid: '', signature: utf8('signature') }]);
  assert.is(logged, false);
  assert.equal(json, GOOD);
});

test('certificates come alone or in a chain', () => {
  const der = utf8('not read here');
  const kinds: readonly [unknown, number][] = [
    [{ certificate: CERTIFICATE }, 1],
    [{ x509CertificateChain: { certificates: [CERTIFICATE] } }, 1],
    [{ x509CertificateChain: { certificates: new Array(8).fill(CERTIFICATE) } }, 8],
  ];
  for (const [material, count] of kinds)
    assert.equal(read(withMaterial(material)).material, { kind: 'certificates', chain: new Array(count).fill(der) });
});

test('a bundle with entries of a transparency log says so', () => {
  assert.is(read(withMaterial({ certificate: CERTIFICATE, tlogEntries: [{}] })).logged, true);
  assert.is(read(withMaterial({ certificate: CERTIFICATE })).logged, false);
  refusesAll({ 'entries that are no list': withMaterial({ certificate: CERTIFICATE, tlogEntries: { 0: {} } }) }, /log entries/);
});

const ROWS: readonly [string, unknown, boolean][] = [
  ['log entries beside a public key', { publicKey: {}, tlogEntries: [{ logIndex: '1' }] }, false],
  ['timestamps beside a public key', { publicKey: {}, timestampVerificationData: { rfc3161Timestamps: [{}] } }, false],
  [
    'timestamps without log entries',
    { certificate: CERTIFICATE, timestampVerificationData: { rfc3161Timestamps: [{}] } },
    false,
  ],
  ['a member of the material that nobody knows', { publicKey: {}, comment: 'audited' }, false],
  ['timestamps of another kind', { publicKey: {}, timestampVerificationData: { others: [] } }, false],
  ['empty lists', { publicKey: {}, tlogEntries: [], timestampVerificationData: { rfc3161Timestamps: [] } }, true],
  ['nothing in their place', { publicKey: {}, tlogEntries: null, timestampVerificationData: null }, true],
  ['both beside a certificate', { certificate: CERTIFICATE, tlogEntries: [{}], timestampVerificationData: {} }, true],
];
for (const [what, material, good] of ROWS)
  test(`${what}: ${good ? 'read' : 'refused, because nobody would verify them'}`, () => {
    if (good) read(withMaterial(material));
    else refuses(() => read(withMaterial(material)), 'foreign/unsupported', what);
  });

test('a member that nobody knows, and one that is there twice, are refused', () => {
  refuses(() => read({ ...GOOD, comment: 'audited by the regulator' }), 'foreign/unsupported', 'comment', /comment/);
  refuses(() => read(withEnvelope({ cert: '…' } as object)), 'foreign/unsupported', 'in the envelope', /cert/);
  const [signature] = ENVELOPE.signatures;
  const more = withEnvelope({ signatures: [{ ...signature, cert: '…' }] });
  refuses(() => read(more), 'foreign/unsupported', 'in the signature', /cert/);
  const forged = JSON.stringify({ ...ENVELOPE, signatures: [{ sig: base64('forged'), keyid: '' }] });
  const twice: Readonly<Record<string, string>> = {
    'the envelope': JSON.stringify(GOOD).replace('"dsseEnvelope":', `"dsseEnvelope":${forged},"dsseEnvelope":`),
    'the payload': JSON.stringify(GOOD).replace('"payload":', '"payload":"AAAA","payload":'),
    'the payload, escaped': JSON.stringify(GOOD).replace('"payload":', '"p\\u0061yload":"AAAA","payload":'),
  };
  for (const [what, text] of Object.entries(twice))
    refuses(() => parseBundle(utf8(text)), 'foreign/malformed', what, /is there twice/);
});

test('the media types of versions 0.1 to 0.3 are read, and no others', () => {
  const types = ['+json;version=0.1', '+json;version=0.2', '+json;version=0.3', '.v0.3+json'];
  for (const type of types) {
    const mediaType = `application/vnd.dev.sigstore.bundle${type}`;
    assert.is(read({ ...GOOD, mediaType }).mediaType, mediaType);
  }
  const others = [
    'application/vnd.dev.sigstore.bundle+json',
    'application/vnd.dev.sigstore.bundle+json;version=0.4',
    'application/vnd.dev.sigstore.bundle+json;version=0.30',
    'application/vnd.dev.sigstore.bundle+json; version=0.3',
    'application/vnd.dev.sigstore.bundle.v0.2+json',
    'application/vnd.dev.sigstore.bundle.v0.4+json',
    'application/vnd.dev.sigstore.bundleXv0.3+json',
    'application/vnd.dev.sigstore.bundle.v0.3+json\n',
    ' application/vnd.dev.sigstore.bundle.v0.3+json',
    'application/json',
    '',
    undefined,
    null,
    3,
    [GOOD.mediaType],
  ];
  for (const mediaType of others)
    refuses(() => read({ ...GOOD, mediaType }), 'foreign/unsupported', String(mediaType), /media type/);
});

test('a bundle that signs a file elsewhere is not supported, also beside an envelope', () => {
  const messageSignature = { messageDigest: { algorithm: 'SHA2_256', digest: base64('digest') }, signature: base64('s') };
  const { dsseEnvelope: _, ...rest } = GOOD;
  for (const bundle of [
    { ...rest, messageSignature },
    { ...GOOD, messageSignature },
  ])
    refuses(() => read(bundle), 'foreign/unsupported', 'a message signature', /does not hold/);
});

test('an envelope has exactly one signature', () => {
  const [signature] = ENVELOPE.signatures;
  refusesAll({ 'two signatures': withEnvelope({ signatures: [signature, signature] }) }, /exactly one signature/);
  refusesAll({ 'no signature': withEnvelope({ signatures: [] }) }, /signatures/);
});

test('what holds no envelope is refused', () => {
  refusesAll(
    {
      'no envelope': { ...GOOD, dsseEnvelope: undefined },
      'null for an envelope': { ...GOOD, dsseEnvelope: null },
      'a list for an envelope': { ...GOOD, dsseEnvelope: [ENVELOPE] },
      'no payload': withEnvelope({ payload: undefined }),
      'no payload type': withEnvelope({ payloadType: undefined }),
      'a payload that is no base64': withEnvelope({ payload: 'A' }),
      'white space in the payload': withEnvelope({ payload: 'e3 0=' }),
      'a signature that is no base64': withEnvelope({ signatures: [{ sig: '*' }] }),
    },
    /holds no DSSE envelope/,
  );
});

test('there is exactly one of public key, certificate and chain', () => {
  const publicKey = { hint: '' };
  const x509CertificateChain = { certificates: [CERTIFICATE] };
  const certificate = CERTIFICATE;
  refusesAll(
    {
      nothing: withMaterial({}),
      'a key and a certificate': withMaterial({ publicKey, certificate }),
      'a key and a chain': withMaterial({ publicKey, x509CertificateChain }),
      'a certificate and a chain': withMaterial({ certificate, x509CertificateChain }),
      'all three': withMaterial({ publicKey, certificate, x509CertificateChain }),
    },
    /exactly one of/,
  );
  const none = { 'no material': undefined, 'null for material': null, 'a list': [{ publicKey }], text: 'publicKey' };
  for (const [what, material] of Object.entries(none))
    refusesAll({ [what]: withMaterial(material) }, /no verification material/);
});

test('a public key is an object with a hint, if any', () => {
  assert.equal(read(withMaterial({ publicKey: {} })).material, { kind: 'public-key', hint: '' });
  refusesAll({ 'a hint that is a number': withMaterial({ publicKey: { hint: 7 } }) }, /hint/);
  for (const publicKey of [null, 'text', 7, [], true])
    refuses(() => read(withMaterial({ publicKey })), 'foreign/malformed', `${JSON.stringify(publicKey)} for a public key`);
});

test('a chain has one to eight certificates', () => {
  const chain = (certificates: unknown): unknown => withMaterial({ x509CertificateChain: { certificates } });
  refusesAll(
    {
      'an empty chain': chain([]),
      'nine certificates': chain(new Array(9).fill(CERTIFICATE)),
      'certificates in an object': chain({ 0: CERTIFICATE }),
      'no certificates': chain(undefined),
      'a chain that is a list': withMaterial({ x509CertificateChain: [CERTIFICATE] }),
      'a chain that is null': withMaterial({ x509CertificateChain: null }),
    },
    /no certificates, or too many/,
  );
});

test('a certificate is base64', () => {
  const certificates = [null, 'AAAA', {}, [], { rawBytes: null }, { rawBytes: 7 }];
  const texts = ['', '*', 'AA AA', 'AAAA\n', 'AA-_', '=', 'A', 'AAAAA', 'AAA==', 'A=', 'AAAA=', 'AA==='];
  for (const item of [...certificates, ...texts.map((rawBytes) => ({ rawBytes }))]) {
    const what = JSON.stringify(item);
    refusesAll({ [what]: withMaterial({ certificate: item }) }, /certificate/);
    const certificates = [CERTIFICATE, item];
    refusesAll({ [`${what} in a chain`]: withMaterial({ x509CertificateChain: { certificates } }) }, /certificate/);
  }
});

test('bytes that are no JSON object are refused', () => {
  const texts = ['', '{', 'undefined', `${JSON.stringify(GOOD)}x`, '['.repeat(100_000), '\u{feff}\u{feff}{}'];
  for (const text of texts) refuses(() => parseBundle(utf8(text)), 'foreign/malformed', text.slice(0, 20), /is no JSON/);
  for (const text of ['null', '[]', '"bundle"', '1', 'true', `[${JSON.stringify(GOOD)}]`])
    refuses(() => parseBundle(utf8(text)), 'foreign/malformed', text.slice(0, 20), /is no JSON object/);
  refuses(() => parseBundle(Uint8Array.of(0x22, 0xff, 0x22)), 'foreign/malformed', 'bad UTF-8', /is no JSON/);
});

test('a bundle cut off anywhere is refused', () => {
  const text = JSON.stringify(GOOD);
  for (let length = 0; length < text.length; length++)
    refuses(() => parseBundle(utf8(text.slice(0, length))), 'foreign/malformed', `${length} characters`, /is no JSON/);
});

test.run();
