/** Stable codes of NoteError. */
export type NoteErrorCode =
  | 'note/malformed'
  | 'note/too-large'
  | 'note/no-known-signature'
  | 'note/bad-signature'
  | 'note/wrong-origin'
  | 'note/quorum-not-met'
  | 'note/bad-key'
  | 'note/weak-key'
  | 'note/unknown-key-type'
  | 'note/bad-policy';

/** Anything wrong with a note, a key or a policy. Switch on `code`; the message is a sentence for people. */
export class NoteError extends Error {
  override readonly name = 'NoteError';
  readonly code: NoteErrorCode;

  constructor(code: NoteErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
