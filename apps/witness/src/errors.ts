/** Stable codes of WitnessError. */
export type WitnessErrorCode =
  | 'witness/locked'
  | 'witness/wrong-key'
  | 'witness/not-newer'
  | 'witness/wrong-copy'
  | 'witness/forgotten'
  | 'witness/unvouched';

/** Why a witness may not go on. Switch on `code`; the message is a sentence for people. */
export class WitnessError extends Error {
  override readonly name = 'WitnessError';
  readonly code: WitnessErrorCode;

  constructor(code: WitnessErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
