import { NoteError } from './errors.js';
import { hex, isKeyName } from './key.js';
import { concatBytes, decodeBase64, decodeUtf8, encodeBase64, encodeUtf8 } from './text.js';

/*
 * https://c2sp.org/signed-note
 *
 *   text, lines that end in \n
 *   <empty line>
 *   — <name> <base64( key id, 4 bytes ‖ signature )>\n     one or more
 */

/** Signature lines beyond this number are refused, whoever made them. */
export const MAX_SIGNATURES = 64;
/** The largest note that is read, in bytes: 64 ML-DSA-44 cosignatures and a long text fit. */
export const MAX_NOTE_SIZE = 512 * 1024;

const SIGNATURE_MARK = '\u2014 ';

/** One signature line. */
export interface NoteSignature {
  readonly name: string;
  /** Key id as 8 hex digits. */
  readonly id: string;
  /** What stands behind the key id: at least one byte. */
  readonly signature: Uint8Array;
}

/** A note whose signatures nobody has checked yet. */
export interface Note {
  /** Ends with a line break. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

/**
 * Reads a note strictly: UTF-8, no control characters but line breaks, split at the last empty line, 1 to 64 signature lines.
 * @throws NoteError note/malformed or note/too-large
 */
export function parseNote(bytes: Uint8Array): Note {
  if (bytes.length > MAX_NOTE_SIZE)
    throw new NoteError('note/too-large', `a note has at most ${MAX_NOTE_SIZE} bytes, got ${bytes.length}`);
  const all = decodeUtf8(bytes);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the specification forbids exactly these
  if (/[\u0000-\u0009\u000b-\u001f]/.test(all)) throw new NoteError('note/malformed', 'the note holds a control character');
  const split = all.lastIndexOf('\n\n');
  if (split < 0) throw new NoteError('note/malformed', 'the note has no empty line between its text and its signatures');
  const text = all.slice(0, split + 1);
  const block = all.slice(split + 2);
  if (block === '') throw new NoteError('note/malformed', 'the note has no signature');
  if (!block.endsWith('\n')) throw new NoteError('note/malformed', 'the last signature line does not end with a line break');
  const lines = block.slice(0, -1).split('\n');
  if (lines.length > MAX_SIGNATURES)
    throw new NoteError('note/malformed', `a note has at most ${MAX_SIGNATURES} signatures, got ${lines.length}`);
  return { text, signatures: lines.map(parseSignatureLine) };
}

/**
 * Reads one signature line without its line break.
 * @throws NoteError (note/malformed)
 */
export function parseSignatureLine(line: string): NoteSignature {
  const [name, base64, ...rest] = line.startsWith(SIGNATURE_MARK) ? line.slice(SIGNATURE_MARK.length).split(' ') : [];
  if (base64 === undefined || rest.length > 0) {
    throw new NoteError('note/malformed', 'a signature line reads "— <name> <base64>"');
  }
  if (!isKeyName(name))
    throw new NoteError('note/malformed', 'the name in a signature line holds white space, a control character or "+"');
  const bytes = decodeBase64(base64);
  if (bytes.length < 5) throw new NoteError('note/malformed', 'a signature has a key id of 4 bytes and at least one byte more');
  return { name, id: hex(bytes.subarray(0, 4)), signature: bytes.subarray(4) };
}

/** One signature line without its line break. */
export function formatSignatureLine({ name, id, signature }: NoteSignature): string {
  if (!isKeyName(name) || !/^[0-9a-f]{8}$/.test(id))
    throw new NoteError('note/malformed', 'a signature line has a name without white space and an id of 8 hex digits');
  const idBytes = Uint8Array.from(id.match(/../g) as string[], (byte) => Number.parseInt(byte, 16));
  return `${SIGNATURE_MARK}${name} ${encodeBase64(concatBytes(idBytes, signature))}`;
}

/**
 * The bytes of a note.
 * @throws NoteError (note/malformed) for a text that no reader would take
 */
export function formatNote(note: Note): Uint8Array {
  const bytes = encodeUtf8(`${note.text}\n${note.signatures.map((s) => `${formatSignatureLine(s)}\n`).join('')}`);
  if (!note.text.endsWith('\n')) throw new NoteError('note/malformed', 'the text of a note ends with a line break');
  if (parseNote(bytes).text !== note.text)
    throw new NoteError('note/malformed', 'this text cannot be told from signature lines');
  return bytes;
}
