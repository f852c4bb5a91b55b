import { StatementError } from './errors.js';

/** How strictly CBOR is read. */
export interface CborProfile {
  /** 'deterministic' demands sorted map keys (RFC 8949 section 4.2.1); 'any' takes foreign maps in any order. */
  readonly order?: 'deterministic' | 'any';
  /** Tags that may occur. Default: 18, COSE_Sign1. */
  readonly tags?: readonly number[];
}

/** Containers and tags inside one another beyond this depth are refused. */
export const MAX_DEPTH = 16;

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Walks one CBOR item that must fill `bytes`, and refuses what the profile excludes: heads longer than needed, indefinite
 * lengths, floats, undefined and other simple values, integers beyond 2^53 - 1, unknown tags, duplicate or (when
 * deterministic) unsorted keys, text that is not UTF-8, nesting beyond MAX_DEPTH, bytes left over.
 * It allocates nothing that the input's length does not bound, so a length that lies costs nothing.
 * @throws StatementError cbor/malformed, cbor/not-deterministic or cbor/not-in-profile, with the offset
 */
export function scanCbor(bytes: Uint8Array, profile: CborProfile = {}): void {
  const scanner = new Scanner(bytes, profile);
  scanner.item(0);
  if (scanner.at !== bytes.length) throw new StatementError('cbor/malformed', 'there are bytes behind the item', scanner.at);
}

class Scanner {
  at = 0;
  readonly #bytes: Uint8Array;
  readonly #sorted: boolean;
  readonly #tags: readonly number[];

  constructor(bytes: Uint8Array, profile: CborProfile) {
    this.#bytes = bytes;
    this.#sorted = (profile.order ?? 'deterministic') === 'deterministic';
    this.#tags = profile.tags ?? [18];
  }

  item(depth: number): void {
    const start = this.at;
    if (depth > MAX_DEPTH)
      throw new StatementError('cbor/not-in-profile', `items are nested more than ${MAX_DEPTH} deep`, start);
    const initial = this.#byte();
    const major = initial >> 5;
    if (major === 7) {
      this.#simple(initial, start);
      return;
    }
    const argument = this.#argument(initial & 31, start);
    switch (major) {
      case 0:
      case 1:
        if (major === 1 && argument === Number.MAX_SAFE_INTEGER) {
          throw new StatementError('cbor/not-in-profile', 'an integer is beyond 2^53 - 1', start);
        }
        return;
      case 2:
        this.#skip(argument, start);
        return;
      case 3: {
        const from = this.at;
        this.#skip(argument, start);
        this.#text(from);
        return;
      }
      case 4:
        this.#checkCount(argument, start);
        for (let i = 0; i < argument; i++) this.item(depth + 1);
        return;
      case 5:
        this.#checkCount(argument * 2, start);
        this.#map(argument, depth);
        return;
      default:
        if (!this.#tags.includes(argument))
          throw new StatementError('cbor/not-in-profile', `tag ${argument} has no place here`, start);
        this.item(depth + 1);
    }
  }

  #map(pairs: number, depth: number): void {
    let previous: Uint8Array | undefined;
    const seen = this.#sorted ? undefined : new Set<string>();
    for (let i = 0; i < pairs; i++) {
      const start = this.at;
      const major = (this.#bytes[start] ?? 0) >> 5;
      if (major !== 0 && major !== 1 && major !== 3) {
        throw new StatementError('cbor/not-in-profile', 'a map key is neither an integer nor text', start);
      }
      this.item(depth + 1);
      const key = this.#bytes.subarray(start, this.at);
      if (seen !== undefined) {
        const id = String.fromCharCode(...key);
        if (seen.has(id)) throw new StatementError('cbor/malformed', 'a map has the same key twice', start);
        seen.add(id);
      } else if (previous !== undefined) {
        const order = compareBytes(previous, key);
        if (order === 0) throw new StatementError('cbor/malformed', 'a map has the same key twice', start);
        if (order > 0) throw new StatementError('cbor/not-deterministic', 'the keys of a map are not sorted', start);
      }
      previous = key;
      this.item(depth + 1);
    }
  }

  #simple(initial: number, start: number): void {
    const value = initial & 31;
    if (value >= 20 && value <= 22) return;
    if (value === 31) throw new StatementError('cbor/malformed', 'a break stands outside an indefinite item', start);
    if (value >= 28) throw new StatementError('cbor/malformed', 'the head of an item is reserved', start);
    if (value >= 25) throw new StatementError('cbor/not-in-profile', 'floats are not allowed; write a decimal as text', start);
    throw new StatementError('cbor/not-in-profile', 'of the simple values only false, true and null are allowed', start);
  }

  #argument(info: number, start: number): number {
    if (info < 24) return info;
    if (info === 31) throw new StatementError('cbor/not-deterministic', 'indefinite lengths are not allowed', start);
    if (info > 27) throw new StatementError('cbor/malformed', 'the head of an item is reserved', start);
    const size = 2 ** (info - 24);
    let value = 0n;
    for (let i = 0; i < size; i++) value = (value << 8n) | BigInt(this.#byte());
    const smallest = size === 1 ? 24n : 1n << BigInt(size * 4);
    if (value < smallest) throw new StatementError('cbor/not-deterministic', 'a number is written longer than needed', start);
    if (value > BigInt(Number.MAX_SAFE_INTEGER))
      throw new StatementError('cbor/not-in-profile', 'an integer is beyond 2^53 - 1', start);
    return Number(value);
  }

  #byte(): number {
    if (this.at >= this.#bytes.length) throw new StatementError('cbor/malformed', 'the item is cut short', this.at);
    return this.#bytes[this.at++];
  }

  #skip(count: number, start: number): void {
    if (count > this.#bytes.length - this.at) throw new StatementError('cbor/malformed', 'a length goes beyond the end', start);
    this.at += count;
  }

  /** Each of `count` items needs a byte at least. */
  #checkCount(count: number, start: number): void {
    if (count > this.#bytes.length - this.at) throw new StatementError('cbor/malformed', 'a count goes beyond the end', start);
  }

  #text(from: number): void {
    try {
      UTF8.decode(this.#bytes.subarray(from, this.at));
    } catch {
      throw new StatementError('cbor/malformed', 'a text is not valid UTF-8', from);
    }
  }
}

/** Bytewise lexicographic order: negative, zero or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const common = Math.min(a.length, b.length);
  for (let i = 0; i < common; i++) if (a[i] !== b[i]) return a[i] - b[i];
  return a.length - b.length;
}
