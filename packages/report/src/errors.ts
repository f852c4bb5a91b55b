/** Stable codes of ReportError. */
export type ReportErrorCode = 'report/too-large' | 'report/no-template' | 'report/not-built';

/** A report that cannot be made. */
export class ReportError extends Error {
  override readonly name = 'ReportError';
  readonly code: ReportErrorCode;

  constructor(code: ReportErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
