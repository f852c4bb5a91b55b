import { Encoder } from 'cbor-x';
import { type CborProfile, compareBytes, MAX_DEPTH, scanCbor } from './cbor-scan.js';
import { type CborInput, CborTag, type CborValue } from './cbor-value.js';
import { StatementError } from './errors.js';

const UTF8 = new TextEncoder();
const encoder = new Encoder({ useRecords: false, mapsAsObjects: false, tagUint8Array: false, variableMapSize: true });
/**
 * Deterministic CBOR (RFC 8949 section 4.2.1): shortest heads, sorted keys.
 * @throws StatementError (cbor/not-in-profile) for floats, unsafe integers, nesting beyond 16 and unknown types
 */
export function encodeCbor(value: CborInput): Uint8Array {
  if (!(value instanceof CborTag)) return new Uint8Array(encoder.encode(prepare(value, 0)));
  if (!Number.isSafeInteger(value.tag) || value.tag < 0) throw refuse(`${value.tag} is no tag`);
  return tagged(value.tag, new Uint8Array(encoder.encode(prepare(value.value, 1))));
}

function tagged(tag: number, content: Uint8Array): Uint8Array {
  const head = cborHead(6, tag);
  const out = new Uint8Array(head.length + content.length);
  out.set(head);
  out.set(content, head.length);
  return out;
}

/**
 * Reads one deterministic CBOR item that fills `bytes`. Bytes in the result are copies, unless the profile says otherwise.
 * @throws StatementError with the offset of what is wrong
 */
export function decodeCbor(bytes: Uint8Array, profile: CborProfile = {}): CborValue {
  const { value, large } = scanCbor(bytes, profile);
  // The scan is the rule; writing the value again with another implementation and comparing proves that what was read is what
  // was signed. Its maps are in order already, so that nothing has to be brought into the form in which it is written.
  if ((profile.order ?? 'deterministic') === 'deterministic') {
    const again = large ? encodeCbor(value) : encodeAsItIs(value);
    if (compareBytes(again, bytes) !== 0)
      throw new StatementError('cbor/not-deterministic', 'written again, the item has other bytes');
  }
  return value;
}

/** What `scanCbor` has read and found sorted. The bytes are valid until the next call. */
function encodeAsItIs(value: CborValue): Uint8Array {
  return value instanceof CborTag ? tagged(value.tag, encoder.encode(value.value)) : encoder.encode(value);
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
  const present = entries.filter(([, item]) => item !== undefined) as [number | string, CborInput][];
  for (const [key] of present) {
    if (typeof key !== 'number' && typeof key !== 'string') throw refuse('a map key is neither an integer nor text');
  }
  if (present.length > 1) present.sort(([a], [b]) => compareKeys(a, b));
  return new Map(present.map(([key, item]) => [prepare(key, depth), prepare(item, depth + 1)]));
}

/** The order of keys by their bytes: integers from 0 up, then from -1 down, then texts by length and then by bytes. */
function compareKeys(a: number | string, b: number | string): number {
  if (typeof a === 'number' && typeof b === 'number') return a < 0 !== b < 0 ? b - a : Math.abs(a) - Math.abs(b);
  if (typeof a === 'number' || typeof b === 'number') return typeof a === 'number' ? -1 : 1;
  const [first, second] = [UTF8.encode(a), UTF8.encode(b)];
  return first.length - second.length || compareBytes(first, second);
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

/** The head of an item: major type (0 to 7) and argument (to 2^53 - 1) in the shortest form. */
export function cborHead(major: number, argument: number): Uint8Array {
  const bytes = argument < 24 ? 0 : argument < 0x100 ? 1 : argument < 0x1_0000 ? 2 : argument <= 0xffff_ffff ? 4 : 8;
  const head = new Uint8Array(1 + bytes);
  head[0] = (major << 5) | (bytes === 0 ? argument : 24 + Math.log2(bytes));
  let rest = argument;
  for (let i = bytes; i > 0; i--) {
    head[i] = rest % 0x100;
    rest = Math.floor(rest / 0x100);
  }
  return head;
}
