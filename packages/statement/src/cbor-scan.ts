import { CborTag, type CborValue } from './cbor-value.js';
import { StatementError } from './errors.js';

/** How strictly CBOR is read. */
export interface CborProfile {
  /** 'deterministic' demands sorted map keys (RFC 8949 section 4.2.1); 'any' takes foreign maps in any order. */
  readonly order?: 'deterministic' | 'any';
  /** Tags that may occur. Default: 18, COSE_Sign1. */
  readonly tags?: readonly number[];
  /** The most items, counted at every depth: small ones take far more memory than bytes. */
  readonly items?: number;
  /** Byte strings are views of the input, which the caller owns and leaves as it is, instead of copies. */
  readonly views?: boolean;
}

/** Containers and tags inside one another beyond this depth are refused. */
export const MAX_DEPTH = 16;

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads one CBOR item that must fill `bytes`, and refuses what the profile excludes: heads longer than needed, indefinite
 * lengths, floats, undefined and other simple values, integers beyond 2^53 - 1, tags but one around the whole item, duplicate or
 * (when deterministic) unsorted keys, text that is not UTF-8, nesting beyond MAX_DEPTH, bytes left over.
 * It allocates nothing that the input's length does not bound, so a length that lies costs nothing.
 *
 * The decoder is our own because the one of cbor-x interprets some tags and drops byte order marks from long texts.
 * @throws StatementError cbor/malformed, cbor/not-deterministic or cbor/not-in-profile, with the offset
 */
export function scanCbor(bytes: Uint8Array, profile: CborProfile = {}): Scanned {
  const scanner = new Scanner(bytes, profile);
  const value = scanner.whole();
  if (scanner.at !== bytes.length) throw malformed('there are bytes behind the item', scanner.at);
  return { value, large: scanner.large };
}

/** What was read. */
interface Scanned {
  readonly value: CborValue;
  /** Whether an integer beyond 32 bits is in it. */
  readonly large: boolean;
}

const refusal =
  (code: 'cbor/malformed' | 'cbor/not-deterministic' | 'cbor/not-in-profile') =>
  (message: string, at: number): StatementError =>
    new StatementError(code, message, at);
const malformed = refusal('cbor/malformed');
const notDeterministic = refusal('cbor/not-deterministic');
const excluded = refusal('cbor/not-in-profile');

class Scanner {
  at = 0;
  large = false;
  readonly #bytes: Uint8Array;
  readonly #sorted: boolean;
  readonly #tags: readonly number[];
  readonly #most: number;
  readonly #views: boolean;
  #items = 0;

  constructor(bytes: Uint8Array, profile: CborProfile) {
    this.#bytes = bytes;
    this.#sorted = (profile.order ?? 'deterministic') === 'deterministic';
    this.#tags = profile.tags ?? [18];
    this.#most = profile.items ?? Number.POSITIVE_INFINITY;
    this.#views = profile.views ?? false;
  }

  /** The item with the one tag that it may have. */
  whole(): CborValue {
    if ((this.#bytes[0] ?? 0) >> 5 !== 6) return this.#item(0);
    const tag = this.#argument(this.#byte() & 31, 0);
    if (!this.#tags.includes(tag)) throw excluded(`tag ${tag} has no place here`, 0);
    return new CborTag(tag, this.#item(1));
  }

  /** @param depth the containers and tags around this item */
  #item(depth: number): CborValue {
    const start = this.at;
    if (++this.#items > this.#most) throw excluded(`there are more than ${this.#most} items`, start);
    const initial = this.#byte();
    const major = initial >> 5;
    if (major === 7) return this.#simple(initial, start);
    const argument = this.#argument(initial & 31, start);
    switch (major) {
      case 0:
        return argument;
      case 1:
        if (argument === Number.MAX_SAFE_INTEGER) {
          throw excluded('an integer is beyond 2^53 - 1', start);
        }
        return -1 - argument;
      case 2:
        // Not slice(): a Buffer would give a view instead of a copy.
        return this.#views ? this.#take(argument, start) : new Uint8Array(this.#take(argument, start));
      case 3:
        return this.#text(argument, start);
      case 4:
        return this.#array(argument, depth, start);
      case 5:
        return this.#map(argument, depth, start);
      default:
        throw excluded('a tag stands only around a whole item', start);
    }
  }

  #array(count: number, depth: number, start: number): CborValue {
    this.#enter(count, depth, start);
    const items: CborValue[] = [];
    for (let i = 0; i < count; i++) items.push(this.#item(depth + 1));
    return items;
  }

  #map(pairs: number, depth: number, start: number): CborValue {
    this.#enter(pairs * 2, depth, start);
    const map = new Map<number | string, CborValue>();
    // The bytes of the key before.
    let [from, to] = [0, 0];
    for (let i = 0; i < pairs; i++) {
      const at = this.at;
      const key = this.#item(depth + 1);
      if (typeof key !== 'number' && typeof key !== 'string') {
        throw excluded('a map key is neither an integer nor text', at);
      }
      if (map.has(key)) throw malformed('a map has the same key twice', at);
      if (this.#sorted && i > 0 && this.#isBefore(at, this.at, from, to)) {
        throw notDeterministic('the keys of a map are not sorted', at);
      }
      [from, to] = [at, this.at];
      map.set(key, this.#item(depth + 1));
    }
    return map;
  }

  /** Whether one stretch of the input comes before another, bytewise. */
  #isBefore(start: number, end: number, otherStart: number, otherEnd: number): boolean {
    const bytes = this.#bytes;
    for (let i = start, j = otherStart; i < end && j < otherEnd; i++, j++)
      if (bytes[i] !== bytes[j]) return bytes[i] < bytes[j];
    return end - start < otherEnd - otherStart;
  }

  #simple(initial: number, start: number): CborValue {
    const value = initial & 31;
    if (value === 20 || value === 21) return value === 21;
    if (value === 22) return null;
    if (value === 31) throw malformed('a break stands outside an indefinite item', start);
    if (value >= 28) throw malformed('the head of an item is reserved', start);
    if (value >= 25) {
      throw excluded('floats are not allowed; write a decimal as text', start);
    }
    throw excluded('of the simple values only false, true and null are allowed', start);
  }

  #argument(info: number, start: number): number {
    if (info < 24) return info;
    if (info === 31) throw notDeterministic('indefinite lengths are not allowed', start);
    if (info > 27) throw malformed('the head of an item is reserved', start);
    if (info === 24) return this.#notBelow(24, this.#byte(), start);
    if (info === 25) return this.#notBelow(0x100, this.#two(), start);
    if (info === 26) return this.#notBelow(0x1_0000, this.#four(), start);
    const upper = this.#four();
    const lower = this.#four();
    if (upper > 0x1f_ffff) throw excluded('an integer is beyond 2^53 - 1', start);
    this.large = true;
    return this.#notBelow(0x1_0000_0000, upper * 0x1_0000_0000 + lower, start);
  }

  /** A smaller number would have had room in a shorter head. */
  #notBelow(smallest: number, value: number, start: number): number {
    if (value < smallest) throw notDeterministic('a number is written longer than needed', start);
    return value;
  }

  #four(): number {
    return this.#two() * 0x1_0000 + this.#two();
  }

  #two(): number {
    return this.#byte() * 0x100 + this.#byte();
  }

  #byte(): number {
    if (this.at >= this.#bytes.length) throw malformed('the item is cut short', this.at);
    return this.#bytes[this.at++];
  }

  #take(count: number, start: number): Uint8Array {
    if (count > this.#bytes.length - this.at) {
      throw malformed('a length goes beyond the end', start);
    }
    this.at += count;
    return this.#bytes.subarray(this.at - count, this.at);
  }

  /** Before a container: its depth, and that each of `count` items has a byte at least. */
  #enter(count: number, depth: number, start: number): void {
    if (depth >= MAX_DEPTH) {
      throw excluded(`items are nested more than ${MAX_DEPTH} deep`, start);
    }
    if (count > this.#bytes.length - this.at) {
      throw malformed('a count goes beyond the end', start);
    }
  }

  #text(length: number, start: number): string {
    const bytes = this.#take(length, start);
    try {
      return UTF8.decode(bytes);
    } catch {
      throw malformed('a text is not valid UTF-8', this.at - length);
    }
  }
}

/** Bytewise lexicographic order: negative, zero or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const common = Math.min(a.length, b.length);
  for (let i = 0; i < common; i++) if (a[i] !== b[i]) return a[i] - b[i];
  return a.length - b.length;
}
