import { test } from 'uvu';
import { requireShallowBundle, requireShallowDer } from '../src/node/shallow-der.js';
import { refuses } from './expect-error.js';
import { AUTHORITY, CertificateMaker } from './openssl.js';

const maker = new CertificateMaker();
test.after(() => maker.close());
const certificate = maker.make({ subject: '/CN=a certificate like others', extensions: AUTHORITY }).der;

/** A value of a tag around some content. */
function around(tag: number, content: Uint8Array): Uint8Array {
  const length =
    content.length < 128 ? [content.length] : [0x83, content.length >> 16, (content.length >> 8) & 255, content.length & 255];
  return Uint8Array.from([tag, ...length, ...content]);
}

const nested = (tag: number, depth: number, inmost: Uint8Array): Uint8Array =>
  Array.from({ length: depth }).reduce<Uint8Array>((content) => around(tag, content), inmost);
const tooMuch = (bytes: Uint8Array, what: string): void =>
  refuses(() => requireShallowDer([bytes]), 'foreign/malformed', what, /too much in it, or too deeply/);

test('certificates pass, and what is malformed is left to the parser', () => {
  requireShallowDer([certificate]);
  for (let length = 0; length < certificate.length; length += 7) requireShallowDer([certificate.subarray(0, length)]);
  requireShallowDer([nested(0x30, 400, new Uint8Array(0))]);
  for (const bytes of [[], [0x30], [0x30, 0x80], [0x30, 0x87, 1], [0x30, 0x82, 0], [4, 3, 0x30, 5, 0], [0x30, 3, 2, 5, 0]])
    requireShallowDer([Uint8Array.from(bytes)]);
});

test('what is nested too deeply is refused, in sequences and in octet strings', () => {
  for (const tag of [0x30, 0x04, 0xa3]) tooMuch(nested(tag, 600, new Uint8Array(0)), `tag ${tag}`);
  tooMuch(nested(0x04, 8000, Uint8Array.of(0x30, 1)), 'octet strings to the end of the stack');
});

test('more values than a statement has any use for are refused', () => {
  tooMuch(
    around(
      0x30,
      new Uint8Array(30_000).map((_, i) => (i % 2 === 0 ? 5 : 0)),
    ),
    'fifteen thousand values',
  );
  refuses(
    () => requireShallowDer(Array.from({ length: 500 }, () => certificate)),
    'foreign/malformed',
    'hundreds of certificates',
    /too much/,
  );
});

test('everything in this form within a bundle is looked at', () => {
  const deep = Buffer.from(nested(0x04, 600, new Uint8Array(0))).toString('base64');
  const good = Buffer.from(certificate).toString('base64');
  const bundle = (rawBytes: string, signedTimestamp: string) => ({
    verificationMaterial: {
      x509CertificateChain: { certificates: [{ rawBytes: good }, { rawBytes }] },
      timestampVerificationData: { rfc3161Timestamps: [{ signedTimestamp }] },
    },
  });
  requireShallowBundle(bundle(good, good));
  for (const [a, b] of [
    [deep, good],
    [good, deep],
  ])
    refuses(() => requireShallowBundle(bundle(a, b)), 'foreign/malformed', 'a deep one', /too deeply/);
  const padded = Array.from({ length: 50_000 }).reduce<unknown>((inner) => [inner], { rawBytes: deep });
  refuses(() => requireShallowBundle(padded), 'foreign/malformed', 'within lists, whatever the stack', /too deeply/);
  for (const other of [null, 1, 'text', [], {}]) requireShallowBundle(other);
});

test.run();
