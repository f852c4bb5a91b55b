import { isDeepStrictEqual } from 'node:util';
import { type CborValue, decodeCbor, encodeCbor, StatementError } from '@treering/statement';
import { decode, encode, rfc8949EncodeOptions } from 'cborg';
import fc from 'fast-check';
import { profileValue, STRICT_CBORG } from '../../../packages/statement/test/cbor-values.js';
import { mutateBytes } from '../mutate-bytes.js';
import { mutateCbor } from '../mutate-cbor.js';
import type { Random } from '../random.js';
import { vectorCbor } from '../targets/vector-inputs.js';
import type { Comparison } from './comparison.js';

const DEEPEST = 16;
const known = vectorCbor();

/** The CBOR reader against cborg: what is read here is read there, to the same value (but for byte order marks, which cborg drops from texts); what only cborg reads is not deterministic, or outside the profile. */
export const cborComparison: Comparison = {
  name: 'differential-cbor',
  scenario: 'the CBOR reader and cborg on the same mutated items',
  compare(random) {
    const bytes = inputFrom(random);
    const hex = Buffer.from(bytes).toString('hex');
    const ours = attempt(() => decodeCbor(bytes, { tags: [] }));
    const theirs = attempt(() => decode(bytes, STRICT_CBORG) as unknown);
    if (ours.error !== undefined && !(ours.error instanceof StatementError)) throw ours.error;
    // cborg drops byte order marks from the beginning of texts, which may make two keys of a map the same.
    if (ours.error === undefined && Buffer.from(bytes).includes('\ufeff')) return 'accepted';
    if (ours.error === undefined) {
      if (theirs.error !== undefined) throw new Error(`cborg refuses ${hex}: ${String(theirs.error)}`);
      if (!isDeepStrictEqual(adopt(theirs.value), ours.value)) throw new Error(`cborg reads another value of ${hex}`);
      requireTagAlike(bytes, ours.value as CborValue);
      return 'accepted';
    }
    if (theirs.error === undefined) requireReason(theirs.value, bytes, ours.error as StatementError);
    return 'refused';
  },
};

function inputFrom(random: Random): Uint8Array {
  const [value] = fc.sample(profileValue, { seed: random.below(2 ** 31), numRuns: 1 });
  const seed = known.length > 0 && random.oneIn(4) ? random.pick(known) : encodeCbor(value);
  const kind = random.below(4);
  if (kind === 0) return mutateBytes(seed, random);
  return kind === 1 ? seed : mutateCbor(seed, random);
}

function attempt<T>(read: () => T): { value?: T; error?: unknown } {
  try {
    return { value: read() };
  } catch (error) {
    return { error };
  }
}

/** The one tag that may stand around an item changes nothing of what is in it. */
function requireTagAlike(bytes: Uint8Array, value: CborValue): void {
  const tagged = attempt(() => decodeCbor(Uint8Array.from([0xd2, ...bytes])));
  const deep = depthOf(value) === DEEPEST;
  const same = tagged.error === undefined && isDeepStrictEqual((tagged.value as { value: unknown }).value, value);
  if (!same && !deep) throw new Error(`with a tag it is something else: ${Buffer.from(bytes).toString('hex')}`);
}

/** @throws Error unless there is a reason why only cborg takes it: it would be written otherwise, or is outside the profile */
function requireReason(value: unknown, bytes: Uint8Array, { code, message }: StatementError): void {
  // cborg replaces what is no UTF-8, so that its value is written otherwise.
  const written = attempt(() => encode(value, rfc8949EncodeOptions));
  const isCanonical = written.value !== undefined && Buffer.compare(written.value, bytes) === 0;
  if (isCanonical && isInProfile(value) && depthOf(value) <= DEEPEST)
    throw new Error(`refused without a reason (${code}: ${message}): ${Buffer.from(bytes).toString('hex')}`);
}

function isInProfile(value: unknown): boolean {
  if (value === null || typeof value === 'boolean' || typeof value === 'string' || value instanceof Uint8Array) return true;
  if (typeof value === 'number') return Number.isSafeInteger(value);
  if (Array.isArray(value)) return value.every(isInProfile);
  if (!(value instanceof Map)) return false;
  return [...value].every(([key, item]) => (typeof key === 'string' || Number.isSafeInteger(key)) && isInProfile(item));
}

/** Containers inside one another; a list of lists thousands deep is counted without recursion. */
function depthOf(value: unknown): number {
  let deepest = 0;
  const open: [unknown, number][] = [[value, 0]];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [item, depth] = next;
    const members = Array.isArray(item) ? item : item instanceof Map ? [...item.values(), ...item.keys()] : undefined;
    if (members === undefined) continue;
    deepest = Math.max(deepest, depth + 1);
    for (const member of members) open.push([member, depth + 1]);
  }
  return deepest;
}

/** cborg's value with its bytes as plain Uint8Array, so that values compare. */
function adopt(value: unknown): unknown {
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (Array.isArray(value)) return value.map(adopt);
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [key, adopt(item)]));
  return value;
}
