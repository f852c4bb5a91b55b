import { portableHasher } from '@treering/merkle';
import { type ChangeRecord, decodeRecord } from '@treering/record';
import { RECORD_CONTENT_TYPE, type SignedStatement } from '@treering/statement';

/** Somebody outside the log whose signature was found to hold under a trust anchor of the policy. */
export interface IssuerFinding {
  /** `issuer` of the policy's entry. */
  readonly issuer: string;
  /** SHA-256 of the trust anchor as it stands in the policy (COSE_Key, root certificate, trusted root), 64 hex digits. */
  readonly anchor: string;
  /** What the signature vouches for, by name: `identity`, `predicate_type`, `subject_digest` and others. */
  readonly claims: Readonly<Record<string, string>>;
}

/** Whose signatures hold on a statement. */
export interface Verified {
  /** The signer's key is enrolled in the log. */
  readonly enrolled: boolean;
  /** Who else signed: the statement itself, or the bundle that it carries. */
  readonly issuer: IssuerFinding | undefined;
}

/** A statement that asks to be admitted, or one of the log that is replayed. */
export interface Candidate {
  readonly statement: SignedStatement;
  /** The record in the payload; undefined for a payload of another content type. */
  readonly record: ChangeRecord | undefined;
  /** RFC 6962 leaf hash of the entry, 32 bytes. */
  readonly leaf: Uint8Array;
  /** Set by `authenticate`; a foreign statement is never admitted without. */
  readonly verified?: Verified;
}

/**
 * Decodes the record of a statement once, for everything that follows.
 * @throws RecordError or StatementError when the payload claims to be a record and is none
 */
export function createCandidate(
  statement: SignedStatement,
  leaf: Uint8Array = portableHasher.hashLeaf(statement.entry),
): Candidate {
  const record = statement.contentType === RECORD_CONTENT_TYPE ? decodeRecord(statement.payload) : undefined;
  return { statement, record, leaf };
}
