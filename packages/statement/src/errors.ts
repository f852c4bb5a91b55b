/** Stable codes of StatementError. */
export type StatementErrorCode =
  | 'cbor/malformed'
  | 'cbor/not-deterministic'
  | 'cbor/not-in-profile'
  | 'cose/malformed'
  | 'cose/unsupported'
  | 'cose/unknown-algorithm'
  | 'cose/bad-key'
  | 'cose/bad-signature'
  | 'statement/malformed'
  | 'statement/no-payload'
  | 'statement/too-large'
  | 'receipt/malformed'
  | 'receipt/proof-failed'
  | 'dsse/malformed'
  | 'dsse/bad-signature';

/** Anything wrong with CBOR, COSE, a receipt or an envelope. Switch on `code`; the message is a sentence for people. */
export class StatementError extends Error {
  override readonly name = 'StatementError';
  readonly code: StatementErrorCode;
  /** For CBOR, the byte at which it went wrong. */
  readonly offset: number | undefined;

  constructor(code: StatementErrorCode, message: string, offset?: number) {
    super(offset === undefined ? message : `${message} (at byte ${offset})`);
    this.code = code;
    this.offset = offset;
  }
}
