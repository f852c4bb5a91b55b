import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { checkSeed, type Ed25519, hasCanonicalS, weakKeyReason } from '../ed25519.js';
import { concatBytes } from '../text.js';

/** DER in front of the 32 raw bytes of a seed: PKCS #8 of Ed25519 (RFC 8410). */
const PKCS8_PREFIX = Uint8Array.from([0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20]);

/** How many parsed public keys are kept. */
const CACHE_LIMIT = 4096;
const cache = new Map<string, KeyObject | null>();

/** The key object of acceptable bytes, or null. */
function publicKeyObject(publicKey: Uint8Array): KeyObject | null {
  const id = Buffer.from(publicKey.buffer, publicKey.byteOffset, publicKey.length).toString('latin1');
  const known = cache.get(id);
  if (known !== undefined) return known;
  let key: KeyObject | null = null;
  if (weakKeyReason(publicKey) === undefined) {
    // As JWK: OpenSSL takes ten times as long to read the same key as DER.
    const x = Buffer.from(publicKey).toString('base64url');
    key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  }
  cache.set(id, key);
  if (cache.size > CACHE_LIMIT) cache.delete(cache.keys().next().value as string);
  return key;
}

/** Parsed private keys live as long as the seed that their owner holds. */
const privateKeys = new WeakMap<Uint8Array, KeyObject>();

function privateKeyObject(seed: Uint8Array): KeyObject {
  let key = privateKeys.get(seed);
  if (key === undefined) {
    key = parsePrivateKey(seed);
    privateKeys.set(seed, key);
  }
  return key;
}

function parsePrivateKey(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.from(concatBytes(PKCS8_PREFIX, checkSeed(seed))), format: 'der', type: 'pkcs8' });
}

/** Ed25519 by the runtime's own OpenSSL, under the same rule as the portable one. */
export const nodeEd25519: Ed25519 = {
  name: 'node:crypto',
  publicKey(seed) {
    return new Uint8Array(createPublicKey(privateKeyObject(seed)).export({ format: 'der', type: 'spki' }).subarray(-32));
  },
  sign(seed, message) {
    return new Uint8Array(sign(null, message, privateKeyObject(seed)));
  },
  verify(publicKey, message, signature) {
    if (!hasCanonicalS(signature)) return false;
    const key = publicKeyObject(publicKey);
    return key !== null && verify(null, message, key, signature);
  },
};

/** The same verdict as `nodeEd25519.verify`, computed on libuv's thread pool instead of the calling thread. */
export function verifyEd25519OffThread(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<boolean> {
  if (!hasCanonicalS(signature)) return Promise.resolve(false);
  const key = publicKeyObject(publicKey);
  if (key === null) return Promise.resolve(false);
  return new Promise((resolve, reject) => {
    verify(null, message, key, signature, (error, valid) => (error === null ? resolve(valid) : reject(error)));
  });
}

/** The same signature as `nodeEd25519.sign`, computed on libuv's thread pool instead of the calling thread. */
export function signEd25519OffThread(seed: Uint8Array, message: Uint8Array): Promise<Uint8Array> {
  const key = privateKeyObject(seed);
  return new Promise((resolve, reject) => {
    // `sign` takes a callback since Node 15.12, whatever its declared types say of a missing algorithm.
    sign(undefined, message, key, (error, signature) => (error === null ? resolve(new Uint8Array(signature)) : reject(error)));
  });
}
