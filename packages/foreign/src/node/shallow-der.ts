import { ForeignError } from '../errors.js';

/** How deeply values may lie in one another: a certificate has ten levels, and what is tried within its octet strings some sixty. */
const DEPTH = 500;
/**
 * Values that may be looked at in all that one statement brings, again and again where one is tried for values within: a certificate has
 * 400. The parser takes up to a twentieth of a millisecond for each.
 */
const VALUES = 4000;
const CONSTRUCTED = 0x20;
const OCTET_STRING = 0x04;

/**
 * Refuses DER (X.690) that would keep the parser of certificates and timestamps busy. It looks for values within every octet string, beyond
 * its end as well, and gives up at each level by itself: what is nested deeply takes it minutes, or for ever. This goes the same
 * ways and counts them.
 * @param parts all that is to be parsed
 * @throws ForeignError (foreign/malformed)
 */
export function requireShallowDer(parts: Iterable<Uint8Array>): void {
  const count = { values: 0 };
  for (const bytes of parts) countValues(bytes, count);
}

function countValues(bytes: Uint8Array, count: { values: number }): void {
  const element = (start: number, depth: number): number => {
    if (++count.values > VALUES || depth > DEPTH)
      throw new ForeignError('foreign/malformed', 'a certificate or timestamp has too much in it, or too deeply');
    const [content, length] = lengthAt(bytes, start + 1);
    const end = content + length;
    if (end > bytes.length) throw new Malformed();
    const tag = bytes[start];
    if ((tag & CONSTRUCTED) !== 0) within(content, end, depth);
    else if (tag === OCTET_STRING) {
      try {
        within(content, end, depth);
      } catch (error) {
        if (!(error instanceof Malformed)) throw error;
      }
    }
    return end;
  };
  const within = (content: number, end: number, depth: number): void => {
    let at = content;
    while (at < end) at = element(at, depth + 1);
    if (at !== end) throw new Malformed();
  };
  try {
    element(0, 0);
  } catch (error) {
    // What is malformed is for the parser to say, which does so at the same place.
    if (!(error instanceof Malformed)) throw error;
  }
}

class Malformed extends Error {}

/** Where the content begins, and its length. */
function lengthAt(bytes: Uint8Array, at: number): [content: number, length: number] {
  if (at >= bytes.length) throw new Malformed();
  const first = bytes[at];
  if (first < 0x80) return [at + 1, first];
  const count = first & 0x7f;
  if (count > 6 || at + count >= bytes.length) throw new Malformed();
  let length = 0;
  for (let i = 1; i <= count; i++) length = length * 256 + bytes[at + i];
  if (length === 0) throw new Malformed();
  return [at + 1 + count, length];
}

/** Members of a Sigstore bundle that hold DER in base64. */
const DER_MEMBERS: readonly string[] = ['rawBytes', 'signedTimestamp'];

/** The same for all that a Sigstore bundle holds in this form. @throws ForeignError (foreign/malformed) */
export function requireShallowBundle(json: unknown): void {
  requireShallowDer(derWithin(json));
}

function* derWithin(json: unknown): Generator<Uint8Array> {
  // Without recursion: how deeply it may go must not depend on the stack.
  const open = [json];
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    if (typeof value !== 'object' || value === null) continue;
    for (const [name, member] of Object.entries(value)) {
      if (typeof member === 'string' && DER_MEMBERS.includes(name)) yield Buffer.from(member, 'base64');
      else if (typeof member === 'object' && member !== null) open.push(member);
    }
  }
}
