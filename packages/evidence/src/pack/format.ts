import { HASH_SIZE } from '@treering/merkle';
import {
  type CborInput,
  type CborValue,
  decodeCbor,
  encodeCbor,
  MAX_STATEMENT_SIZE,
  StatementError,
} from '@treering/statement';
import * as z from 'zod';
import { EvidenceError } from '../errors.js';
import { questionSchema } from './question.js';

/*
 * An evidence pack (.trpack): a CBOR sequence (RFC 8742) that says what it is (RFC 9277 section 2.3), read from front to back.
 *
 *   magic              55800(1414680651('BOR')), 12 bytes
 *   bstr .cbor item    as many as there are, in this order:
 *
 *     [0, header]                     the question, the log's name, what was left out
 *     [1, entry]                      the entry at the current position, which moves on by 1
 *     [2, count, hashes]              entries that are not in the file: the hashes of the complete subtrees that they consist of
 *     [3, note]                       a signed head of exactly the entries so far; the last one stands for the whole tree
 *     [4]                             a position whose root an entry further on names as its anchor
 *     [5, digest, blob]               an attachment of an entry above: salt and content
 *     [6, digest, why]                one that is not in the file
 *     [7, index, position, leaf, hashes]   one decision of a batch above, and its inclusion proof
 *     [8]                             the end
 *
 * Entries, gaps and heads rebuild the tree from left to right: at the last head, the root computed from all of them must be the
 * one that was signed, which proves every entry and its place, and that every head before is of the same history. There is one way
 * to write a pack: gaps are as long as they can be, attachments and decisions are sorted.
 */

/** RFC 9277 section 2.3, with the tag number that reads 'TRPK'. */
export const PACK_MAGIC = Uint8Array.of(0xd9, 0xd9, 0xf8, 0xda, 0x54, 0x52, 0x50, 0x4b, 0x43, 0x42, 0x4f, 0x52);

/** The largest attachment that a pack holds, in bytes with its salt. */
export const LARGEST_ATTACHMENT = 32 * 1024 * 1024;

/** The largest item, in bytes. */
const LARGEST_ITEM = LARGEST_ATTACHMENT + 128;

/** Bytes of a header and of a head. */
const LARGEST_HEADER = 1024 * 1024;
const LARGEST_NOTE = 256 * 1024;
/** Hashes of one gap: two slopes of 53 levels. */
const MOST_SUBTREES = 106;

/** Why an attachment is not in the file. */
const ABSENCES = ['not-asked', 'withheld', 'restricted', 'erased', 'unavailable', 'too-large'] as const;

/** Why an attachment is not in the file. */
export type Absence = (typeof ABSENCES)[number];

const count = z.int().min(0);

const headerSchema = z.strictObject({
  v: z.literal(1),
  /** Origin of the log. */
  origin: z.string().min(1).max(255),
  question: questionSchema,
  /** Records on the subjects before and after the period, and later ones about what is in the file: in the log and not here. */
  left_out: z.strictObject({ earlier: count, later: count, about: count }),
  /** A trust policy that whoever made the file suggests. It is never used. */
  suggested_policy: z
    .string()
    .max(512 * 1024)
    .optional(),
});

/** What stands at the beginning. Nothing of it is proved. */
export type PackHeader = z.infer<typeof headerSchema>;

/** One item of a pack, in the order in which they stand. */
export type PackItem =
  | { readonly kind: 'header'; readonly header: PackHeader }
  | { readonly kind: 'entry'; readonly entry: Uint8Array }
  | { readonly kind: 'gap'; readonly count: number; readonly hashes: Uint8Array }
  | { readonly kind: 'head'; readonly note: Uint8Array }
  | { readonly kind: 'mark' }
  | { readonly kind: 'attachment'; readonly digest: Uint8Array; readonly blob: Uint8Array }
  | { readonly kind: 'absent'; readonly digest: Uint8Array; readonly why: Absence }
  | DecisionItem
  | { readonly kind: 'end' };

/** One decision of a batch: the entry that holds the batch, and the decision's leaf and place in the batch's own tree. */
export interface DecisionItem {
  readonly kind: 'decision';
  readonly index: number;
  readonly position: number;
  readonly leaf: Uint8Array;
  /** 32 bytes each. */
  readonly hashes: readonly Uint8Array[];
}

const KINDS = ['header', 'entry', 'gap', 'head', 'mark', 'attachment', 'absent', 'decision', 'end'] as const;

/** An item as it stands in the file: a byte string around deterministic CBOR. */
export function encodeItem(item: PackItem): Uint8Array {
  return encodeCbor(encodeCbor([KINDS.indexOf(item.kind), ...membersOf(item)]));
}

function membersOf(item: PackItem): CborInput[] {
  switch (item.kind) {
    case 'header':
      return [item.header as unknown as CborInput];
    case 'entry':
      return [item.entry];
    case 'gap':
      return [item.count, item.hashes];
    case 'head':
      return [item.note];
    case 'attachment':
      return [item.digest, item.blob];
    case 'absent':
      return [item.digest, item.why];
    case 'decision':
      return [item.index, item.position, item.leaf, [...item.hashes]];
    default:
      return [];
  }
}

/**
 * Reads what is in the byte string of an item.
 * @throws EvidenceError
 */
export function decodeItem(bytes: Uint8Array): PackItem {
  try {
    const value = decodeCbor(bytes, { tags: [], items: 20_000 });
    if (Array.isArray(value)) return itemOf(value as readonly CborValue[]);
  } catch (error) {
    if (!(error instanceof StatementError)) throw error;
    throw malformed(error.message);
  }
  throw malformed('an item is no array');
}

function itemOf(value: readonly CborValue[]): PackItem {
  const [number, ...members] = value;
  const kind = typeof number === 'number' ? KINDS[number] : undefined;
  const expect = (n: number): void => {
    if (members.length !== n) throw malformed(`an item of the kind ${kind} has ${n} members, and not ${members.length}`);
  };
  switch (kind) {
    case 'header':
      expect(1);
      return { kind, header: headerOf(members[0]) };
    case 'entry':
      expect(1);
      return { kind, entry: bytesOf(members[0], 'an entry', 0, MAX_STATEMENT_SIZE) };
    case 'gap': {
      expect(2);
      const hashes = bytesOf(members[1], 'the hashes of a gap', HASH_SIZE, MOST_SUBTREES * HASH_SIZE);
      return { kind, count: numberOf(members[0], 'the length of a gap', 1), hashes };
    }
    case 'head':
      expect(1);
      return { kind, note: bytesOf(members[0], 'a head', 1, LARGEST_NOTE) };
    case 'attachment':
      expect(2);
      return { kind, digest: hashOf(members[0]), blob: bytesOf(members[1], 'an attachment', 0, LARGEST_ATTACHMENT) };
    case 'absent': {
      expect(2);
      const why = ABSENCES.find((known) => known === members[1]);
      if (why === undefined) throw malformed('it is not said why an attachment is not there');
      return { kind, digest: hashOf(members[0]), why };
    }
    case 'decision': {
      expect(4);
      const [index, position, leaf, hashes] = members;
      if (!Array.isArray(hashes) || hashes.length > 64) throw malformed('the proof of a decision is no list of hashes');
      return {
        kind,
        index: numberOf(index, 'the entry of a decision', 0),
        position: numberOf(position, 'the place of a decision', 0),
        leaf: bytesOf(leaf, 'a decision', 1, 8192),
        hashes: (hashes as readonly CborValue[]).map(hashOf),
      };
    }
    case 'mark':
    case 'end':
      expect(0);
      return { kind };
    default:
      throw malformed('there is an item of a kind that is not known here');
  }
}

function headerOf(value: CborValue): PackHeader {
  const read = headerSchema.safeParse(plain(value));
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  throw malformed(`the header, ${issue.path.map(String).join('.') || 'as a whole'}: ${issue.message}`);
}

function bytesOf(value: CborValue, what: string, least: number, most: number): Uint8Array {
  if (!(value instanceof Uint8Array) || value.length < least || value.length > most)
    throw malformed(`${what} must be ${least === most ? most : `${least} to ${most}`} bytes`);
  return value;
}

function hashOf(value: CborValue): Uint8Array {
  return bytesOf(value, 'a hash', HASH_SIZE, HASH_SIZE);
}

function numberOf(value: CborValue, what: string, least: number): number {
  if (typeof value !== 'number' || value < least) throw malformed(`${what} is a number from ${least} on`);
  return value;
}

/** The largest item of its kind that stands first, and of any other. */
export function largestItem(first: boolean): number {
  return first ? LARGEST_HEADER : LARGEST_ITEM;
}

function plain(value: CborValue): unknown {
  if (Array.isArray(value)) return value.map((item) => plain(item as CborValue));
  if (!(value instanceof Map)) return value;
  const members = [...value].map(([key, item]): [string, unknown] => {
    // Schemas would pass over it in silence.
    if (typeof key !== 'string' || key === '__proto__') throw malformed('the header has a member that is not known here');
    return [key, plain(item as CborValue)];
  });
  return Object.fromEntries(members);
}

/** A pack that is none. */
export function malformed(why: string): EvidenceError {
  return new EvidenceError('evidence/malformed', `this is no evidence pack: ${why}`);
}
