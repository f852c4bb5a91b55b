import { decodeUtf8, NoteError } from '@treering/note';
import { Problem } from '@treering/server';

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
  return all.slice(0, split + 1);
}
