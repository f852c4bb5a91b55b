/** Stable codes of AttestationError. */
export type AttestationErrorCode = 'attestation/malformed' | 'attestation/unsupported' | 'attestation/too-large';

/** A quote, signature, event log or evidence file that cannot be read. */
export class AttestationError extends Error {
  override readonly name = 'AttestationError';
  readonly code: AttestationErrorCode;

  constructor(code: AttestationErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
