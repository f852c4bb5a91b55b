import { hash, hashes, Point, sign } from '@noble/ed25519';
import { sha512 } from '@noble/hashes/sha2.js';
import { NoteError } from './errors.js';
import { concatBytes } from './text.js';

hashes.sha512 = sha512;

/**
 * Ed25519 under the one rule that holds everywhere in Treering, whatever does the arithmetic:
 *  - the public key is the canonical encoding of a curve point that is not of small order;
 *  - S is canonical (S < L);
 *  - the signature holds when the canonical encoding of S·B - k·A equals the R bytes (RFC 8032 section 5.1.7 without the
 *    cofactor), which also refuses every non-canonical R.
 */
export interface Ed25519 {
  /** Names the implementation in benchmarks and in the log's own description. */
  readonly name: string;
  /** The 32-byte public key of a 32-byte seed. */
  publicKey(seed: Uint8Array): Uint8Array;
  /** The 64-byte signature of `message`. */
  sign(seed: Uint8Array, message: Uint8Array): Uint8Array;
  /** True when the signature holds under the rule above. Never throws, whatever the bytes. */
  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
}

const P = 2n ** 255n - 19n;
/** The order of the base point. */
export const L = 2n ** 252n + 27742317777372353535851937790883648493n;

/** The y coordinates of all points whose order divides 8. Both signs of x are of small order. */
const SMALL_ORDER_Y: ReadonlySet<bigint> = new Set([
  0n,
  1n,
  P - 1n,
  0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
  0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n,
]);

function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]);
  return value;
}

/** Why these 32 bytes are no acceptable public key as far as the encoding tells, or undefined. Does not test the curve. */
export function weakKeyReason(publicKey: Uint8Array): string | undefined {
  if (publicKey.length !== 32) return `an Ed25519 public key has 32 bytes, got ${publicKey.length}`;
  const y = littleEndian(publicKey) & (2n ** 255n - 1n);
  if (y >= P) return 'the Ed25519 public key is not canonically encoded';
  if (SMALL_ORDER_Y.has(y)) return 'the Ed25519 public key is of small order: anyone can forge signatures for it';
  return undefined;
}

/** True when the signature is 64 bytes with S < L. */
export function hasCanonicalS(signature: Uint8Array): boolean {
  // L begins with 0x10, so that the last byte decides for all signatures but one in 2^124.
  const last = signature[63];
  return signature.length === 64 && (last < 0x10 || (last === 0x10 && littleEndian(signature.subarray(32)) < L));
}

/**
 * Checks a public key once, when it is loaded.
 * @param publicKey 32 bytes
 * @throws NoteError note/weak-key for small order or a non-canonical encoding, note/bad-key when it is no curve point
 */
export function checkEd25519PublicKey(publicKey: Uint8Array): Uint8Array {
  const reason = weakKeyReason(publicKey);
  if (reason !== undefined) throw new NoteError(publicKey.length === 32 ? 'note/weak-key' : 'note/bad-key', reason);
  if (decodePoint(publicKey) === undefined) throw new NoteError('note/bad-key', 'the Ed25519 public key is not on the curve');
  return publicKey;
}

function decodePoint(bytes: Uint8Array): Point | undefined {
  try {
    return Point.fromBytes(bytes);
  } catch {
    return undefined;
  }
}

/** Ed25519 in plain JavaScript: runs wherever JavaScript runs. */
export const portableEd25519: Ed25519 = {
  name: 'portable (@noble/ed25519)',
  publicKey(seed) {
    const scalar = hash(checkSeed(seed)).slice(0, 32);
    scalar[0] &= 0xf8;
    scalar[31] = (scalar[31] & 0x7f) | 0x40;
    return Point.BASE.multiply(littleEndian(scalar) % L).toBytes();
  },
  sign(seed, message) {
    return sign(message, checkSeed(seed));
  },
  verify(publicKey, message, signature) {
    if (weakKeyReason(publicKey) !== undefined || !hasCanonicalS(signature)) return false;
    const a = decodePoint(publicKey);
    if (a === undefined) return false;
    const r = signature.subarray(0, 32);
    const k = littleEndian(hash(concatBytes(r, publicKey, message))) % L;
    const s = littleEndian(signature.subarray(32));
    const expected = Point.BASE.multiply(s, false).subtract(a.multiply(k, false)).toBytes();
    return expected.every((byte, i) => byte === r[i]);
  },
};

/** @throws NoteError (note/bad-key) unless the seed is 32 bytes. */
export function checkSeed(seed: Uint8Array): Uint8Array {
  if (seed.length !== 32) throw new NoteError('note/bad-key', `a key seed has 32 bytes, got ${seed.length}`);
  return seed;
}
