/** Stable codes of EvaluationError. */
export type EvaluationErrorCode =
  | 'evaluation/dataset'
  | 'evaluation/mapping'
  | 'evaluation/tolerance'
  | 'evaluation/endpoint'
  | 'evaluation/unanswered';

/** Something about an evaluation that is not as it must be. Switch on `code`; the message is a sentence for people. */
export class EvaluationError extends Error {
  override readonly name = 'EvaluationError';
  readonly code: EvaluationErrorCode;

  constructor(code: EvaluationErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
