import { Decoder, Encoder } from 'cbor-x';
import { type CborProfile, compareBytes, MAX_DEPTH, scanCbor } from './cbor-scan.js';
import { StatementError } from './errors.js';

/** What the profile of formats.md section 4 can express. Maps have integer or text keys. */
export type CborValue =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | CborTag
  | readonly CborValue[]
  | ReadonlyMap<number | string, CborValue>;

/** What may be given to the encoder: plain objects stand for maps with text keys, and undefined members are left out. */
export type CborInput =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | CborTag
  | readonly CborInput[]
  | ReadonlyMap<number | string, CborInput>
  | { readonly [key: string]: CborInput | undefined };

/** A tagged item, such as 18 for COSE_Sign1. */
export class CborTag {
  readonly tag: number;
  readonly value: CborInput;

  constructor(tag: number, value: CborInput) {
    this.tag = tag;
    this.value = value;
  }
}

const encoder = new Encoder({ useRecords: false, mapsAsObjects: false, tagUint8Array: false, variableMapSize: true });
const decoder = new Decoder({ useRecords: false, mapsAsObjects: false });

/**
 * Deterministic CBOR (RFC 8949 section 4.2.1): shortest heads, sorted keys.
 * @throws StatementError (cbor/not-in-profile) for floats, unsafe integers, nesting beyond 16 and unknown types
 */
export function encodeCbor(value: CborInput): Uint8Array {
  if (value instanceof CborTag) {
    const content = encodeCbor(value.value);
    const head = encodeHead(6, value.tag);
    const out = new Uint8Array(head.length + content.length);
    out.set(head);
    out.set(content, head.length);
    return out;
  }
  return new Uint8Array(encoder.encode(prepare(value, 0)));
}

/**
 * Reads one deterministic CBOR item that fills `bytes`. Bytes in the result are copies.
 * @throws StatementError with the offset of what is wrong
 */
export function decodeCbor(bytes: Uint8Array, profile: CborProfile = {}): CborValue {
  scanCbor(bytes, profile);
  let raw: unknown;
  try {
    raw = decoder.decode(bytes);
  } catch (error) {
    throw new StatementError('cbor/malformed', `the CBOR cannot be read: ${(error as Error).message}`);
  }
  const value = adopt(raw);
  // The scan above is the rule; writing the value again and comparing proves that what was read is what was signed.
  if ((profile.order ?? 'deterministic') === 'deterministic' && compareBytes(encodeCbor(value), bytes) !== 0) {
    throw new StatementError('cbor/not-deterministic', 'written again, the item has other bytes');
  }
  return value;
}

/** Brings a value into the form from which cbor-x writes deterministic bytes. */
function prepare(value: CborInput, depth: number): unknown {
  if (depth > MAX_DEPTH) throw new StatementError('cbor/not-in-profile', `items are nested more than ${MAX_DEPTH} deep`);
  if (value === null || typeof value === 'boolean' || value instanceof Uint8Array) return value;
  if (typeof value === 'string') {
    if (/\p{Cs}/u.test(value)) throw new StatementError('cbor/not-in-profile', 'a text holds half a surrogate pair');
    return value;
  }
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) {
      throw new StatementError('cbor/not-in-profile', `${value} is no integer within 2^53 - 1; write a decimal as text`);
    }
    // Beyond 32 bits cbor-x would write a float for a number, and an integer for a bigint.
    return value > 0xffff_ffff || value < -0x1_0000_0000 ? BigInt(value) : value + 0;
  }
  if (Array.isArray(value)) return value.map((item) => prepare(item, depth + 1));
  if (value instanceof CborTag) throw new StatementError('cbor/not-in-profile', 'a tag stands only around a whole item');
  if (typeof value !== 'object') throw new StatementError('cbor/not-in-profile', `a ${typeof value} has no CBOR form here`);
  const pairs: [number | string, CborInput | undefined][] =
    value instanceof Map ? [...value] : Object.entries(value as { readonly [key: string]: CborInput | undefined });
  const sorted = pairs
    .filter((pair): pair is [number | string, CborInput] => pair[1] !== undefined)
    .map(([key, item]) => ({ key, bytes: new Uint8Array(encoder.encode(prepare(key, depth))), item }))
    .sort((a, b) => compareBytes(a.bytes, b.bytes));
  return new Map(sorted.map(({ key, item }) => [prepare(key, depth), prepare(item, depth + 1)]));
}

/** Takes over what cbor-x read: plain arrays, maps and copied bytes. */
function adopt(raw: unknown): CborValue {
  if (raw === null || typeof raw === 'boolean' || typeof raw === 'number' || typeof raw === 'string') return raw;
  if (typeof raw === 'bigint') return Number(raw);
  if (raw instanceof Uint8Array) return new Uint8Array(raw);
  if (Array.isArray(raw)) return raw.map(adopt);
  if (raw instanceof Map) {
    return new Map(
      [...raw].map(([key, value]) => [typeof key === 'bigint' ? Number(key) : (key as number | string), adopt(value)]),
    );
  }
  if (typeof raw === 'object' && 'tag' in raw && 'value' in raw) return new CborTag(Number(raw.tag), adopt(raw.value));
  throw new StatementError('cbor/malformed', `the CBOR holds a ${typeof raw}`);
}

/** The head of an item: major type and argument in the shortest form. */
function encodeHead(major: number, argument: number): Uint8Array {
  const bytes = new Uint8Array(encoder.encode(argument > 0xffff_ffff ? BigInt(argument) : argument));
  bytes[0] |= major << 5;
  return bytes;
}
