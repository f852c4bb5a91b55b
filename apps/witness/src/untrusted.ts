import { decodeUtf8, NoteError } from '@treering/note';
import { Problem } from '@treering/server';

/** Longer checkpoints are refused: an origin has 255 bytes at most, and what a witness keeps of a log is bounded. */
const MAX_TEXT = 16 * 1024;

/** Reads what a client sent. @throws Problem 400 when it cannot be read */
export function readAs400<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof NoteError) throw new Problem(400, 'witness/malformed', error.message);
    throw error;
  }
}

/** What a note's signatures are over: everything before the last empty line. @throws NoteError (note/malformed) */
export function textOf(note: Uint8Array): string {
  const all = decodeUtf8(note);
  const split = all.lastIndexOf('\n\n');
  if (split < 0) throw new NoteError('note/malformed', 'the checkpoint has no signatures');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a note holds none of these
  if (!all.endsWith('\n') || /[\u0000-\u0009\u000b-\u001f]/.test(all))
    throw new NoteError('note/malformed', 'the checkpoint has lines that end in something else than one line break');
  if (split > MAX_TEXT)
    throw new NoteError('note/too-large', `the text of a checkpoint has at most ${MAX_TEXT} characters here`);
  return all.slice(0, split + 1);
}
