import { MAX_DEPTH } from './cbor-scan.js';
import { type CborInput, CborTag, type CborValue } from './cbor-value.js';
import { StatementError } from './errors.js';

/** JSON as JSON.parse gives it. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const BYTES = /^\$+bytes$/;

/**
 * The lossless JSON view of CBOR with text keys: bytes become {"$bytes": "<base64url>"}. A map whose only key would read the
 * same gets one more '$', so that nothing is ambiguous.
 * @throws StatementError (cbor/not-in-profile) for tags and integer keys, which JSON cannot say
 */
export function toJson(value: CborValue): Json {
  if (value === null || typeof value !== 'object') return value;
  if (value instanceof Uint8Array) return { $bytes: encodeBase64Url(value) };
  if (Array.isArray(value)) return (value as readonly CborValue[]).map(toJson);
  if (value instanceof CborTag) throw new StatementError('cbor/not-in-profile', 'a tag has no JSON form');
  const entries = [...(value as ReadonlyMap<number | string, CborValue>)].map(([key, item]): [string, Json] => {
    if (typeof key !== 'string') throw new StatementError('cbor/not-in-profile', 'an integer key has no JSON form');
    return [key, toJson(item)];
  });
  if (entries.length === 1 && BYTES.test(entries[0][0])) entries[0][0] = `$${entries[0][0]}`;
  return Object.fromEntries(entries);
}

/**
 * Reads what `toJson` wrote.
 * @throws StatementError (cbor/not-in-profile) for malformed base64url and nesting that CBOR of this profile cannot say; `encodeCbor` refuses the rest
 */
export function fromJson(json: Json, depth = 0): CborInput {
  if (json === null || typeof json !== 'object') return json;
  if (depth > MAX_DEPTH) throw new StatementError('cbor/not-in-profile', `items are nested more than ${MAX_DEPTH} deep`);
  if (Array.isArray(json)) return json.map((item) => fromJson(item, depth + 1));
  const entries = Object.entries(json);
  if (entries.length === 1 && BYTES.test(entries[0][0])) {
    const [key, item] = entries[0];
    if (key === '$bytes') {
      if (typeof item !== 'string') throw new StatementError('cbor/not-in-profile', '$bytes holds base64url text');
      return decodeBase64Url(item);
    }
    return new Map([[key.slice(1), fromJson(item, depth + 1)]]);
  }
  return new Map(entries.map(([key, item]) => [key, fromJson(item, depth + 1)]));
}

/** Base64url without padding (RFC 4648 section 5). */
export function encodeBase64Url(bytes: Uint8Array): string {
  let binary = '';
  for (let i = 0; i < bytes.length; i += 8192) binary += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(binary).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
}

/**
 * Reads base64url without padding in its canonical spelling.
 * @throws StatementError (cbor/not-in-profile) on any other spelling
 */
export function decodeBase64Url(text: string): Uint8Array {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1)
    throw new StatementError('cbor/not-in-profile', 'this is not base64url');
  const bytes = Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
  if (encodeBase64Url(bytes) !== text)
    throw new StatementError('cbor/not-in-profile', 'the base64url is not in its canonical spelling');
  return bytes;
}
