import type { SignedMessage } from '../tables/index.js';

/** Signatures for another thread: for each its key (32 bytes), its signature (64 bytes) and its message, one behind the other. */
export interface PackedSignatures {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Bytes of each message. */
  readonly lengths: Uint32Array<ArrayBuffer>;
}

/** What the thread answers: once that it is ready, and then for each group one byte a signature, 1 for valid. */
export type SignatureReply = 'ready' | 'mismatch' | Uint8Array;

const KEY = 32;
const SIGNATURE = 64;

/** Copies signatures, whose keys and signatures have their lengths, into memory that can be handed over. */
export function packSignatures(items: readonly SignedMessage[]): PackedSignatures {
  const lengths = Uint32Array.from(items, ({ message }) => message.length);
  const bytes = new Uint8Array(lengths.reduce((sum, length) => sum + length, items.length * (KEY + SIGNATURE)));
  let at = 0;
  for (const { publicKey, message, signature } of items) {
    bytes.set(publicKey, at);
    bytes.set(signature, at + KEY);
    bytes.set(message, at + KEY + SIGNATURE);
    at += KEY + SIGNATURE + message.length;
  }
  return { bytes, lengths };
}

/** The signatures again, as views of the packed bytes. */
export function unpackSignatures({ bytes, lengths }: PackedSignatures): SignedMessage[] {
  let at = 0;
  return Array.from(lengths, (length): SignedMessage => {
    const [key, message, end] = [at, at + KEY + SIGNATURE, at + KEY + SIGNATURE + length];
    at = end;
    return {
      publicKey: bytes.subarray(key, key + KEY),
      signature: bytes.subarray(key + KEY, message),
      message: bytes.subarray(message, end),
    };
  });
}
