import { hash } from 'node:crypto';
import { L, littleEndian } from './scalar.js';

/** A signature to check: 32 bytes of public key, the message, 64 bytes of signature. */
export interface SignedMessage {
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
}

/** True when the signature is 64 bytes with S < L. */
export function hasCanonicalS(signature: Uint8Array): boolean {
  if (signature.length !== 64) return false;
  return signature[63] < 0x10 || littleEndian(signature.subarray(32)) < L;
}

/** k = SHA-512(R, A, message) mod L. */
export function challenge(r: Uint8Array, publicKey: Uint8Array, message: Uint8Array): bigint {
  return littleEndian(hash('sha512', Buffer.concat([r, publicKey, message]), 'buffer')) % L;
}

/** The bytes of a key as the key of a map. */
export function idOf(publicKey: Uint8Array): string {
  return Buffer.from(publicKey.buffer, publicKey.byteOffset, publicKey.length).toString('latin1');
}
