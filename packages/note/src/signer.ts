import { ml_dsa44 } from '@noble/post-quantum/ml-dsa.js';
import { parseCheckpoint } from './checkpoint.js';
import { type CosignedSubtree, ed25519CosignatureMessage, mldsa44CosignatureMessage, wholeTree } from './cosignature.js';
import { checkSeed, type Ed25519, portableEd25519 } from './ed25519.js';
import { NoteError } from './errors.js';
import { createVerifierKey, KEY_TYPE, type VerifierKey } from './key.js';
import type { NoteSignature } from './note.js';
import { concatBytes, decodeBase64, encodeBase64, encodeUtf8, uint64 } from './text.js';

/** A key that signs notes. The seed stays inside. */
export interface Signer {
  readonly key: VerifierKey;
  /**
   * Signs a note text. Cosigning types read it as a checkpoint and put `timestamp` (seconds since the epoch) in;
   * the plain Ed25519 type ignores it.
   */
  sign(text: string, timestamp?: bigint): NoteSignature;
  /** Cosigns a part of a tree, without a time; only keys of type 0x06 can. */
  signSubtree?(subtree: CosignedSubtree): NoteSignature;
}

const SIGNING_TYPES: readonly number[] = [KEY_TYPE.ed25519, KEY_TYPE.ed25519Cosignature, KEY_TYPE.mldsa44Cosignature];

/**
 * Makes a signer from a 32-byte seed.
 * @throws NoteError note/bad-key or note/unknown-key-type
 */
export function createSigner(name: string, type: number, seed: Uint8Array, ed25519: Ed25519 = portableEd25519): Signer {
  checkSeed(seed);
  if (type === KEY_TYPE.mldsa44Cosignature) {
    const { publicKey, secretKey } = ml_dsa44.keygen(seed);
    const key = createVerifierKey(name, type, publicKey);
    const cosign = (subtree: CosignedSubtree, timestamp: bigint): NoteSignature => {
      const message = mldsa44CosignatureMessage(name, timestamp, subtree);
      return { name, id: key.id, signature: concatBytes(uint64(timestamp), ml_dsa44.sign(message, secretKey)) };
    };
    return {
      key,
      sign: (text, timestamp = 0n) => cosign(wholeTree(parseCheckpoint(text)), timestamp),
      signSubtree: (subtree) => cosign(subtree, 0n),
    };
  }
  if (!SIGNING_TYPES.includes(type)) throw new NoteError('note/unknown-key-type', `keys of type ${type} cannot sign here`);
  const own = new Uint8Array(seed);
  const key = createVerifierKey(name, type, ed25519.publicKey(own));
  return {
    key,
    sign(text, timestamp = 0n) {
      if (type === KEY_TYPE.ed25519) return { name, id: key.id, signature: ed25519.sign(own, encodeUtf8(text)) };
      parseCheckpoint(text);
      const signature = ed25519.sign(own, ed25519CosignatureMessage(timestamp, text));
      return { name, id: key.id, signature: concatBytes(uint64(timestamp), signature) };
    },
  };
}

/** `PRIVATE+KEY+<name>+<id>+<base64(type ‖ seed)>`, the text of a key file in the form of Go's note package. */
export function formatSignerKey(key: VerifierKey, seed: Uint8Array): string {
  return `PRIVATE+KEY+${key.name}+${key.id}+${encodeBase64(concatBytes(Uint8Array.of(key.type), checkSeed(seed)))}`;
}

/** The parts of a key file. */
export interface SignerKey {
  readonly name: string;
  readonly type: number;
  /** 32 bytes; secret. */
  readonly seed: Uint8Array;
}

/**
 * Reads the text of a key file. No message that this throws repeats what it read: it is a secret.
 * @throws NoteError note/bad-key or note/unknown-key-type
 */
export function parseSignerKey(text: string, ed25519: Ed25519 = portableEd25519): SignerKey {
  const match = /^PRIVATE\+KEY\+([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})$/.exec(text);
  if (match === null)
    throw new NoteError('note/bad-key', 'a key file holds one line PRIVATE+KEY+<name>+<8 hex digits>+<base64>');
  const [, name, id, base64] = match;
  const typed = decodeSecret(base64);
  if (typed.length !== 33) throw new NoteError('note/bad-key', 'a key file holds one byte of type and a seed of 32 bytes');
  const seed = typed.slice(1);
  if (createSigner(name, typed[0], seed, ed25519).key.id !== id) {
    throw new NoteError('note/bad-key', 'the id in the key file is not that of its name and key');
  }
  return { name, type: typed[0], seed };
}

/** @throws NoteError (note/bad-key) */
function decodeSecret(base64: string): Uint8Array {
  try {
    return decodeBase64(base64);
  } catch {
    throw new NoteError('note/bad-key', 'the key file does not hold standard base64');
  }
}
