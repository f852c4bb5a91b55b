import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { checkSeed, type Ed25519, hasCanonicalS, weakKeyReason } from '../ed25519.js';
import { secretBytes } from '../secret-bytes.js';

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
  const key = Buffer.from(secretBytes(PKCS8_PREFIX.length + checkSeed(seed).length).buffer);
  key.set(PKCS8_PREFIX);
  key.set(seed, PKCS8_PREFIX.length);
  try {
    return createPrivateKey({ key, format: 'der', type: 'pkcs8' });
  } finally {
    key.fill(0);
  }
}

/** An Ed25519 key that OpenSSL holds, and that JavaScript has no bytes of. */
export interface HeldEd25519 {
  /** 32 bytes */
  readonly publicKey: Uint8Array;
  sign(message: Uint8Array): Uint8Array;
  /** The same signature, computed on libuv's thread pool. */
  signOffThread(message: Uint8Array): Promise<Uint8Array>;
}

/** Hands a seed over to OpenSSL, which overwrites it when it frees it. The caller may wipe its own bytes. */
export function holdEd25519(seed: Uint8Array): HeldEd25519 {
  const key = privateKeyObject(seed);
  // Bytes that are wiped are not the name of a key any more.
  privateKeys.delete(seed);
  return {
    publicKey: publicKeyOf(key),
    sign: (message) => new Uint8Array(sign(null, message, key)),
    signOffThread: (message) => signOffThread(key, message),
  };
}

function publicKeyOf(key: KeyObject): Uint8Array {
  return new Uint8Array(createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32));
}

/** Ed25519 by the runtime's own OpenSSL, under the same rule as the portable one. */
export const nodeEd25519: Ed25519 = {
  name: 'node:crypto',
  publicKey(seed) {
    return publicKeyOf(privateKeyObject(seed));
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

function signOffThread(key: KeyObject, message: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    // `sign` takes a callback since Node 15.12, whatever its declared types say of a missing algorithm.
    sign(undefined, message, key, (error, signature) => (error === null ? resolve(new Uint8Array(signature)) : reject(error)));
  });
}
