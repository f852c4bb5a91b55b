/** Stable codes of ClientError. */
export type ClientErrorCode =
  | 'client/unreachable'
  | 'client/refused'
  | 'client/bad-answer'
  | 'client/not-verified'
  | 'client/inconsistent';

/** A log that could not be reached, refused, or said something that does not hold. */
export class ClientError extends Error {
  override readonly name = 'ClientError';
  readonly code: ClientErrorCode;
  /** For client/refused: the HTTP status and the log's own code. */
  readonly status: number | undefined;
  readonly problem: string | undefined;

  constructor(code: ClientErrorCode, message: string, options: { cause?: unknown; status?: number; problem?: string } = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    this.status = options.status;
    this.problem = options.problem;
  }
}
