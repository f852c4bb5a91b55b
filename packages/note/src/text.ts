import { NoteError } from './errors.js';

const utf8Encoder = new TextEncoder();
const utf8Decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** UTF-8 bytes of a text. */
export function encodeUtf8(text: string): Uint8Array {
  return utf8Encoder.encode(text);
}

/** @throws NoteError (note/malformed) when the bytes are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return utf8Decoder.decode(bytes);
  } catch {
    throw new NoteError('note/malformed', 'the bytes are not valid UTF-8');
  }
}

/** Standard base64 with padding (RFC 4648 section 4). */
export function encodeBase64(bytes: Uint8Array): string {
  let binary = '';
  for (let i = 0; i < bytes.length; i += 8192) binary += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(binary);
}

/**
 * Reads standard base64 in its one canonical spelling: padded, no white space, unused bits zero.
 * @throws NoteError (note/malformed) on any other spelling.
 */
export function decodeBase64(text: string): Uint8Array {
  let binary: string;
  try {
    binary = atob(text);
  } catch {
    throw new NoteError('note/malformed', 'this is not standard base64');
  }
  const bytes = Uint8Array.from(binary, (c) => c.charCodeAt(0));
  if (encodeBase64(bytes) !== text) throw new NoteError('note/malformed', 'the base64 is not in its canonical spelling');
  return bytes;
}

const DECIMAL = /^(?:0|[1-9][0-9]{0,19})$/;

/**
 * Reads an unsigned 64-bit decimal: ASCII digits, no sign, no space, no leading zero.
 * @throws NoteError (note/malformed) on any other text.
 */
export function parseDecimal(text: string, what: string): bigint {
  if (!DECIMAL.test(text)) throw new NoteError('note/malformed', `${what} is not a decimal number without leading zeros`);
  const value = BigInt(text);
  if (value > 0xffff_ffff_ffff_ffffn) throw new NoteError('note/malformed', `${what} does not fit in 64 bits`);
  return value;
}

/** 8 bytes, big-endian. */
export function uint64(value: bigint): Uint8Array {
  const out = new Uint8Array(8);
  new DataView(out.buffer).setBigUint64(0, value);
  return out;
}

/** The given parts as one array. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
