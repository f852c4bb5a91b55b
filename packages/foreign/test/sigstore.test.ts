import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import type { Issuer } from '@treering/record';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { haveVectors, vectorBytes, vectorJson, vectorPath } from '../../../test/vectors.js';
import { parseBundle } from '../src/index.js';
import { type SigstoreFinding, verifyBundle, verifySigstore } from '../src/node/index.js';
import { refuses } from './expect-error.js';

const CASES = 'sigstore-conformance';
const BUNDLES = 'sigstore-bundles';
const PUBLIC_GOOD = `${BUNDLES}/trusted_root_public_good.json`;
const STAGING = `${BUNDLES}/trusted_root_staging.json`;
const BEACON =
  'https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main';
const ACTIONS = 'https://token.actions.githubusercontent.com';
const GITHUB = 'https://github.com/login/oauth';

/** Cases that should hold and are refused, with what is said then. */
const NOT_VERIFIED: Readonly<Record<string, RegExp>> = {
  // A key that was agreed upon elsewhere and no certificate: not for a trusted root. Bundles like it are verified under `keys`.
  'managed-key-happy-path': /timestamp could not be verified/,
  // @sigstore/verify 3.1 does not know envelopes that are logged as hashedrekord.
  'rekor2-dsse-happy-path': /digest mismatch/,
};

/** The case whose bundle never reaches the verifier. */
const NO_JSON = 'bundle-malformed-json_fail';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

function issuerOf(trustedRoot: string, ...identities: string[]): Issuer {
  return { issuer: 'sigstore', trusted_root: vectorBytes(trustedRoot), identities };
}

const notVerified = (act: () => unknown, what: string, message = /does not hold/): void =>
  refuses(act, 'foreign/not-verified', what, message);

/** Fails unless a bundle holds for this name, and for no other name and no other artifact. */
function holds(json: unknown, trustedRoot: string, by: readonly [string, string], artifact: Uint8Array | undefined): void {
  const [identity, provider] = by;
  const found: SigstoreFinding = verifySigstore(json, issuerOf(trustedRoot, identity), artifact);
  assert.equal(found, { anchor: sha256(vectorBytes(trustedRoot)), identity, provider });
  assert.equal(verifySigstore(json, issuerOf(trustedRoot, 'nobody', `${identity.slice(0, 5)}*`), artifact), found);
  for (const name of [`${identity}x`, identity.slice(0, -1), identity.toUpperCase(), '.*'])
    notVerified(() => verifySigstore(json, issuerOf(trustedRoot, name), artifact), name, /whom the policy does not name/);
  const noNames = { ...issuerOf(trustedRoot), identities: undefined };
  notVerified(() => verifySigstore(json, noNames, artifact), 'no names', /whom the policy does not name/);
  if (artifact === undefined) return;
  notVerified(() => verifySigstore(json, issuerOf(trustedRoot, identity), Uint8Array.of(...artifact, 0)), 'a byte more');
  notVerified(() => verifySigstore(json, issuerOf(trustedRoot, identity)), 'no artifact');
}

if (haveVectors) {
  const cases = readdirSync(vectorPath(CASES), { withFileTypes: true }).filter((entry) => entry.isDirectory());

  test('there are conformance cases of both kinds', () => {
    const failing = cases.filter(({ name }) => name.endsWith('_fail')).length;
    assert.ok(failing >= 20 && cases.length - failing >= 11, `${failing} of ${cases.length} must fail`);
  });

  for (const { name } of cases) {
    const file = `${CASES}/${name}/bundle.sigstore.json`;
    const own = `${CASES}/${name}/trusted_root.json`;
    const trustedRoot = existsSync(vectorPath(own)) ? own : PUBLIC_GOOD;
    const artifactFile = `${CASES}/${name}/artifact`;
    const artifact = (): Uint8Array => vectorBytes(existsSync(vectorPath(artifactFile)) ? artifactFile : `${CASES}/a.txt`);

    if (name === NO_JSON) {
      test(`conformance: ${name} is refused as malformed`, () =>
        refuses(() => parseBundle(vectorBytes(file)), 'foreign/malformed', name, /no JSON/));
      continue;
    }
    if (!name.endsWith('_fail') && !(name in NOT_VERIFIED)) {
      test(`conformance: ${name} holds`, () => {
        const json = vectorJson(file);
        holds(json, trustedRoot, [BEACON, ACTIONS], json.messageSignature === undefined ? undefined : artifact());
      });
      continue;
    }
    test(`conformance: ${name} is refused`, () => {
      const json = vectorJson(file);
      const message = NOT_VERIFIED[name] ?? /does not hold/;
      notVerified(() => verifySigstore(json, issuerOf(trustedRoot, '*'), artifact()), name, message);
    });
  }

  const brian = ['brian@dehamer.com', GITHUB] as const;

  // So a bundle is not refused because it brings a root; the case above is, because its proof has no checkpoint.
  test('certificates besides that of the signer count for nothing', () => {
    const json = vectorJson(`${BUNDLES}/js/bundleV02-intoto.sigstore`);
    const { certificates } = json.verificationMaterial.x509CertificateChain;
    const more = vectorJson(`${CASES}/bundle-with-root-cert_fail/bundle.sigstore.json`).verificationMaterial;
    certificates.push(...more.x509CertificateChain.certificates.slice(1));
    assert.is(certificates.length, 3);
    holds(json, PUBLIC_GOOD, brian, undefined);
    notVerified(() => verifySigstore(json, issuerOf(STAGING, '*')), 'a root that the bundle brings');
    certificates.reverse();
    notVerified(() => verifySigstore(json, issuerOf(PUBLIC_GOOD, '*')), 'the signer last');
  });

  const good: readonly [file: string, trustedRoot: string, by: readonly [string, string], artifact?: string][] = [
    ['js/bundleV01-dsse-no-proof.sigstore', PUBLIC_GOOD, brian],
    ['js/bundleV01-dsse-with-proof.sigstore', PUBLIC_GOOD, brian],
    ['js/bundleV02-intoto.sigstore', PUBLIC_GOOD, brian],
    ['js/bundleV03-dsse.sigstore', PUBLIC_GOOD, brian],
    ['js/bundleV03-intoto.sigstore', PUBLIC_GOOD, brian],
    ['go/dsse.sigstore.json', PUBLIC_GOOD, brian],
    [
      'go/sigstore.js@2.0.0-provenance.sigstore.json',
      PUBLIC_GOOD,
      ['https://github.com/sigstore/sigstore-js/.github/workflows/release.yml@refs/heads/main', ACTIONS],
    ],
    ['python/bundle.txt.sigstore', STAGING, ['a@tny.town', GITHUB], 'python/bundle.txt'],
    ['python/bundle_v3.txt.sigstore', STAGING, ['william@yossarian.net', GITHUB], 'python/bundle_v3.txt'],
    [
      'python/bundle_v3_github.whl.sigstore',
      PUBLIC_GOOD,
      ['https://github.com/trailofbits/rfc8785.py/.github/workflows/release.yml@refs/tags/v0.1.2', ACTIONS],
      'python/bundle_v3_github.whl',
    ],
    ['python/staging-rekor-v2.txt.sigstore.json', STAGING, ['jku@goto.fi', GITHUB], 'python/staging-rekor-v2.txt'],
  ];

  for (const [file, trustedRoot, by, artifactFile] of good) {
    const artifact = (): Uint8Array | undefined =>
      artifactFile === undefined ? undefined : vectorBytes(`${BUNDLES}/${artifactFile}`);

    test(`${file} holds`, () => holds(vectorJson(`${BUNDLES}/${file}`), trustedRoot, by, artifact()));

    test(`${file} does not hold under the other trusted root`, () => {
      const other = issuerOf(trustedRoot === STAGING ? PUBLIC_GOOD : STAGING, '*');
      notVerified(() => verifySigstore(vectorJson(`${BUNDLES}/${file}`), other, artifact()), file);
    });

    test(`${file} does not hold without its log entries, nor with a changed signature`, () => {
      const dropped = vectorJson(`${BUNDLES}/${file}`);
      dropped.verificationMaterial.tlogEntries = [];
      notVerified(() => verifySigstore(dropped, issuerOf(trustedRoot, '*'), artifact()), 'no entries');
      const forged = vectorJson(`${BUNDLES}/${file}`);
      const holder = forged.dsseEnvelope?.signatures[0] ?? forged.messageSignature;
      const member = forged.dsseEnvelope === undefined ? 'signature' : 'sig';
      const bytes = Buffer.from(holder[member], 'base64');
      bytes[bytes.length - 1] ^= 1;
      holder[member] = bytes.toString('base64');
      notVerified(() => verifySigstore(forged, issuerOf(trustedRoot, '*'), artifact()), 'another signature');
    });

    test(`${file} is ${artifactFile === undefined ? 'verified' : 'refused'} as a bundle to be logged`, () => {
      const bytes = vectorBytes(`${BUNDLES}/${file}`);
      const { mediaType } = vectorJson(`${BUNDLES}/${file}`);
      const act = (): unknown => verifyBundle(mediaType, bytes, [issuerOf(trustedRoot, by[0])], undefined);
      if (artifactFile !== undefined) return refuses(act, 'foreign/unsupported', file, /file that it does not hold/);
      const { issuer, claims } = act() as ReturnType<typeof verifyBundle>;
      assert.equal([issuer, claims.identity, claims.oidc_issuer], ['sigstore', ...by]);
    });
  }

  test('every bundle of the vectors is tested', () => {
    const known = [...good.map(([file]) => file), ...Object.keys(BAD)];
    const files = ['js', 'go', 'python'].flatMap((folder) =>
      readdirSync(vectorPath(`${BUNDLES}/${folder}`)).map((name) => `${folder}/${name}`),
    );
    assert.equal(files.filter((name) => /\.sigstore(\.json)?$/.test(name)).sort(), known.sort());
  });

  const BAD = {
    'python/bundle_invalid_version.txt.sigstore': 'python/bundle_invalid_version.txt',
    'python/bundle_no_cert_v1.txt.sigstore': 'python/bundle_no_cert_v1.txt',
  };
  for (const [file, artifact] of Object.entries(BAD)) {
    test(`${file} is refused`, () => {
      for (const root of [PUBLIC_GOOD, STAGING])
        notVerified(
          () => verifySigstore(vectorJson(`${BUNDLES}/${file}`), issuerOf(root, '*'), vectorBytes(`${BUNDLES}/${artifact}`)),
          root,
        );
    });
  }

  test('without a trusted root that can be read nothing is verified', () => {
    const json = vectorJson(`${BUNDLES}/js/bundleV03-dsse.sigstore`);
    notVerified(() => verifySigstore(json, { issuer: 'x', identities: ['*'] }), 'none', /has no trusted root/);
    for (const text of ['', '{', 'null', '[]', '{}', '{"mediaType":7}', '{"tlogs":[{}],"certificateAuthorities":[{}]}']) {
      const issuer = { issuer: 'x', identities: ['*'], trusted_root: new TextEncoder().encode(text) };
      notVerified(() => verifySigstore(json, issuer), text);
    }
  });

  test('JSON that is no bundle is refused', () => {
    for (const json of [null, undefined, 7, 'bundle', [], {}, { mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json' }])
      notVerified(() => verifySigstore(json, issuerOf(PUBLIC_GOOD, '*')), JSON.stringify(json) ?? 'undefined');
  });
}

test.run();
