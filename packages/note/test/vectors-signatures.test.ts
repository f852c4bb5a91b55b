import { generateKeyPairSync, sign } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { haveVectors, vectorJson } from '../../../test/vectors.js';
import { createSigner, KEY_TYPE, MLDSA44_PUBLIC_KEY_SIZE, verifyEcdsa, verifyMldsa44 } from '../src/index.js';
import { seed } from './fixtures.js';

const fromHex = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));

test('an ECDSA P-256 signature of OpenSSL holds, and not for another message or key', () => {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spki = new Uint8Array(pair.publicKey.export({ format: 'der', type: 'spki' }));
  const message = seed('message');
  const signature = new Uint8Array(sign('sha256', message, pair.privateKey));
  assert.is(verifyEcdsa(spki, message, signature), true);
  assert.is(verifyEcdsa(spki, seed('other'), signature), false);
  assert.is(verifyEcdsa(new Uint8Array(other.publicKey.export({ format: 'der', type: 'spki' })), message, signature), false);
  assert.is(verifyEcdsa(spki.subarray(1), message, signature), false);
});

test('keys of other curves are no ECDSA keys here', () => {
  for (const namedCurve of ['P-384', 'secp256k1']) {
    const pair = generateKeyPairSync('ec', { namedCurve });
    const message = seed('message');
    const spki = new Uint8Array(pair.publicKey.export({ format: 'der', type: 'spki' }));
    assert.is(verifyEcdsa(spki, message, new Uint8Array(sign('sha256', message, pair.privateKey))), false, namedCurve);
  }
});

test('ML-DSA-44 answers false, and throws nothing, for bytes of any other length', () => {
  const { publicKey } = createSigner('w.example', KEY_TYPE.mldsa44Cosignature, seed('w')).key;
  for (const length of [0, 1, 64, 2419, 2421]) assert.is(verifyMldsa44(publicKey, seed('m'), new Uint8Array(length)), false);
  for (const length of [0, 32, MLDSA44_PUBLIC_KEY_SIZE - 1, MLDSA44_PUBLIC_KEY_SIZE + 1]) {
    assert.is(verifyMldsa44(new Uint8Array(length), seed('m'), new Uint8Array(2420)), false);
  }
});

if (haveVectors) {
  const ecdsa = vectorJson('wycheproof/ecdsa_secp256r1_sha256_test.json');
  const mldsa = vectorJson('wycheproof/mldsa_44_verify_test.json');

  test(`wycheproof: ${ecdsa.numberOfTests} ECDSA cases`, () => {
    let count = 0;
    for (const group of ecdsa.testGroups) {
      const spki = fromHex(group.publicKeyDer);
      for (const { tcId, comment, msg, sig, result } of group.tests) {
        count++;
        const holds = verifyEcdsa(spki, fromHex(msg), fromHex(sig));
        if (result !== 'acceptable') assert.is(holds, result === 'valid', `tcId ${tcId}: ${comment}`);
      }
    }
    assert.is(count, ecdsa.numberOfTests);
  });

  test('wycheproof: the ML-DSA-44 cases without a context, and none of those with one', () => {
    let plain = 0;
    for (const group of mldsa.testGroups) {
      for (const { tcId, comment, msg, sig, ctx, result } of group.tests) {
        const holds = verifyMldsa44(fromHex(group.publicKey), fromHex(msg), fromHex(sig));
        if (ctx) assert.is(holds, false, `tcId ${tcId} was signed under a context: ${comment}`);
        else assert.is(holds, result === 'valid', `tcId ${tcId}: ${comment}`);
        if (!ctx) plain++;
      }
    }
    assert.is(plain, 86);
  });
}

test.run();
