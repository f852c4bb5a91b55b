import { createHash, createPublicKey, X509Certificate } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type IssuerFinding, looksLikeBundle } from '@treering/governance';
import { type Issuer, manifestRoot } from '@treering/record';
import { hashModel } from '@treering/record/node';
import { encodeCoseKey } from '@treering/statement';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { haveVectors, vectorBytes, vectorJson, vectorPath } from '../../../test/vectors.js';
import { coseKeyOf, generateTestKey } from '../../statement/test/ec-keys.js';
import { claimsOf, IN_TOTO_PAYLOAD, parseBundle } from '../src/index.js';
import { verifyBundle } from '../src/node/index.js';
import { refuses } from './expect-error.js';
import { AUTHORITY, CertificateMaker } from './openssl.js';

const TYPE = 'application/vnd.dev.sigstore.bundle.v0.3+json';
const FOLDER = 'sigstore-model-signing';
/** Within the validity of the certificates of the vectors, which begins in May 2025 and ends in April 2035. */
const AT = Date.UTC(2026, 0, 1) / 1000;

// biome-ignore lint/suspicious/noExplicitAny: third-party JSON that the tests change
type Json = any;
type Change = (bundle: Json) => void;

const utf8 = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** The bytes of a vector's bundle after a change. */
function bundleOf(sample: string, change: Change = () => undefined): Uint8Array {
  const json = vectorJson(`${FOLDER}/${sample}/model.sig`);
  change(json);
  return utf8(json);
}

/** Changes bytes that JSON has in base64. */
function inBase64(text: string, change: (bytes: Buffer) => Buffer | undefined): string {
  const bytes = Buffer.from(text, 'base64');
  return (change(bytes) ?? bytes).toString('base64');
}

const flip =
  (at: number) =>
  (bytes: Buffer): undefined => {
    bytes[at < 0 ? bytes.length + at : at] ^= 1;
  };

/** Changes of the statement within. Its JSON stays readable, so that the signature has to find them. */
const inStatement =
  (change: (statement: Json) => void): Change =>
  ({ dsseEnvelope }) => {
    dsseEnvelope.payload = inBase64(dsseEnvelope.payload, (bytes) => {
      const statement = JSON.parse(bytes.toString());
      change(statement);
      return Buffer.from(JSON.stringify(statement));
    });
  };

const rootOver = (resources: readonly { digest: string }[]): string =>
  sha256(Buffer.concat(resources.map(({ digest }) => Buffer.from(digest, 'hex'))));

/** Changes that leave a well-formed bundle whose signature does not hold. */
const FORGERIES: Readonly<Record<string, Change>> = {
  'a byte of the name within': inStatement((s) => (s.subject[0].name += 'x')),
  'a space more in the payload': ({ dsseEnvelope: e }) =>
    (e.payload = inBase64(e.payload, (b) => Buffer.concat([b, Buffer.from(' ')]))),
  'a resource altered, with the root over it': inStatement((s) => {
    s.predicate.resources[0].digest = 'ab'.repeat(32);
    s.subject[0].digest.sha256 = rootOver(s.predicate.resources);
  }),
  'the last byte of the signature': ({ dsseEnvelope: { signatures } }) =>
    (signatures[0].sig = inBase64(signatures[0].sig, flip(-1))),
  'a byte of r': ({ dsseEnvelope: { signatures } }) => (signatures[0].sig = inBase64(signatures[0].sig, flip(20))),
  'no signature': ({ dsseEnvelope: { signatures } }) => (signatures[0].sig = ''),
};

interface Sample {
  readonly folder: string;
  /** The model in its folder. */
  readonly model: string;
  readonly issuer: Issuer;
  /** SHA-256 of the issuer's anchor. */
  readonly anchor: string;
  /** What is claimed besides the statement. */
  readonly claims: Readonly<Record<string, string>>;
  /** Issuers under which the bundle does not hold. */
  readonly others: Readonly<Record<string, Issuer>>;
}

const pem = (name: string): Uint8Array => vectorBytes(`${FOLDER}/keys/${name}.pem`);
const der = (name: string): Uint8Array => new Uint8Array(new X509Certificate(pem(name)).raw);
const verify = (bytes: Uint8Array, issuers: readonly Issuer[], at: number | undefined = AT): IssuerFinding =>
  verifyBundle(TYPE, bytes, issuers, at);
const notVerified = (act: () => unknown, what: string, message = /holds under no issuer/): void =>
  refuses(act, 'foreign/not-verified', what, message);

function samples(): Sample[] {
  const cose = encodeCoseKey(coseKeyOf(createPublicKey(Buffer.from(pem('signing-key-pub')))));
  const another = encodeCoseKey(generateTestKey('P-384').key);
  const root = der('ca-cert');
  const trusted = vectorBytes('sigstore-bundles/trusted_root_public_good.json');
  const staging = vectorBytes('sigstore-bundles/trusted_root_staging.json');
  const byKey: Issuer = { issuer: 'key', keys: [cose] };
  const byRoot: Issuer = { issuer: 'root', roots: [root], identities: ['intermediate-ca'] };
  const bySigstore: Issuer = { issuer: 'sigstore', trusted_root: trusted, identities: ['stefanb@us.ibm.com'] };
  const maker = new CertificateMaker();
  const sameName = maker.make({ subject: '/CN=root-ca', extensions: AUTHORITY }).der;
  maker.close();
  const key = {
    issuer: byKey,
    anchor: sha256(cose),
    claims: { key: sha256(cose) },
    others: { 'another key': { issuer: 'x', keys: [another] }, 'roots alone': byRoot, 'a trusted root alone': bySigstore },
  };
  const certificate = {
    issuer: byRoot,
    anchor: sha256(root),
    claims: { identity: 'intermediate-ca' },
    others: {
      'another root of this name': { ...byRoot, roots: [sameName] },
      'another name': { ...byRoot, identities: ['root-ca', 'intermediate'] },
      'its key alone': byKey,
      'a trusted root alone': bySigstore,
    },
  };
  const sigstore = {
    issuer: bySigstore,
    anchor: sha256(trusted),
    claims: { identity: 'stefanb@us.ibm.com', oidc_issuer: 'https://sigstore.verify.ibm.com/oauth2' },
    others: {
      'the other trusted root': { ...bySigstore, trusted_root: staging },
      'another name': { ...bySigstore, identities: ['stefanb@us.ibm.co', '*@ibm.com'] },
      'roots alone': { ...byRoot, identities: ['*'] },
      'a key alone': byKey,
      'a trusted root that is none': { ...bySigstore, trusted_root: utf8('none') },
    },
  };
  return [
    { folder: 'v1.0.0-elliptic-key', model: 'signme-1', ...key },
    { folder: 'v1.0.1-elliptic-key', model: '.', ...key },
    { folder: 'v1.0.0-certificate', model: '.', ...certificate },
    { folder: 'v1.0.1-certificate', model: '.', ...certificate },
    { folder: 'v1.0.1-sigstore', model: '.', ...sigstore },
  ];
}

if (haveVectors) {
  for (const { folder, model, issuer, anchor, claims, others } of samples()) {
    const root = (): string => claimsOf(parseBundle(bundleOf(folder)).envelope).subject_digest;

    test(`${folder}: holds as it is, and says who signed what`, () => {
      const { subject } = JSON.parse(payloadOf(folder));
      for (const issuers of [[issuer], [...Object.values(others), issuer]])
        assert.equal(verify(bundleOf(folder), issuers), {
          issuer: issuer.issuer,
          anchor,
          claims: {
            payload_type: IN_TOTO_PAYLOAD,
            predicate_type: 'https://model_signing/signature/v1.0',
            subject_name: subject[0].name,
            subject_digest: subject[0].digest.sha256,
            ...claims,
          },
        });
    });

    test(`${folder}: does not hold after a change`, () => {
      for (const [what, change] of Object.entries(FORGERIES))
        notVerified(() => verify(bundleOf(folder, change), [issuer]), what);
    });

    test(`${folder}: a resource or a root that was altered alone is refused as it does not hash`, () => {
      const changes: Readonly<Record<string, (statement: Json) => void>> = {
        'a resource': (s) => (s.predicate.resources[0].digest = 'ab'.repeat(32)),
        'the root': (s) => (s.subject[0].digest.sha256 = 'ab'.repeat(32)),
      };
      for (const [what, change] of Object.entries(changes)) {
        const bytes = bundleOf(folder, inStatement(change));
        refuses(() => verify(bytes, [issuer]), 'foreign/malformed', what, /do not hash to its subject/);
      }
    });

    test(`${folder}: does not hold under another issuer`, () => {
      for (const [what, other] of Object.entries(others)) notVerified(() => verify(bundleOf(folder), [other]), what);
      notVerified(() => verify(bundleOf(folder), Object.values(others)), 'all of them');
      notVerified(() => verify(bundleOf(folder), []), 'no issuer');
    });

    test(`${folder}: the model hashes to what was signed, a changed one does not`, async () => {
      const hash = async (path: string): Promise<string> => {
        const { resources } = await hashModel(join(path, model), { ignored: ['model.sig', 'ignore-me'] });
        return Buffer.from(manifestRoot(resources)).toString('hex');
      };
      assert.is(await hash(vectorPath(`${FOLDER}/${folder}`)), root());
      const copy = mkdtempSync(join(tmpdir(), 'treering-model-'));
      try {
        cpSync(vectorPath(`${FOLDER}/${folder}`), copy, { recursive: true });
        const file = join(copy, 'signme-1');
        const bytes = readFileSync(file);
        writeFileSync(file, flipped(bytes));
        assert.is.not(await hash(copy), root(), 'a byte of signme-1');
        writeFileSync(file, bytes);
        assert.is(await hash(copy), root(), 'as it was');
        if (model !== '.') return;
        writeFileSync(join(copy, 'extra'), '');
        assert.is.not(await hash(copy), root(), 'a file more');
        rmSync(join(copy, 'extra'));
        rmSync(join(copy, 'signme-2'));
        assert.is.not(await hash(copy), root(), 'a file fewer');
      } finally {
        rmSync(copy, { recursive: true, force: true });
      }
    });
  }

  const certificates = (): Sample[] => samples().filter(({ folder }) => folder.endsWith('-certificate'));

  test('certificates hold within their validity alone', () => {
    for (const { folder, issuer } of certificates()) {
      const bytes = bundleOf(folder);
      const { validFrom, validTo } = new X509Certificate(pem('signing-key-cert'));
      const [from, to] = [Date.parse(validFrom) / 1000, Date.parse(validTo) / 1000];
      for (const at of [from, to]) verify(bytes, [issuer], at);
      for (const at of [from - 1, to + 1, 0]) notVerified(() => verify(bytes, [issuer], at), `at ${at}`, /not valid at/);
      notVerified(() => verifyBundle(TYPE, bytes, [issuer], undefined), 'at no time', /time of signing/);
    }
  });

  test('a chain without its intermediate, with another signer or in another order does not hold', () => {
    const chain =
      (change: (list: Json[]) => Json[]): Change =>
      ({ verificationMaterial: { x509CertificateChain: c } }) => {
        c.certificates = change(c.certificates);
      };
    for (const { folder, issuer } of certificates()) {
      const changes: Readonly<Record<string, Change>> = {
        'the signer alone': chain(([signer]) => [signer]),
        'the intermediate alone': chain(([, intermediate]) => [intermediate]),
        reversed: chain((list) => [...list].reverse()),
        'a byte of the key of the signer': chain(([signer, ...rest]) => [
          { rawBytes: inBase64(signer.rawBytes, flip(200)) },
          ...rest,
        ]),
      };
      for (const [what, change] of Object.entries(changes)) notVerified(() => verify(bundleOf(folder, change), [issuer]), what);
      const rootToo = chain((list) => [...list, { rawBytes: Buffer.from(der('ca-cert')).toString('base64') }]);
      verify(bundleOf(folder, rootToo), [issuer]);
    }
  });

  test('a media type is the same in whatever case', () => {
    const [{ folder, issuer }] = samples();
    const type = TYPE.toUpperCase();
    assert.ok(looksLikeBundle(type));
    assert.is(verifyBundle(type, bundleOf(folder), [issuer], AT).issuer, issuer.issuer);
  });

  test('a Sigstore bundle without its log entry does not hold under the trusted root', () => {
    const [{ folder, issuer }] = samples().filter(({ folder }) => folder.endsWith('-sigstore'));
    const dropped: Change = ({ verificationMaterial }) => (verificationMaterial.tlogEntries = []);
    notVerified(() => verify(bundleOf(folder, dropped), [issuer]), 'without log entry');
  });
}

function payloadOf(folder: string): string {
  return Buffer.from(vectorJson(`${FOLDER}/${folder}/model.sig`).dsseEnvelope.payload, 'base64').toString();
}

function flipped(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  copy[0] ^= 1;
  return copy;
}

test.run();
