import { createHash } from 'node:crypto';
import {
  type Checkpoint,
  createSigner,
  encodeUtf8,
  formatCheckpoint,
  formatNote,
  KEY_TYPE,
  NoteError,
  type NoteErrorCode,
  type NoteSignature,
  type Signer,
} from '../src/index.js';
import { nodeEd25519 } from '../src/node/index.js';

/** The code of the NoteError that `run` throws, or undefined when it throws nothing. Any other error is passed on. */
export function codeOf(run: () => unknown): NoteErrorCode | undefined {
  try {
    run();
  } catch (error) {
    if (error instanceof NoteError) return error.code;
    throw error;
  }
  return undefined;
}

/** 32 bytes that depend on the label alone. */
export function seed(label: string): Uint8Array {
  return new Uint8Array(createHash('sha256').update(label).digest());
}

/** A signer whose key depends on name and type alone. */
export function signer(name: string, type: number = KEY_TYPE.ed25519): Signer {
  return createSigner(name, type, seed(`${name} ${type}`), nodeEd25519);
}

/** Origin and log key name of `checkpoint`. */
export const ORIGIN = 'log.example/test';

/** A head of 20 leaves without extension lines. */
export const checkpoint: Checkpoint = { origin: ORIGIN, size: 20n, root: seed('root'), extensions: [] };

/** The note text of `checkpoint`. */
export const checkpointText: string = formatCheckpoint(checkpoint);

/** The bytes of `checkpoint` (or another text) under these signers, all at the same time. */
export function signedBy(signers: readonly Signer[], text: string = checkpointText, timestamp = 1_700_000_000n): Uint8Array {
  return formatNote({ text, signatures: signers.map((s) => s.sign(text, timestamp)) });
}

/** A text with ready signature lines as bytes, without any of the checks of `formatNote`. */
export function rawNote(text: string, ...lines: readonly string[]): Uint8Array {
  return encodeUtf8(`${text}\n${lines.map((line) => `${line}\n`).join('')}`);
}

/** A signature line of a key that nobody knows. */
export function greaseLine(name: string, length = 64): NoteSignature {
  return { name, id: '0badcafe', signature: new Uint8Array(length).fill(7) };
}
