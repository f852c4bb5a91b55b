import { Encoder } from 'cbor-x';
import { type CborProfile, compareBytes, MAX_DEPTH, scanCbor } from './cbor-scan.js';
import { type CborInput, CborTag, type CborValue } from './cbor-value.js';
import { StatementError } from './errors.js';

const encoder = new Encoder({ useRecords: false, mapsAsObjects: false, tagUint8Array: false, variableMapSize: true });
/**
 * Deterministic CBOR (RFC 8949 section 4.2.1): shortest heads, sorted keys.
 * @throws StatementError (cbor/not-in-profile) for floats, unsafe integers, nesting beyond 16 and unknown types
 */
export function encodeCbor(value: CborInput): Uint8Array {
  if (!(value instanceof CborTag)) return new Uint8Array(encoder.encode(prepare(value, 0)));
  if (!Number.isSafeInteger(value.tag) || value.tag < 0) throw refuse(`${value.tag} is no tag`);
  const content = new Uint8Array(encoder.encode(prepare(value.value, 1)));
  const head = encodeHead(6, value.tag);
  const out = new Uint8Array(head.length + content.length);
  out.set(head);
  out.set(content, head.length);
  return out;
}

/**
 * Reads one deterministic CBOR item that fills `bytes`. Bytes in the result are copies.
 * @throws StatementError with the offset of what is wrong
 */
export function decodeCbor(bytes: Uint8Array, profile: CborProfile = {}): CborValue {
  const value = scanCbor(bytes, profile);
  // The scan is the rule; writing the value again with another implementation and comparing proves that what was read is what
  // was signed.
  if ((profile.order ?? 'deterministic') === 'deterministic' && compareBytes(encodeCbor(value), bytes) !== 0) {
    throw new StatementError('cbor/not-deterministic', 'written again, the item has other bytes');
  }
  return value;
}

/** Brings a value into the form from which cbor-x writes deterministic bytes. */
function prepare(value: CborInput | undefined, depth: number): unknown {
  if (value === null || typeof value === 'boolean' || value instanceof Uint8Array) return value;
  if (typeof value === 'string') {
    if (/\p{Cs}/u.test(value)) throw refuse('a text holds half a surrogate pair');
    return value;
  }
  if (typeof value === 'number') return prepareInteger(value);
  if (typeof value !== 'object') throw refuse(`a value of the type ${typeof value} has no CBOR form here`);
  if (value instanceof CborTag) throw refuse('a tag stands only around a whole item');
  if (depth >= MAX_DEPTH) throw refuse(`items are nested more than ${MAX_DEPTH} deep`);
  // Array.from visits holes, which are refused as undefined.
  if (Array.isArray(value)) return Array.from(value as readonly CborInput[], (item) => prepare(item, depth + 1));
  return prepareMap(entriesOf(value as ReadonlyMap<number | string, CborInput> | object), depth);
}

function prepareInteger(value: number): number | bigint {
  if (!Number.isSafeInteger(value)) throw refuse(`${value} is no integer within 2^53 - 1; write a decimal as text`);
  // Beyond 32 bits cbor-x would write a float for a number, and an integer for a bigint.
  return value > 0xffff_ffff || value < -0x1_0000_0000 ? BigInt(value) : value + 0;
}

function prepareMap(entries: readonly (readonly [unknown, CborInput | undefined])[], depth: number): Map<unknown, unknown> {
  const sorted = entries
    .filter(([, item]) => item !== undefined)
    .map(([key, item]) => {
      if (typeof key !== 'number' && typeof key !== 'string') throw refuse('a map key is neither an integer nor text');
      const prepared = prepare(key, depth);
      return { key: prepared, bytes: new Uint8Array(encoder.encode(prepared)), item };
    })
    .sort((a, b) => compareBytes(a.bytes, b.bytes));
  return new Map(sorted.map(({ key, item }) => [key, prepare(item, depth + 1)]));
}

/** The members of a map or a plain object; anything else that JavaScript calls an object is refused. */
function entriesOf(value: ReadonlyMap<number | string, CborInput> | object): (readonly [unknown, CborInput | undefined])[] {
  if (value instanceof Map) return [...value];
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null)
    throw refuse('only arrays, maps and plain objects have a CBOR form here');
  return Object.entries(value as { readonly [key: string]: CborInput | undefined });
}

function refuse(message: string): StatementError {
  return new StatementError('cbor/not-in-profile', message);
}

/** The head of an item: major type and argument in the shortest form. */
function encodeHead(major: number, argument: number): Uint8Array {
  const bytes = new Uint8Array(encoder.encode(argument > 0xffff_ffff ? BigInt(argument) : argument));
  bytes[0] |= major << 5;
  return bytes;
}
