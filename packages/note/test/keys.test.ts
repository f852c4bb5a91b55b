import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  createSigner,
  createVerifierKey,
  encodeBase64,
  formatSignerKey,
  formatVerifierKey,
  hex,
  KEY_TYPE,
  MLDSA44_PUBLIC_KEY_SIZE,
  NoteError,
  parseSignerKey,
  parseVerifierKey,
  portableEd25519,
} from '../src/index.js';
import { nodeEd25519 } from '../src/node/index.js';
import { codeOf, seed, signer } from './fixtures.js';

const NAME = 'keys.example/one';
const SIGNING = [KEY_TYPE.ed25519, KEY_TYPE.ed25519Cosignature, KEY_TYPE.mldsa44Cosignature];
const P256_SPKI = new Uint8Array(
  Buffer.from(
    'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE2G2Y+2tabdTV5BcGiBIx0a9fAFwrkBbmLSGtks4L3qX6yYY0zufBnhC8Ur/iy55GhWP/9A/bY2LhC30M9+RYtw==',
    'base64',
  ),
);

test('hex has two digits for each byte, at the length of a hash and at others', () => {
  for (const length of [0, 1, 31, 32, 33, 64]) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 37 + 250) & 0xff);
    assert.is(hex(bytes), Buffer.from(bytes).toString('hex'), `${length}`);
    assert.is(hex(bytes), Buffer.from(bytes).toString('hex'), `${length} once more`);
  }
});

for (const type of SIGNING) {
  test(`type ${type}: verifier key and key file survive their text form`, () => {
    const { key } = signer(NAME, type);
    assert.equal(parseVerifierKey(formatVerifierKey(key)), key);
    const own = seed(`${NAME} ${type}`);
    const text = formatSignerKey(key, own);
    assert.match(text, /^PRIVATE\+KEY\+keys\.example\/one\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+$/);
    assert.equal(parseSignerKey(text), { name: NAME, type, seed: own });
    assert.equal(createSigner(NAME, type, own).key, key);
  });
}

test('the same seed gives another id for each type and for each name', () => {
  const ids = SIGNING.flatMap((type) => [NAME, 'keys.example/two'].map((name) => createSigner(name, type, seed('one')).key.id));
  assert.is(new Set(ids).size, ids.length);
});

test('an ECDSA key is read and its id does not depend on its name', () => {
  const key = createVerifierKey('rekor.sigstore.dev', KEY_TYPE.ecdsa, P256_SPKI);
  assert.is(key.id, 'c0d23d6a');
  assert.is(createVerifierKey('other.example', KEY_TYPE.ecdsa, P256_SPKI).id, key.id);
  assert.equal(parseVerifierKey(formatVerifierKey(key)), key);
});

test('a P-256 key off the curve, of another form or another curve is refused', () => {
  const offCurve = P256_SPKI.slice();
  offCurve[P256_SPKI.length - 1] ^= 1;
  const otherCurve = P256_SPKI.slice();
  otherCurve[22] ^= 1;
  for (const spki of [offCurve, otherCurve, P256_SPKI.subarray(0, 90), P256_SPKI.subarray(26), new Uint8Array(91)]) {
    assert.is(
      codeOf(() => createVerifierKey(NAME, KEY_TYPE.ecdsa, spki)),
      'note/bad-key',
    );
  }
});

test('a key under another id than its own is refused', () => {
  for (const type of SIGNING) {
    const { key } = signer(NAME, type);
    const id = key.id === '00000000' ? '00000001' : '00000000';
    assert.is(
      codeOf(() => parseVerifierKey(formatVerifierKey({ ...key, id }))),
      'note/bad-key',
    );
    assert.is(
      codeOf(() => parseVerifierKey(formatVerifierKey({ ...key, name: 'keys.example/two' }))),
      'note/bad-key',
    );
    const text = formatSignerKey({ ...key, id }, seed('one'));
    assert.is(
      codeOf(() => parseSignerKey(text)),
      'note/bad-key',
    );
  }
});

test('malformed verifier keys are refused', () => {
  const text = formatVerifierKey(signer(NAME).key);
  const [name, id, ...base64] = text.split('+');
  const rest = base64.join('+');
  const wrong = {
    'no key': `${name}+${id}`,
    'empty key': `${name}+${id}+`,
    'type without key': `${name}+${id}+AQ==`,
    'no name': `+${id}+${rest}`,
    'short id': `${name}+${id.slice(1)}+${rest}`,
    'long id': `${name}+0${id}+${rest}`,
    'upper-case id': `${name}+${id.replace(/[0-9a-f]/, 'A')}+${rest}`,
    'space in front': ` ${text}`,
    'space behind': `${text} `,
    'line break behind': `${text}\n`,
    base64url: `${name}+${id}+${rest.replaceAll('+', '-').replaceAll('/', '_')}-_`,
    nothing: '',
  };
  for (const [what, key] of Object.entries(wrong)) {
    const code = codeOf(() => parseVerifierKey(key));
    assert.ok(code === 'note/bad-key' || code === 'note/malformed', `${what}: ${code}`);
  }
});

test('key names: what signed-note forbids is refused, what it allows is taken', () => {
  const publicKey = portableEd25519.publicKey(seed('name'));
  const forbidden = [
    '',
    'a b',
    'a+b',
    'a\u00a0b',
    'a\u1680b',
    'a\u2003b',
    'a\u2028b',
    'a\u2029b',
    'a\u202fb',
    'a\u205fb',
    'a\u3000b',
    'a\u0085b',
    'a\nb',
    'a\tb',
    'a\0b',
  ];
  for (const name of forbidden)
    assert.is(
      codeOf(() => createVerifierKey(name, 1, publicKey)),
      'note/bad-key',
      JSON.stringify(name),
    );
  for (const name of ['a', 'example.com/log', 'go.sum', 'oid/1.3.6.1', 'é', '日志.example', 'a\u2014b', 'x'.repeat(255)]) {
    const key = createVerifierKey(name, 1, publicKey);
    assert.equal(parseVerifierKey(formatVerifierKey(key)), key, name);
  }
});

test('weak Ed25519 keys are refused as plain and as cosigning keys', () => {
  const weak = new Uint8Array(32);
  weak[0] = 1;
  for (const type of [KEY_TYPE.ed25519, KEY_TYPE.ed25519Cosignature]) {
    assert.is(
      codeOf(() => createVerifierKey(NAME, type, weak)),
      'note/weak-key',
    );
    assert.is(
      codeOf(() => createVerifierKey(NAME, type, weak.subarray(1))),
      'note/bad-key',
    );
  }
});

test('an ML-DSA-44 key of another length is refused', () => {
  for (const length of [0, 32, MLDSA44_PUBLIC_KEY_SIZE - 1, MLDSA44_PUBLIC_KEY_SIZE + 1, 1952]) {
    assert.is(
      codeOf(() => createVerifierKey(NAME, KEY_TYPE.mldsa44Cosignature, new Uint8Array(length))),
      'note/bad-key',
    );
  }
});

test('types that are unknown here are called unknown', () => {
  for (const type of [0, 3, 5, 7, 0xfa, 0xff]) {
    assert.is(
      codeOf(() => createVerifierKey(NAME, type, new Uint8Array(32))),
      'note/unknown-key-type',
      `type ${type}`,
    );
    assert.is(
      codeOf(() => createSigner(NAME, type, seed('one'))),
      'note/unknown-key-type',
      `type ${type}`,
    );
  }
  assert.is(
    codeOf(() => createSigner(NAME, KEY_TYPE.ecdsa, seed('one'))),
    'note/unknown-key-type',
  );
});

test('a verifier key of an unknown type is called unknown whatever its id: the id rule belongs to the type', () => {
  for (const type of [3, 5, 0xff]) {
    const text = `${NAME}+01020304+${encodeBase64(Uint8Array.of(type, ...seed('foreign key')))}`;
    assert.is(
      codeOf(() => parseVerifierKey(text)),
      'note/unknown-key-type',
      `type ${type}`,
    );
  }
});

test('a signer does not share its seed with the caller', () => {
  const own = seed('mine');
  const mine = createSigner(NAME, KEY_TYPE.ed25519, own);
  const before = mine.sign('text\n').signature;
  own.fill(0);
  assert.equal(mine.sign('text\n').signature, before);
});

test('malformed key files are refused as bad keys', () => {
  const { key } = signer(NAME);
  const own = seed(`${NAME} 1`);
  const text = formatSignerKey(key, own);
  const typed = encodeBase64(Uint8Array.of(1, ...own));
  const wrong = {
    'line break': `${text}\n`,
    'lower case': text.toLowerCase(),
    'no padding left': `PRIVATE+KEY+${NAME}+${key.id}+${typed.slice(0, -1)}`,
    'short seed': `PRIVATE+KEY+${NAME}+${key.id}+${encodeBase64(Uint8Array.of(1, ...own.subarray(1)))}`,
    'long seed': `PRIVATE+KEY+${NAME}+${key.id}+${encodeBase64(Uint8Array.of(1, ...own, 0))}`,
    'other name': text.replace(NAME, 'keys.example/two'),
    'other seed': formatSignerKey(key, seed('other')),
    'a verifier key': formatVerifierKey(key),
    nothing: '',
  };
  for (const [what, file] of Object.entries(wrong))
    assert.is(
      codeOf(() => parseSignerKey(file)),
      'note/bad-key',
      what,
    );
  assert.is(
    codeOf(() => formatSignerKey(key, own.subarray(1))),
    'note/bad-key',
  );
});

test('no error about a key file repeats a part of its secret', () => {
  const { key } = signer(NAME);
  const own = seed(`${NAME} 1`);
  const text = formatSignerKey(key, own);
  const secret = text.split('+').slice(4).join('+');
  const secretHex = hex(own);
  const broken = [
    `${text} `,
    `${text}=`,
    text.slice(0, -1),
    text.replace(key.id, '00000000'),
    text.replace('PRIVATE', 'PRIVAT'),
    text.replace(NAME, 'a b'),
  ];
  for (const type of [2, 3, 0xff]) broken.push(`PRIVATE+KEY+${NAME}+${key.id}+${encodeBase64(Uint8Array.of(type, ...own))}`);
  for (let cut = 1; cut < secret.length; cut += 5) broken.push(text.slice(0, -cut));
  let refused = 0;
  for (const file of broken) {
    try {
      parseSignerKey(file, nodeEd25519);
    } catch (error) {
      refused++;
      assert.instance(error, NoteError);
      const told = `${(error as NoteError).message} ${(error as NoteError).stack} ${JSON.stringify(error)} ${String((error as NoteError).cause)}`;
      // The first and the last groups of base64 may differ by the type byte and the padding; any inner run would tell the seed.
      for (let at = 0; at + 8 <= secret.length; at++)
        assert.not.ok(told.includes(secret.slice(at, at + 8)), 'base64 of the seed');
      for (let at = 0; at + 8 <= secretHex.length; at += 2)
        assert.not.ok(told.includes(secretHex.slice(at, at + 8)), 'hex of the seed');
    }
  }
  assert.is(refused, broken.length);
});

test.run();
