/** Stable codes of RecordError. */
export type RecordErrorCode =
  | 'record/invalid'
  | 'record/unknown-type'
  | 'manifest/invalid'
  | 'manifest/changed'
  | 'manifest/symlink'
  | 'safetensors/invalid';

/** A record, manifest or model file that is not as it must be. Switch on `code`; the message is a sentence for people. */
export class RecordError extends Error {
  override readonly name = 'RecordError';
  readonly code: RecordErrorCode;

  constructor(code: RecordErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
