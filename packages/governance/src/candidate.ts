import { portableHasher } from '@treering/merkle';
import { type ChangeRecord, decodeRecord } from '@treering/record';
import { RECORD_CONTENT_TYPE, type SignedStatement } from '@treering/statement';

/** A statement that asks to be admitted, or one of the log that is replayed. */
export interface Candidate {
  readonly statement: SignedStatement;
  /** The record in the payload; undefined for a payload of another content type. */
  readonly record: ChangeRecord | undefined;
  /** RFC 6962 leaf hash of the entry, 32 bytes. */
  readonly leaf: Uint8Array;
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
