import { p256 } from '@noble/curves/nist.js';
import { ml_dsa44 } from '@noble/post-quantum/ml-dsa.js';
import { parseCheckpoint } from './checkpoint.js';
import {
  ed25519CosignatureMessage,
  MLDSA44_SIGNATURE_SIZE,
  mldsa44CosignatureMessage,
  splitCosignature,
  wholeTree,
} from './cosignature.js';
import { type Ed25519, portableEd25519 } from './ed25519.js';
import { NoteError } from './errors.js';
import { KEY_TYPE, p256Point, type VerifierKey } from './key.js';
import type { Note, NoteSignature } from './note.js';
import { encodeUtf8 } from './text.js';

/** A signature of a known key that holds. */
export interface VerifiedSignature extends NoteSignature {
  readonly key: VerifierKey;
  /** Seconds since the epoch at which a cosigner says it saw the head; undefined for plain signatures. */
  readonly timestamp?: bigint;
}

/** A note of which at least one signature of a known key holds, and none of a known key fails. */
export interface OpenedNote extends Note {
  readonly verified: readonly VerifiedSignature[];
  /** Lines of keys that the caller did not name: nothing is known about them. */
  readonly unverified: readonly NoteSignature[];
}

/**
 * Checks a note against the keys that the caller trusts. A key is known by name and id together.
 * @throws NoteError note/bad-signature when a known key's signature fails, note/no-known-signature when there is none
 */
export function openNote(note: Note, keys: readonly VerifierKey[], ed25519: Ed25519 = portableEd25519): OpenedNote {
  const verified: VerifiedSignature[] = [];
  const unverified: NoteSignature[] = [];
  for (const line of note.signatures) {
    // Two keys can share name and id by chance or by malice; then the line must hold for one of them.
    const candidates = keys.filter((key) => key.name === line.name && key.id === line.id);
    if (candidates.length === 0) {
      unverified.push(line);
      continue;
    }
    const hit = candidates.map((key) => verifyLine(key, note.text, line, ed25519)).find((v) => v !== undefined);
    if (hit === undefined)
      throw new NoteError('note/bad-signature', `the signature of ${line.name} (${line.id}) does not hold`);
    verified.push(hit);
  }
  if (verified.length === 0)
    throw new NoteError('note/no-known-signature', 'the note carries no signature of a key that is trusted here');
  return { ...note, verified, unverified };
}

/** The verified form of one line, or undefined when it does not hold. */
function verifyLine(key: VerifierKey, text: string, line: NoteSignature, ed25519: Ed25519): VerifiedSignature | undefined {
  switch (key.type) {
    case KEY_TYPE.ed25519:
      return ed25519.verify(key.publicKey, encodeUtf8(text), line.signature) ? { ...line, key } : undefined;
    case KEY_TYPE.ecdsa:
      return verifyEcdsa(key.publicKey, encodeUtf8(text), line.signature) ? { ...line, key } : undefined;
    case KEY_TYPE.ed25519Cosignature: {
      const parts = splitCosignature(line.signature, 64);
      if (parts === undefined) return undefined;
      const message = ed25519CosignatureMessage(parts.timestamp, text);
      return ed25519.verify(key.publicKey, message, parts.signature) ? { ...line, key, timestamp: parts.timestamp } : undefined;
    }
    case KEY_TYPE.mldsa44Cosignature: {
      const parts = splitCosignature(line.signature, MLDSA44_SIGNATURE_SIZE);
      if (parts === undefined) return undefined;
      const checkpoint = parseCheckpoint(text);
      if (checkpoint.extensions.length > 0) return undefined;
      const message = mldsa44CosignatureMessage(key.name, parts.timestamp, wholeTree(checkpoint));
      return verifyMldsa44(key.publicKey, message, parts.signature) ? { ...line, key, timestamp: parts.timestamp } : undefined;
    }
    default:
      throw new NoteError('note/unknown-key-type', `the key type ${key.type} is unknown here`);
  }
}

/** Pure ML-DSA-44 with an empty context (FIPS 204). False for anything malformed. */
export function verifyMldsa44(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  try {
    return ml_dsa44.verify(signature, message, publicKey);
  } catch {
    return false;
  }
}

/** ECDSA P-256 over SHA-256, signature in DER, key as SubjectPublicKeyInfo. False for anything malformed. */
export function verifyEcdsa(spki: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  try {
    return p256.verify(signature, message, p256Point(spki), { format: 'der', lowS: false });
  } catch {
    return false;
  }
}
