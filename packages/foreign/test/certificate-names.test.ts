import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { Issuer } from '@treering/record';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { verifyCertificates } from '../src/node/index.js';
import { refuses } from './expect-error.js';
import { AUTHORITY, CertificateMaker, ecKey, type Party, SIGNER } from './openssl.js';

const maker = new CertificateMaker();
test.after(() => maker.close());

const NOW = Math.floor(Date.now() / 1000) + 3600;
const root = maker.make({ subject: '/CN=root', extensions: AUTHORITY });
const MAIL = 'release@example.org';

function leaf(subject: string, names: readonly string[], privateKey?: KeyObject): Party {
  const alternative = names.length === 0 ? [] : [`subjectAltName=${names.join(',')}`];
  return maker.make({ subject, by: root, extensions: [...SIGNER, ...alternative], privateKey });
}

function issuer(...identities: string[]): Issuer {
  return { issuer: 'https://example.org', roots: [root.der], identities };
}

const verify = ({ der }: Party, under: Issuer): ReturnType<typeof verifyCertificates> => verifyCertificates([der], under, NOW);

test('the name is the subject alternative name, or the common name of a certificate without one', () => {
  const uri = 'https://example.org/workflow@refs/heads/main';
  const named: readonly [string, Party][] = [
    [MAIL, leaf('/CN=release', [`email:${MAIL}`])],
    [uri, leaf('/CN=release', [`URI:${uri}`])],
    ['release', leaf('/O=Example/CN=release/OU=Models', [])],
    ['Größe', leaf('/CN=Größe', [])],
  ];
  for (const [name, party] of named) assert.is(verify(party, issuer(name)).identity, name);
});

test('with a subject alternative name of whatever kind, the common name does not count', () => {
  for (const names of [[`email:${MAIL}`], ['URI:https://example.org/a'], ['DNS:example.org'], ['IP:192.0.2.1']])
    refuses(() => verify(leaf('/CN=release', names), issuer('release')), 'foreign/not-verified', names[0]);
});

test('names fit a whole pattern of the policy, in which * stands for any characters', () => {
  const uri = 'https://example.org/models/.github/workflows/sign.yml@refs/heads/main';
  const party = leaf('/CN=x', [`URI:${uri}`]);
  const fitting = [
    [uri],
    ['*'],
    ['https://example.org/*'],
    ['*/sign.yml@refs/heads/main'],
    ['https://example.org/*/sign.yml@*'],
    ['somebody else', uri],
  ];
  for (const patterns of fitting) assert.is(verify(party, issuer(...patterns)).identity, uri);
  const others = [
    'https://example.org/',
    uri.slice(0, -1),
    uri.slice(1),
    `${uri}x`,
    uri.toUpperCase(),
    'https://example.com/*',
  ];
  for (const pattern of others)
    refuses(() => verify(party, issuer(pattern)), 'foreign/not-verified', pattern, /whom the policy does not name/);
  refuses(
    () => verify(party, { ...issuer(), identities: undefined }),
    'foreign/not-verified',
    'no names',
    /whom the policy does not name/,
  );
});

test('a dot, a question mark and a bracket of a pattern stand for themselves', () => {
  const party = leaf('/CN=x', ['email:releaseXexample@example.org']);
  for (const pattern of ['release.example@example.org', 'release?example@*', 'release[X]example@example.org', '^release.*$'])
    refuses(() => verify(party, issuer(pattern)), 'foreign/not-verified', pattern);
});

test('a certificate that names nobody is refused', () => {
  refuses(() => verify(leaf('/O=Example', []), issuer('*')), 'foreign/not-verified', 'no common name', /names nobody/);
});

test('keys of other kinds are not supported', () => {
  const keys: Readonly<Record<string, KeyObject>> = {
    RSA: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
    'RSA-PSS': generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey,
    'P-521': ecKey('P-521'),
    secp256k1: ecKey('secp256k1'),
    brainpoolP256r1: ecKey('brainpoolP256r1'),
    Ed448: generateKeyPairSync('ed448').privateKey,
  };
  for (const [what, key] of Object.entries(keys))
    refuses(() => verify(leaf('/CN=release', [], key), issuer('*')), 'foreign/unsupported', what, /another key/);
});

test('bytes that are no certificate are refused as malformed', () => {
  const good = leaf('/CN=release', []);
  const garbage: Readonly<Record<string, Uint8Array>> = {
    nothing: new Uint8Array(0),
    'a byte': Uint8Array.of(0x30),
    zeros: new Uint8Array(100),
    text: new TextEncoder().encode('-----BEGIN CERTIFICATE-----'),
    'an empty sequence': Uint8Array.of(0x30, 0),
    'half a certificate': good.der.subarray(0, good.der.length >> 1),
    'a certificate but its last byte': good.der.subarray(0, -1),
    'a length beyond the end': Uint8Array.of(0x30, 0x84, 0x7f, 0xff, 0xff, 0xff, 0x30, 0x00),
  };
  for (const [what, der] of Object.entries(garbage)) {
    const under = issuer('*');
    refuses(() => verifyCertificates([der], under, NOW), 'foreign/malformed', `${what} as signer`);
    refuses(() => verifyCertificates([good.der, der], under, NOW), 'foreign/malformed', `${what} as authority`);
    refuses(() => verifyCertificates([good.der], { ...under, roots: [der] }, NOW), 'foreign/malformed', `${what} as root`);
  }
});

test('an extension that cannot be read is refused', () => {
  const oids = { 'key usage': '2.5.29.15', 'extended key usage': '2.5.29.37', 'alternative name': '2.5.29.17' };
  for (const [what, oid] of Object.entries(oids)) {
    for (const value of ['05:00', '04:01', '30:03:02:01', '00']) {
      const party = maker.make({ subject: '/CN=x', by: root, extensions: [`${oid}=DER:${value}`] });
      refuses(() => verify(party, issuer('x')), ['foreign/malformed', 'foreign/not-verified'], `${value} for the ${what}`);
    }
  }
});

test('an empty chain is refused', () => {
  refuses(() => verifyCertificates([], issuer('*'), NOW), 'foreign/malformed', 'no certificates');
});

test('no flipped bit of the signer goes unnoticed', () => {
  const { der } = leaf('/CN=release', [`email:${MAIL}`]);
  const before = verifyCertificates([der], issuer(MAIL), NOW);
  for (let bit = 0; bit < der.length * 8; bit += 13) {
    const flipped = der.slice();
    flipped[bit >> 3] ^= 1 << (bit & 7);
    try {
      const found = verifyCertificates([flipped], issuer('*'), NOW);
      // The algorithm stands a second time outside of what is signed, where it decides nothing.
      assert.equal(found, before, `bit ${bit}`);
    } catch (error) {
      assert.is((error as Error).name, 'ForeignError', `bit ${bit}: ${error}`);
    }
  }
});

test.run();
