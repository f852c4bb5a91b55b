import { type Checkpoint, parseCheckpoint } from './checkpoint.js';
import { type Ed25519, portableEd25519 } from './ed25519.js';
import { NoteError } from './errors.js';
import { KEY_TYPE, type VerifierKey } from './key.js';
import { parseNote } from './note.js';
import { type OpenedNote, openNote, type VerifiedSignature } from './verifier.js';

/** What a reader trusts about one log. */
export interface LogTrust {
  /** The first line that every head of this log carries. */
  readonly origin: string;
  /** The log's own keys; one valid signature suffices. */
  readonly logKeys: readonly VerifierKey[];
  /** Keys of witnesses whose cosignatures are checked when they are there. */
  readonly witnessKeys?: readonly VerifierKey[];
}

/** A checkpoint of the expected log, signed by one of its keys. */
export interface OpenedCheckpoint {
  readonly checkpoint: Checkpoint;
  readonly note: OpenedNote;
  /** Signatures by the log itself. */
  readonly logSignatures: readonly VerifiedSignature[];
  /** Cosignatures by the named witnesses. Count distinct keys, not lines: see `evaluateQuorum`. */
  readonly cosignatures: readonly VerifiedSignature[];
}

/**
 * Opens a signed checkpoint of one log: parse, verify every line of a known key, compare the origin.
 * @throws NoteError with the code of what is wrong
 */
export function openCheckpoint(bytes: Uint8Array, trust: LogTrust, ed25519: Ed25519 = portableEd25519): OpenedCheckpoint {
  const parsed = parseNote(bytes);
  const checkpoint = parseCheckpoint(parsed.text);
  if (checkpoint.origin !== trust.origin) {
    throw new NoteError(
      'note/wrong-origin',
      `this is a head of ${JSON.stringify(checkpoint.origin)}, not of ${JSON.stringify(trust.origin)}`,
    );
  }
  const note = openNote(parsed, [...trust.logKeys, ...(trust.witnessKeys ?? [])], ed25519);
  const logSignatures = note.verified.filter((s) => trust.logKeys.includes(s.key));
  if (logSignatures.length === 0) {
    throw new NoteError(
      'note/no-known-signature',
      `the checkpoint carries no signature of the log ${JSON.stringify(trust.origin)}`,
    );
  }
  return { checkpoint, note, logSignatures, cosignatures: note.verified.filter((s) => !trust.logKeys.includes(s.key)) };
}

/** True for the two key types that cosign heads. */
export function isCosignatureKey(key: VerifierKey): boolean {
  return key.type === KEY_TYPE.ed25519Cosignature || key.type === KEY_TYPE.mldsa44Cosignature;
}
