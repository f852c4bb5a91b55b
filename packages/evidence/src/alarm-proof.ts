import {
  type CborInput,
  CborTag,
  type CborValue,
  coseKeyThumbprint,
  decodeCbor,
  encodeCbor,
  HEADER,
  parseSign1,
  type Sign1,
  StatementError,
  type StatementSigner,
  sigStructure,
} from '@treering/statement';
import * as z from 'zod';
import { EvidenceError } from './errors.js';

/** The content type of a proof of something that a log did or that an entry of it says. */
const ALARM_PROOF_TYPE = 'application/vnd.treering.proof+cbor';

/** The largest proof file that is read, in bytes, and the most items in it. */
const LARGEST = 16 * 1024 * 1024;
const MOST_ITEMS = 200_000;

const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array, 'must be bytes');
const hash = bytes.refine((value) => value.length === 32, 'must have 32 bytes');
const hashes = z.array(hash).max(64);
const index = z.int().min(0);
const head = bytes;
const seconds = z.int().min(0);
const sentence = z.string().max(4096);
const log = z.strictObject({ origin: z.string().min(1).max(255), vkeys: z.array(z.string().max(4096)).max(32) });
const about = { v: z.literal(1), log };
const place = { head, index, inclusion: hashes };

/** Alarms about what an admitted record says. */
export const RECORD_ALARMS = ['undeployed', 'mismatch', 'drift', 'break-glass', 'incident-due'] as const;

const schema = z.discriminatedUnion('kind', [
  /** Two heads that cannot both be true. For different sizes: the root that the larger tree has at the smaller size. */
  z.strictObject({
    ...about,
    kind: z.literal('fork'),
    heads: z.tuple([head, head]),
    contained: z.strictObject({ root: hash, proof: hashes }).optional(),
  }),
  /** A smaller head, given out after a larger one. */
  z.strictObject({ ...about, kind: z.literal('rollback'), larger: head, smaller: head, seen: z.tuple([seconds, seconds]) }),
  /**
   * A head that is older than `limit` seconds, or that hides a newer one, or whose entries from `withheld` on were not given out
   * since then. Without a head: the log could not be read at all.
   */
  z.strictObject({
    ...about,
    kind: z.literal('stale'),
    head: head.optional(),
    newer: head.optional(),
    withheld: index.optional(),
    since: seconds,
    limit: seconds,
  }),
  /** A head that was given out without the quorum of a trust policy. */
  z.strictObject({ ...about, kind: z.literal('unwitnessed'), head, policy: z.string().max(1 << 20) }),
  /** Something that is no statement, or that is not what the tree contains. */
  z.strictObject({ ...about, kind: z.literal('bad-entry'), ...place, leaf: hash, served: bytes.optional() }),
  /** An entry that the rules in force for it do not admit, and the entries that make these rules. */
  z.strictObject({
    ...about,
    kind: z.literal('unauthorised'),
    ...place,
    entry: bytes,
    code: sentence,
    rule: sentence,
    reason: sentence,
    /** For a date that does not fit: a head of the log that did not contain the entry yet. */
    earlier: head.optional(),
    before: z.union([
      /** All entries before it, and the consistency proof of their tree with the head. */
      z.strictObject({ all: z.array(bytes), proof: hashes }),
      /** Those that make rules, each proved. */
      z.strictObject({ some: z.array(z.strictObject({ index, entry: bytes, inclusion: hashes })) }),
    ]),
  }),
  z.strictObject({ ...about, kind: z.enum(RECORD_ALARMS), ...place, entry: bytes, reason: sentence }),
]);

/** What a proof file of an alarm holds. Nothing in it is believed: heads and entries prove themselves under the reader's keys. */
export type AlarmProof = z.infer<typeof schema>;

/** An alarm's stable kind. */
export type AlarmKind = AlarmProof['kind'];

/** A proof file: what it holds, and which observer signed it when. */
export interface SignedAlarmProof {
  readonly proof: AlarmProof;
  /** The name of the monitor. */
  readonly observer: string;
  /** RFC 9679 thumbprint of its key, 32 bytes. */
  readonly kid: Uint8Array;
  /** When the monitor saw it, in seconds since the epoch. */
  readonly observedAt: number;
  readonly sign1: Sign1;
}

const CLAIM = { iss: 1, sub: 2, iat: 6 } as const;

/** Signs what a monitor saw, as one file (`.trproof`): a tagged COSE_Sign1 around deterministic CBOR. */
export async function signAlarmProof(
  proof: AlarmProof,
  { observer, observedAt }: { readonly observer: string; readonly observedAt: number },
  signer: StatementSigner,
): Promise<Uint8Array> {
  const claims = new Map<number, CborInput>([
    [CLAIM.iss, observer],
    [CLAIM.sub, proof.log.origin],
    [CLAIM.iat, observedAt],
  ]);
  const protectedBytes = encodeCbor(
    new Map<number, CborInput>([
      [HEADER.algorithm, signer.algorithm],
      [HEADER.contentType, ALARM_PROOF_TYPE],
      [HEADER.keyId, coseKeyThumbprint(signer.key)],
      [HEADER.cwtClaims, claims],
    ]),
  );
  const payload = encodeAlarmProof(proof);
  const signature = await signer.sign(sigStructure(protectedBytes, payload));
  return encodeCbor(new CborTag(18, [protectedBytes, new Map(), payload, signature]));
}

/** What a proof holds, as deterministic CBOR. */
export function encodeAlarmProof(proof: AlarmProof): Uint8Array {
  return encodeCbor(proof as unknown as CborInput);
}

/**
 * Reads what a proof holds.
 * @throws EvidenceError or StatementError
 */
export function decodeAlarmProof(payload: Uint8Array): AlarmProof {
  const read = schema.safeParse(plain(decodeCbor(payload, { tags: [], items: MOST_ITEMS })));
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  throw malformed(`${issue.path.join('.') || 'the payload'}: ${issue.message}`);
}

/** Whether a file claims to be the proof of an alarm. */
export function isAlarmProof(file: Uint8Array): boolean {
  try {
    return (
      parseSign1(file.length > LARGEST ? file.subarray(0, 0) : file, 'any').protectedHeader.get(HEADER.contentType) ===
      ALARM_PROOF_TYPE
    );
  } catch (error) {
    if (error instanceof StatementError) return false;
    throw error;
  }
}

/**
 * Reads a proof file, without verifying anything.
 * @throws EvidenceError
 */
export function parseAlarmProof(file: Uint8Array): SignedAlarmProof {
  if (file.length > LARGEST) throw new EvidenceError('evidence/too-large', `a proof file has at most ${LARGEST} bytes`);
  try {
    const sign1 = parseSign1(file);
    const header = sign1.protectedHeader;
    const claims = header.get(HEADER.cwtClaims);
    const kid = header.get(HEADER.keyId);
    if (header.get(HEADER.contentType) !== ALARM_PROOF_TYPE || !(claims instanceof Map) || !(kid instanceof Uint8Array))
      throw malformed('the protected header is not that of a proof');
    const [observer, origin, observedAt] = [CLAIM.iss, CLAIM.sub, CLAIM.iat].map((claim) => claims.get(claim));
    if (typeof observer !== 'string' || typeof observedAt !== 'number' || observedAt < 0 || sign1.payload === null)
      throw malformed('the proof does not say who saw it when');
    const proof = decodeAlarmProof(sign1.payload);
    if (origin !== proof.log.origin) throw malformed('the header and the payload are about two logs');
    return { proof, observer, kid, observedAt, sign1 };
  } catch (error) {
    if (!(error instanceof StatementError)) throw error;
    throw malformed(error.message);
  }
}

function plain(value: CborValue): unknown {
  if (Array.isArray(value)) return value.map((item) => plain(item as CborValue));
  if (!(value instanceof Map)) return value;
  return Object.fromEntries([...value].map(([key, item]) => [key, plain(item as CborValue)]));
}

function malformed(why: string): EvidenceError {
  return new EvidenceError('evidence/malformed', `this is no proof of an alarm: ${why}`);
}
