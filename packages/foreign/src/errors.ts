/** Stable codes of ForeignError. */
export type ForeignErrorCode = 'foreign/malformed' | 'foreign/unsupported' | 'foreign/not-verified';

/** A bundle, envelope or certificate that cannot be read, or whose signatures do not hold. */
export class ForeignError extends Error {
  override readonly name = 'ForeignError';
  readonly code: ForeignErrorCode;

  constructor(code: ForeignErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
