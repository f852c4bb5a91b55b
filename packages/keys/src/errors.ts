/** Stable codes of KeyError. */
export type KeyErrorCode = 'key/malformed' | 'key/passphrase' | 'key/missing' | 'key/unsupported' | 'key/token';

/** A private key that cannot be used. No message repeats anything secret. */
export class KeyError extends Error {
  override readonly name = 'KeyError';
  readonly code: KeyErrorCode;

  constructor(code: KeyErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
