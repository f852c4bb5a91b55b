import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { haveVectors, vectorJson } from '../../../test/vectors.js';
import {
  type CborInput,
  type CoseKey,
  coseKeyThumbprint,
  createCoseKey,
  encodeCbor,
  encodeCoseKey,
  parseCoseKey,
} from '../src/index.js';
import { fromHex, toHex } from './cbor-values.js';
import { generateTestKey, sha256 } from './ec-keys.js';
import { refuses } from './expect-error.js';

/** The key of the example in RFC 9679 section 6. */
const X = fromHex('65eda5a12577c2bae829437fe338701a10aaa375e1bb5b5de108de439c08551d');
const Y = fromHex('1e52ed75701163f7f9e40ddf9f341b3dc9ba860af7e0ca7ca7e9eecd0084d19c');
const ED = fromHex('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a');
const P256_P = fromHex('ffffffff00000001000000000000000000000000ffffffffffffffffffffffff');
const CURVES: readonly CoseKey['curve'][] = ['Ed25519', 'P-256', 'P-384'];

const p256Map = (...more: [number | string, CborInput][]): Uint8Array =>
  encodeCbor(new Map<number | string, CborInput>([[1, 2], [-1, 1], [-2, X], [-3, Y], ...more]));
const edMap = (...more: [number | string, CborInput][]): Uint8Array =>
  encodeCbor(new Map<number | string, CborInput>([[1, 1], [-1, 6], [-2, ED], ...more]));

test('the thumbprint of RFC 9679 section 6', () => {
  const key = createCoseKey('P-256', X, Y);
  assert.is(toHex(coseKeyThumbprint(key)), '496bd8afadf307e5b08c64b0421bf9dc01528a344a43bda88fadd1669da253ec');
  assert.is(toHex(encodeCoseKey(key)), `a40102200121${`5820${toHex(X)}`}22${`5820${toHex(Y)}`}`);
});

test('an Ed25519 thumbprint hashes kty, crv and x', () => {
  const expected = sha256(fromHex('a3 0101 2006 21 5820'), ED);
  assert.equal(coseKeyThumbprint(createCoseKey('Ed25519', ED)), expected);
});

test('key id and algorithm do not change a thumbprint', () => {
  const plain = coseKeyThumbprint(parseCoseKey(p256Map()));
  assert.equal(coseKeyThumbprint(parseCoseKey(p256Map([2, Uint8Array.of(1, 2)]))), plain);
  assert.equal(coseKeyThumbprint(parseCoseKey(p256Map([3, -7]))), plain);
});

test('keys of every curve are read back as they were written', () => {
  for (const curve of CURVES) {
    const { key } = generateTestKey(curve);
    assert.equal(parseCoseKey(encodeCoseKey(key)), key);
    assert.is(key.x.length, curve === 'P-384' ? 48 : 32);
  }
});

test('one key never serves two algorithms', () => {
  for (const alg of [-8, -19]) assert.is(parseCoseKey(edMap([3, alg])).curve, 'Ed25519');
  for (const alg of [-7, -35, -999, 'EdDSA', null])
    refuses(() => parseCoseKey(edMap([3, alg])), 'cose/bad-key', `Ed25519 with ${alg}`);
  for (const alg of [-8, -19, -35, -9, 'ES256'])
    refuses(() => parseCoseKey(p256Map([3, alg])), 'cose/bad-key', `P-256 with ${alg}`);
});

test('a label that has no place in the key is refused, a private one above all', () => {
  for (const label of [-4, 4, 5, -5, 100, 'x', '1']) {
    refuses(() => parseCoseKey(p256Map([label, Uint8Array.of(1)])), 'cose/bad-key', `label ${label}`);
    refuses(() => parseCoseKey(edMap([label, Uint8Array.of(1)])), 'cose/bad-key', `label ${label}`);
  }
  refuses(() => parseCoseKey(edMap([-3, ED])), 'cose/bad-key', 'Ed25519 with y');
  refuses(() => parseCoseKey(edMap([2, 1])), 'cose/bad-key', 'a kid that is no byte string');
});

test('other key types and curves are refused', () => {
  const map = (kty: CborInput, crv: CborInput): Uint8Array =>
    encodeCbor(
      new Map<number, CborInput>([
        [1, kty],
        [-1, crv],
        [-2, X],
        [-3, Y],
      ]),
    );
  for (const [kty, crv] of [
    [2, 3],
    [2, 8],
    [2, 6],
    [1, 4],
    [1, 7],
    [1, 1],
    [3, 1],
    [4, 1],
    ['EC', 'P-256'],
    [null, null],
  ]) {
    refuses(() => parseCoseKey(map(kty, crv)), ['cose/unsupported', 'cose/bad-key'], `kty ${kty}, crv ${crv}`);
  }
  for (const value of [null, 1, 'key', [1], new Map(), X]) {
    refuses(() => parseCoseKey(encodeCbor(value)), ['cose/unsupported', 'cose/bad-key'], `${value} for a key`);
  }
});

test('coordinates of the wrong length or type are refused', () => {
  for (const size of [0, 31, 33, 48, 64]) {
    refuses(() => createCoseKey('Ed25519', new Uint8Array(size)), 'cose/bad-key', `Ed25519, ${size} bytes`);
    refuses(() => createCoseKey('P-256', new Uint8Array(size), Y), 'cose/bad-key', `P-256, x of ${size} bytes`);
    refuses(() => createCoseKey('P-256', X, new Uint8Array(size)), 'cose/bad-key', `P-256, y of ${size} bytes`);
  }
  refuses(() => createCoseKey('P-384', X, Y), 'cose/bad-key', 'a P-256 point for P-384');
  refuses(() => createCoseKey('P-256', X), 'cose/bad-key', 'no y');
  refuses(() => createCoseKey('Ed25519', ED, ED), 'cose/bad-key', 'Ed25519 with y');
  const { key } = generateTestKey('P-256');
  for (const y of [true, false, null, toHex(Y)]) {
    refuses(
      () =>
        parseCoseKey(
          encodeCbor(
            new Map<number, CborInput>([
              [1, 2],
              [-1, 1],
              [-2, key.x],
              [-3, y],
            ]),
          ),
        ),
      'cose/bad-key',
      `y is ${y}`,
    );
  }
});

test('points off the curve are refused', () => {
  const flipped = (bytes: Uint8Array): Uint8Array => bytes.map((byte, i) => (i === bytes.length - 1 ? byte ^ 1 : byte));
  refuses(() => createCoseKey('P-256', X, flipped(Y)), 'cose/bad-key', 'y changed');
  refuses(() => createCoseKey('P-256', flipped(X), Y), 'cose/bad-key', 'x changed');
  refuses(() => createCoseKey('P-256', Y, X), 'cose/bad-key', 'x and y swapped');
  refuses(() => createCoseKey('P-256', new Uint8Array(32), new Uint8Array(32)), 'cose/bad-key', '(0, 0)');
  refuses(() => createCoseKey('P-256', P256_P, Y), 'cose/bad-key', 'x = p');
  refuses(() => createCoseKey('P-256', new Uint8Array(32).fill(0xff), Y), 'cose/bad-key', 'x = 2^256 - 1');
  const p384 = generateTestKey('P-384').key;
  refuses(() => createCoseKey('P-384', p384.x, flipped(p384.y as Uint8Array)), 'cose/bad-key', 'P-384, y changed');
  refuses(() => createCoseKey('P-384', new Uint8Array(48), new Uint8Array(48)), 'cose/bad-key', 'P-384, (0, 0)');
  refuses(() => createCoseKey('Ed25519', new Uint8Array(32).fill(2)), 'cose/bad-key', 'y of Ed25519 without an x');
});

test('a key in another order or with longer heads is refused', () => {
  refuses(() => parseCoseKey(fromHex(`a3 2006 0101 21 5820 ${toHex(ED)}`)), 'cbor/not-deterministic', 'crv before kty');
  refuses(() => parseCoseKey(fromHex(`a3 0101 2006 21 590020 ${toHex(ED)}`)), 'cbor/not-deterministic', 'a long head');
  assert.equal(parseCoseKey(fromHex(`a3 0101 2006 21 5820 ${toHex(ED)}`)).x, ED);
});

if (haveVectors) {
  test('Ed25519 keys of small order and non-canonical ones are refused', () => {
    const { cases } = vectorJson('synthetic/weak-keys/ed25519-small-order.json');
    assert.ok(cases.length >= 7);
    for (const { pub_hex } of cases) {
      refuses(() => createCoseKey('Ed25519', fromHex(pub_hex)), 'cose/bad-key', pub_hex);
      refuses(() => parseCoseKey(fromHex(`a3 0101 2006 21 5820 ${pub_hex}`)), 'cose/bad-key', pub_hex);
    }
  });
}

test.run();
