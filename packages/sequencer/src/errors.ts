/** Stable codes of SequencerError. */
export type SequencerErrorCode =
  | 'sequencer/overloaded'
  | 'sequencer/stopped'
  | 'sequencer/unknown-outcome'
  | 'sequencer/clock-behind'
  | 'sequencer/wrong-key'
  | 'sequencer/rolled-back'
  | 'sequencer/no-anchor'
  | 'sequencer/corrupt'
  | 'sequencer/quorum-not-met';

/** Why the sequencer refused to do something. Switch on `code`; the message says what was found and what to do. */
export class SequencerError extends Error {
  override readonly name = 'SequencerError';
  readonly code: SequencerErrorCode;

  constructor(code: SequencerErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
