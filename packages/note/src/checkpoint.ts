import { NoteError } from './errors.js';
import { decodeBase64, encodeBase64, parseDecimal } from './text.js';

/** A tree head as text, https://c2sp.org/tlog-checkpoint */
export interface Checkpoint {
  /** Names the log; one line, not empty. */
  readonly origin: string;
  /** Number of leaves, exact to 2^64 - 1. `safeSize` of @treering/merkle makes it a number. */
  readonly size: bigint;
  /** 32 bytes. */
  readonly root: Uint8Array;
  /** Further non-empty lines. Treering writes none, because ML-DSA cosignatures do not cover them. */
  readonly extensions: readonly string[];
}

/**
 * The note text of a checkpoint: origin, size and root on a line each.
 * @throws NoteError (note/malformed) when a line would be empty or break
 */
export function formatCheckpoint(checkpoint: Checkpoint): string {
  const lines = [checkpoint.origin, String(checkpoint.size), encodeBase64(checkpoint.root), ...checkpoint.extensions];
  const text = `${lines.join('\n')}\n`;
  parseCheckpoint(text);
  if (lines.some((line) => line.includes('\n'))) throw new NoteError('note/malformed', 'a checkpoint line holds a line break');
  return text;
}

/**
 * Reads the text of a checkpoint.
 * @throws NoteError (note/malformed) on anything but the one canonical spelling
 */
export function parseCheckpoint(text: string): Checkpoint {
  if (!text.endsWith('\n')) throw new NoteError('note/malformed', 'a checkpoint ends with a line break');
  const [origin, size, root, ...extensions] = text.slice(0, -1).split('\n');
  if (root === undefined) throw new NoteError('note/malformed', 'a checkpoint has at least three lines: origin, size, root');
  if (origin === '' || extensions.includes('')) throw new NoteError('note/malformed', 'a checkpoint has no empty lines');
  const hash = decodeBase64(root);
  if (hash.length !== 32)
    throw new NoteError('note/malformed', `the root in the checkpoint has ${hash.length} bytes instead of 32`);
  return { origin, size: parseDecimal(size, 'the size in the checkpoint'), root: hash, extensions };
}
