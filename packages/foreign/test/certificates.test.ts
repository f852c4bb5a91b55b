import { createHash, createPublicKey, generateKeyPairSync } from 'node:crypto';
import type { Issuer } from '@treering/record';
import { encodeCoseKey } from '@treering/statement';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { coseKeyOf } from '../../statement/test/ec-keys.js';
import { verifyCertificates } from '../src/node/index.js';
import { refuses } from './expect-error.js';
import { AUTHORITY, CertificateMaker, ecKey, type Party, SIGNER, type Wanted } from './openssl.js';

const maker = new CertificateMaker();
test.after(() => maker.close());

const MAIL = 'release@example.org';
const NAMED = [...SIGNER, `subjectAltName=email:${MAIL}`];
const DAY = 86_400;
const NOW = Math.floor(Date.now() / 1000) + 3600;
const rsaKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const root = maker.make({ subject: '/CN=root', extensions: AUTHORITY });
const rsaRoot = maker.make({ subject: '/CN=rsa root', extensions: AUTHORITY, privateKey: rsaKey });
const intermediate = authority({ by: root });
const signer = leaf({ by: intermediate });

function authority(wanted: Partial<Wanted>): Party {
  return maker.make({ subject: '/CN=intermediate', extensions: AUTHORITY, ...wanted });
}

function leaf(wanted: Partial<Wanted>): Party {
  return maker.make({ subject: '/O=Example/CN=release', extensions: NAMED, ...wanted });
}

const issuerOf = (roots: readonly Party[], identities = [MAIL]): Issuer => ({
  issuer: 'https://example.org',
  roots: roots.map(({ der }) => der),
  identities: [...identities],
});
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const verify = (chain: readonly Party[], issuer: Issuer = issuerOf([root]), at: number | undefined = NOW) =>
  verifyCertificates(
    chain.map(({ der }) => der),
    issuer,
    at,
  );
const notVerified = (act: () => unknown, what: string, message: RegExp): void =>
  refuses(act, 'foreign/not-verified', what, message);

test('a chain to a root says the key, the root and the name', () => {
  for (const [what, chain] of Object.entries({
    'with the root': [signer, intermediate, root],
    'without the root': [signer, intermediate],
  })) {
    const { key, anchor, identity } = verify(chain);
    assert.equal(encodeCoseKey(key), encodeCoseKey(coseKeyOf(createPublicKey(signer.privateKey))), what);
    assert.is(anchor, sha256(root.der), what);
    assert.is(identity, MAIL, what);
  }
  assert.is(verify([leaf({ by: root })]).anchor, sha256(root.der), 'no authority between');
});

test('a root that signs with RSA, and signers with keys of the other curves', () => {
  const below = authority({ by: rsaRoot });
  for (const privateKey of [ecKey('P-384'), generateKeyPairSync('ed25519').privateKey]) {
    const { key, anchor } = verify([leaf({ by: below, privateKey }), below], issuerOf([root, rsaRoot]));
    assert.equal(encodeCoseKey(key), encodeCoseKey(coseKeyOf(createPublicKey(privateKey))));
    assert.is(anchor, sha256(rsaRoot.der));
  }
});

test('an authority below, or the very certificate, can be what the policy trusts', () => {
  assert.is(verify([signer, intermediate, root], issuerOf([intermediate])).anchor, sha256(intermediate.der));
  assert.is(verify([signer], issuerOf([intermediate])).anchor, sha256(intermediate.der));
  assert.is(verify([signer], issuerOf([signer])).anchor, sha256(signer.der));
});

test('a chain without its intermediate, or to another root, leads nowhere', () => {
  const stranger = maker.make({ subject: '/CN=root', extensions: AUTHORITY });
  notVerified(() => verify([signer]), 'no intermediate', /lead to no root/);
  notVerified(() => verify([signer, root]), 'the root alone', /not issued by the next/);
  notVerified(() => verify([signer, intermediate, root], issuerOf([stranger])), 'a root of the same name', /lead to no root/);
  notVerified(() => verify([signer, intermediate, stranger], issuerOf([rsaRoot])), 'an own root', /not issued by the next/);
  notVerified(() => verify([signer, intermediate], { ...issuerOf([]), roots: undefined }), 'no roots', /lead to no root/);
  const forged = leaf({ by: authority({ by: stranger }) });
  notVerified(() => verify([forged, intermediate, root]), 'issued by somebody of the same name', /not issued by the next/);
});

test('the order of a chain matters', () => {
  notVerified(() => verify([intermediate, signer, root]), 'the authority first', /.*/);
  notVerified(() => verify([signer, root, intermediate]), 'the root between', /not issued by the next/);
  notVerified(() => verify([root, intermediate, signer]), 'backwards', /.*/);
});

test('nothing travels behind the root that did not issue it', () => {
  const junk = maker.make({ subject: '/CN=junk', by: root, extensions: AUTHORITY });
  for (const chain of [
    [signer, intermediate, root, junk],
    [signer, intermediate, junk],
    [signer, intermediate, root, root, intermediate],
  ])
    notVerified(() => verify(chain), `${chain.length} certificates`, /not issued by the next/);
});

test('every certificate is valid at the time of signing', () => {
  verify([signer, intermediate], issuerOf([root]), NOW + 3000 * DAY);
  notVerified(() => verify([signer, intermediate], issuerOf([root]), NOW - DAY), 'not yet valid', /not valid at/);
  notVerified(() => verify([signer, intermediate], issuerOf([root]), NOW + 4000 * DAY), 'expired', /not valid at/);
  const brief = {
    signer: [leaf({ by: intermediate, days: 30 }), intermediate],
    intermediate: ((by) => [leaf({ by }), by])(authority({ by: root, days: 30 })),
  };
  for (const [what, chain] of Object.entries(brief)) {
    verify(chain, issuerOf([root]), NOW + 10 * DAY);
    notVerified(() => verify(chain, issuerOf([root]), NOW + 60 * DAY), `an expired ${what}`, /not valid at/);
  }
  const oldRoot = maker.make({ subject: '/CN=root', extensions: AUTHORITY, days: 30 });
  const under = leaf({ by: oldRoot });
  verify([under], issuerOf([oldRoot]), NOW + 10 * DAY);
  notVerified(() => verify([under], issuerOf([oldRoot]), NOW + 60 * DAY), 'an expired root', /not valid at/);
});

test('a root that was renewed with the same key counts, whichever is named first', () => {
  const old = maker.make({ subject: '/CN=renewed', extensions: AUTHORITY, days: 30 });
  const renewed = maker.make({ subject: '/CN=renewed', extensions: AUTHORITY, privateKey: old.privateKey });
  const under = leaf({ by: old });
  for (const roots of [
    [renewed, old],
    [old, renewed],
  ])
    assert.is(verify([under], issuerOf(roots), NOW + 60 * DAY).anchor, sha256(renewed.der));
});

test('without a time of signing nothing is verified', () => {
  const chain = [signer.der, intermediate.der];
  notVerified(() => verifyCertificates(chain, issuerOf([root]), undefined), 'no time', /iat/);
});

test('at a time that no date can hold nothing is verified', () => {
  for (const at of [Number.NaN, Number.MAX_SAFE_INTEGER])
    notVerified(() => verify([signer, intermediate], issuerOf([root]), at), `the time ${at}`, /not valid|time/);
});

test('a root with the same key and another name is another root', () => {
  const renamed = maker.make({ subject: '/CN=renamed', extensions: AUTHORITY, privateKey: root.privateKey });
  notVerified(() => verify([signer, intermediate], issuerOf([renamed])), 'as root', /lead to no root/);
  notVerified(() => verify([signer, intermediate, renamed], issuerOf([renamed])), 'in the chain', /not issued by the next/);
});

test('whoever issues certificates is an authority', () => {
  const notAuthorities = {
    'a signer': NAMED,
    'CA:FALSE': ['basicConstraints=critical,CA:FALSE', 'keyUsage=critical,keyCertSign'],
    'no basic constraints': ['keyUsage=critical,keyCertSign'],
    'no right to sign certificates': ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,digitalSignature'],
  };
  for (const [what, extensions] of Object.entries(notAuthorities)) {
    const by = authority({ by: root, extensions });
    notVerified(() => verify([leaf({ by }), by, root]), what, /not one of an authority/);
    const self = maker.make({ subject: '/CN=lone', extensions });
    notVerified(() => verify([leaf({ by: self })], issuerOf([self])), `${what} as root`, /not one of an authority/);
  }
});

test('no more authorities lie below one than it allows', () => {
  const limited = (most: number): readonly string[] => [`basicConstraints=critical,CA:TRUE,pathlen:${most}`, AUTHORITY[1]];
  const upper = (most: number): Party[] => {
    const top = authority({ by: root, subject: '/CN=upper', extensions: limited(most) });
    const lower = authority({ by: top, subject: '/CN=lower' });
    return [leaf({ by: lower }), lower, top];
  };
  verify(upper(1));
  notVerified(() => verify(upper(0)), 'one more', /longer than an authority/);
  const direct = authority({ by: root, extensions: limited(0) });
  verify([leaf({ by: direct }), direct]);
  const narrow = maker.make({ subject: '/CN=narrow', extensions: limited(0) });
  verify([leaf({ by: narrow })], issuerOf([narrow]));
  const under = authority({ by: narrow });
  notVerified(() => verify([leaf({ by: under }), under], issuerOf([narrow])), 'a root that allows none', /longer than/);
});

test('a certificate is for signing code', () => {
  const usages = {
    'for servers': ['extendedKeyUsage=serverAuth', /code signing/],
    'for mail': ['extendedKeyUsage=emailProtection,timeStamping', /code signing/],
    'for encryption': ['keyUsage=critical,keyEncipherment', /not for signatures/],
    'for certificates alone': ['keyUsage=critical,keyCertSign', /not for signatures/],
  } as const;
  for (const [what, [extension, message]] of Object.entries(usages)) {
    const one = leaf({ by: intermediate, extensions: [extension, NAMED[2]] });
    notVerified(() => verify([one, intermediate]), what, message);
  }
  for (const extensions of [[NAMED[2]], ['extendedKeyUsage=serverAuth,codeSigning', NAMED[2]]])
    verify([leaf({ by: intermediate, extensions }), intermediate]);
});

test('a critical extension that is not understood is refused, in every certificate of the path', () => {
  const unknown = '1.2.3.4=critical,ASN1:UTF8String:only for tests';
  const names = 'nameConstraints=critical,permitted;email:example.com';
  verify([leaf({ by: intermediate, extensions: [...NAMED, unknown.replace('critical,', '')] }), intermediate]);
  const one = leaf({ by: intermediate, extensions: [...NAMED, unknown] });
  notVerified(() => verify([one, intermediate]), 'of the signer', /critical/);
  for (const extension of [unknown, names]) {
    const by = authority({ by: root, extensions: [...AUTHORITY, extension] });
    notVerified(() => verify([leaf({ by }), by]), `${extension} of an authority`, /critical/);
  }
});

test.run();
