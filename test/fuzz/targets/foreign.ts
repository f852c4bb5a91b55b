import { createCipheriv, scryptSync } from 'node:crypto';
import {
  AttestationError,
  decodeEvent,
  decodeEvidence,
  encodeEvent,
  encodeEvidence,
  parseQuote,
  parseTpmSignature,
  verifyQuote,
} from '@treering/attestation';
import { formatSignerKey, NoteError } from '@treering/note';
import { formatManifest } from '@treering/record';
import { StatementError } from '@treering/statement';
import { evidenceOf, TRUST } from '../../../packages/attestation/test/made-quote.js';
import { parsePinnedImage } from '../../../packages/deployment/src/index.js';
import {
  claimsOf,
  ForeignError,
  IN_TOTO_PAYLOAD,
  parseBundle,
  parseInToto,
  parseStrictJson,
} from '../../../packages/foreign/src/index.js';
import { verifyBundle, verifyCertificates } from '../../../packages/foreign/src/node/index.js';
import { AUTHORITY, CertificateMaker, SIGNER } from '../../../packages/foreign/test/openssl.js';
import { decryptKey, KeyError, parsePkcs11Uri } from '../../../packages/keys/src/index.js';
import { ofText, type Target, target } from '../target.js';
import { DIGEST, DSSE, logKey, SEED } from './samples.js';
import { vectorBundles, vectorQuote } from './vector-inputs.js';

const errors = [ForeignError];
const maker = new CertificateMaker();
const MAIL = 'release@example.org';
const root = maker.make({ subject: '/CN=root', extensions: AUTHORITY });
const leaf = maker.make({ subject: '/CN=release', extensions: [...SIGNER, `subjectAltName=email:${MAIL}`], by: root });
maker.close();
const issuer = { issuer: 'https://example.org', roots: [root.der], identities: [MAIL] };
const signedAt = Math.floor(Date.now() / 1000) + 3600;

const bundle = (material: object): string =>
  JSON.stringify({
    mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
    verificationMaterial: { tlogEntries: [], ...material },
    dsseEnvelope: JSON.parse(DSSE),
  });
const withCertificates = bundle({
  x509CertificateChain: { certificates: [leaf, root].map(({ der }) => ({ rawBytes: Buffer.from(der).toString('base64') })) },
});
const BUNDLES = [bundle({ publicKey: { hint: 'k' } }), withCertificates];
const IN_TOTO = JSON.stringify({
  _type: 'https://in-toto.io/Statement/v1',
  subject: [{ name: 'model', digest: { sha256: '09'.repeat(32) } }],
  predicateType: 'https://slsa.dev/provenance/v1',
});

/** An encrypted key file of the least cost that is read, so that thousands can be tried. */
function encryptedKey(): string {
  const plain = formatSignerKey(logKey.key, SEED);
  const salt = new Uint8Array(16).fill(7);
  const nonce = new Uint8Array(12).fill(8);
  const head = `ENCRYPTED+KEY+${logKey.key.name}+${logKey.key.id}+10+${Buffer.from(salt).toString('base64')}`;
  const cipher = createCipheriv('aes-256-gcm', scryptSync('passphrase', salt, 32, { N: 1024, r: 8, p: 1 }), nonce);
  const sealed = [nonce, cipher.setAAD(Buffer.from(head)).update(plain), cipher.final(), cipher.getAuthTag()];
  return `${head}+${Buffer.concat(sealed).toString('base64')}`;
}

/** JSON without members of one name; its own errors have no code. */
function strictJson(bytes: Uint8Array): unknown {
  try {
    return parseStrictJson(bytes);
  } catch (error) {
    if (error instanceof SyntaxError) throw new ForeignError('foreign/malformed', error.message);
    throw error;
  }
}

/** Verifies bundles although none here is signed: everything before the signature is gone through. */
function verified(bytes: Uint8Array): unknown {
  return verifyBundle('application/vnd.dev.sigstore.bundle.v0.3+json', bytes, [issuer], signedAt);
}

const image = (text: string) => {
  const read = parsePinnedImage(text);
  if (read === undefined) throw new ForeignError('foreign/malformed', 'no pinned image');
  return read;
};
const attested = evidenceOf();
const uri = 'pkcs11:token=Log;object=log%2Fkey;id=%01%ff?module-path=/usr/lib/m.so&pin-source=file:/run/pin';
const manifest = formatManifest('m', [{ name: 'a', digest: DIGEST }]);

/** What is read of the formats of others: bundles, certificates, TPMs, tokens. */
export const foreignTargets: readonly Target[] = [
  target({ name: 'sigstore-bundle', form: 'json', parse: parseBundle, seeds: BUNDLES, foreign: vectorBundles(), errors }),
  target({
    name: 'sigstore-bundle-verified',
    form: 'json',
    parse: (bytes) => notHeld(() => verified(bytes)),
    seeds: [withCertificates],
    foreign: vectorBundles(),
    errors: [ForeignError, StatementError],
  }),
  target({
    name: 'certificate',
    form: 'bytes',
    parse: (bytes) => verifyCertificates([bytes, root.der], issuer, signedAt),
    seeds: [leaf.der],
    errors,
  }),
  target({ name: 'in-toto', form: 'json', parse: parseInToto, seeds: [IN_TOTO, manifest], errors }),
  target({
    name: 'in-toto-claims',
    form: 'json',
    parse: (payload) => claimsOf({ payload, payloadType: IN_TOTO_PAYLOAD }),
    seeds: [manifest],
    errors,
  }),
  target({
    name: 'strict-json',
    form: 'json',
    parse: strictJson,
    seeds: [IN_TOTO, DSSE, '[1,"a",{"b":[]}]'],
    errors: [ForeignError, NoteError],
  }),
  target({
    name: 'pinned-image',
    form: 'lines',
    parse: ofText(image),
    seeds: [`registry.test:5000/a/b@sha256:${'0a'.repeat(32)}`],
    errors,
  }),
  target({
    name: 'quote',
    form: 'bytes',
    parse: parseQuote,
    seeds: [attested.quote],
    foreign: vectorQuote('msg'),
    errors: [AttestationError],
  }),
  target({
    name: 'tpm-signature',
    form: 'bytes',
    parse: parseTpmSignature,
    seeds: [attested.signature],
    foreign: vectorQuote('sig'),
    errors: [AttestationError],
  }),
  target({
    name: 'measured-event',
    form: 'cbor',
    parse: decodeEvent,
    format: encodeEvent,
    seeds: [encodeEvent(attested.events[0])],
    errors: [AttestationError],
  }),
  target({
    name: 'attestation',
    form: 'cbor',
    parse: decodeEvidence,
    format: encodeEvidence,
    seeds: [encodeEvidence(attested)],
    errors: [AttestationError],
  }),
  target({
    name: 'attestation-verified',
    form: 'cbor',
    parse: (bytes) => verifyQuote(decodeEvidence(bytes), TRUST).claims.length,
    seeds: [encodeEvidence(attested)],
    errors: [AttestationError],
    largest: 16_384,
    memory: 48 * 1024 * 1024,
  }),
  target({ name: 'pkcs11-uri', form: 'lines', parse: ofText(parsePkcs11Uri), seeds: [uri], errors: [KeyError] }),
  target({
    name: 'encrypted-key',
    form: 'lines',
    parse: ofText((text) => decryptKey(text, 'passphrase')),
    seeds: [encryptedKey()],
    errors: [KeyError],
  }),
];

/** The one that nobody signed is taken for good as far as it goes. */
function notHeld(act: () => unknown): unknown {
  try {
    return act();
  } catch (error) {
    if (error instanceof ForeignError && error.code === 'foreign/not-verified' && /holds under no issuer/.test(error.message))
      return error.code;
    throw error;
  }
}
