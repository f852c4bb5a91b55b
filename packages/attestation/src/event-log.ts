import { sha256 } from '@noble/hashes/sha2.js';
import { type CborInput, type CborValue, decodeCbor, encodeCbor, StatementError } from '@treering/statement';
import { AttestationError } from './errors.js';
import { malformed } from './tpm-reader.js';

/** What a loader measures before it loads it. */
export const EVENT_KINDS = ['model', 'config', 'image', 'file'] as const;

/** One measurement of a loader. The register vouches for digests and their order; kind and name are the host's word. */
export interface MeasuredEvent {
  /** The register that was extended. */
  readonly pcr: number;
  /** What it was extended with, 32 bytes. */
  readonly digest: Uint8Array;
  readonly kind: (typeof EVENT_KINDS)[number];
  /** One line of at most 200 characters. */
  readonly name: string;
}

/** The most events of a log. */
export const MOST_EVENTS = 65_536;

/** Registers of a PC's TPM. */
export const PCRS = 24;

/** The last register that nothing but a reset of the whole TPM sets back (TCG PC Client Platform TPM Profile). */
export const LAST_STATIC_PCR = 15;

const LONGEST_NAME = 200;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must be refused
const UNREADABLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]|\p{Cs}/u;

/**
 * The value of a register after events, beginning with 32 zero bytes: SHA-256(old ‖ digest) for each, as TPM2_PCR_Extend does.
 * @returns 32 bytes
 */
export function replayEvents(events: readonly Pick<MeasuredEvent, 'digest'>[]): Uint8Array {
  return events.reduce((old, { digest }) => sha256.create().update(old).update(digest).digest(), new Uint8Array(32));
}

/**
 * One event in deterministic CBOR.
 * @throws AttestationError (attestation/malformed) when it is not what `decodeEvent` takes
 */
export function encodeEvent(event: MeasuredEvent): Uint8Array {
  return encodeCbor(eventToCbor(event));
}

/** @throws AttestationError (attestation/malformed) */
export function decodeEvent(bytes: Uint8Array): MeasuredEvent {
  return eventFromCbor(readCbor(bytes, 16));
}

/** The form of an event within other items. @throws AttestationError */
export function eventToCbor({ pcr, digest, kind, name }: MeasuredEvent): CborInput {
  const value = { pcr, digest, kind, name };
  eventFromCbor(new Map(Object.entries(value)));
  return value;
}

/** @throws AttestationError (attestation/malformed) unless it has exactly the members of an event */
export function eventFromCbor(value: CborValue): MeasuredEvent {
  const { pcr, digest, kind, name } = members(value, ['pcr', 'digest', 'kind', 'name'], 'an event');
  if (typeof pcr !== 'number' || !Number.isInteger(pcr) || pcr < 0 || pcr >= PCRS)
    throw malformed(`a register is a number from 0 to ${PCRS - 1}`);
  const known = EVENT_KINDS.find((one) => one === kind);
  if (known === undefined) throw malformed(`the kind of an event is one of ${EVENT_KINDS.join(', ')}`);
  if (typeof name !== 'string' || name === '' || Array.from(name).length > LONGEST_NAME || UNREADABLE.test(name))
    throw malformed(`the name of an event is one line of 1 to ${LONGEST_NAME} characters`);
  return { pcr, digest: bytesOf(digest, 32, 'the digest of an event'), kind: known, name };
}

/** The members of a map that has exactly these. @throws AttestationError */
export function members<K extends string>(value: CborValue, names: readonly K[], what: string): Record<K, CborValue> {
  if (!(value instanceof Map)) throw malformed(`${what} is no map`);
  const unknown = [...value.keys()].find((key) => !(names as readonly unknown[]).includes(key));
  if (unknown !== undefined) throw malformed(`${what} has no member ${JSON.stringify(unknown)}`);
  const missing = names.find((name) => !value.has(name));
  if (missing !== undefined) throw malformed(`${what} lacks its member ${missing}`);
  return Object.fromEntries(value) as Record<K, CborValue>;
}

/** Bytes of one length. @throws AttestationError */
export function bytesOf(value: CborValue, length: number, what: string): Uint8Array {
  if (!(value instanceof Uint8Array) || value.length !== length) throw malformed(`${what} has ${length} bytes`);
  return value;
}

/** @param items the most that are read @throws AttestationError for what is no deterministic CBOR */
export function readCbor(bytes: Uint8Array, items: number): CborValue {
  try {
    return decodeCbor(bytes, { tags: [], items });
  } catch (error) {
    if (!(error instanceof StatementError)) throw error;
    throw new AttestationError('attestation/malformed', `this is not deterministic CBOR: ${error.message}`, { cause: error });
  }
}
