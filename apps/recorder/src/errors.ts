/** Stable codes of RecorderError. */
export type RecorderErrorCode =
  /** It cannot be recorded as it is: not tried again before the recorder starts anew. */
  | 'recorder/refused'
  /** What was signed is not in the log and will not be: it is prepared again. */
  | 'recorder/stale'
  /** The log cannot be reached or cannot answer: everything waits. */
  | 'recorder/unavailable'
  | 'recorder/config';

/** Why something is not recorded now. Switch on `code`; the message is a sentence for people. */
export class RecorderError extends Error {
  override readonly name = 'RecorderError';
  readonly code: RecorderErrorCode;

  constructor(code: RecorderErrorCode, message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.code = code;
  }
}
