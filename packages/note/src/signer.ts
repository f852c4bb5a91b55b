import { ml_dsa44 } from '@noble/post-quantum/ml-dsa.js';
import { parseCheckpoint } from './checkpoint.js';
import { type CosignedSubtree, ed25519CosignatureMessage, mldsa44CosignatureMessage, wholeTree } from './cosignature.js';
import { checkSeed, type Ed25519, portableEd25519 } from './ed25519.js';
import { NoteError } from './errors.js';
import { createVerifierKey, KEY_TYPE, type VerifierKey } from './key.js';
import type { NoteSignature } from './note.js';
import { secretBytes } from './secret-bytes.js';
import { concatBytes, decodeUtf8, encodeBase64, encodeUtf8, uint64 } from './text.js';

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
  /** Overwrites the private key, where it lies in memory that can be overwritten; it signs no more. */
  wipe?(): void;
}

const ED25519_TYPES: readonly number[] = [KEY_TYPE.ed25519, KEY_TYPE.ed25519Cosignature];

/**
 * Makes a signer from a 32-byte seed.
 * @throws NoteError note/bad-key or note/unknown-key-type
 */
export function createSigner(name: string, type: number, seed: Uint8Array, ed25519: Ed25519 = portableEd25519): Signer {
  checkSeed(seed);
  if (type === KEY_TYPE.mldsa44Cosignature) {
    const { publicKey, secretKey } = ml_dsa44.keygen(seed);
    const key = createVerifierKey(name, type, publicKey);
    let wiped = false;
    const cosign = (subtree: CosignedSubtree, timestamp: bigint): NoteSignature => {
      if (wiped) throw new NoteError('note/bad-key', `the key of ${name} was wiped`);
      const message = mldsa44CosignatureMessage(name, timestamp, subtree);
      return { name, id: key.id, signature: concatBytes(uint64(timestamp), ml_dsa44.sign(message, secretKey)) };
    };
    return {
      key,
      sign: (text, timestamp = 0n) => cosign(wholeTree(parseCheckpoint(text)), timestamp),
      signSubtree: (subtree) => cosign(subtree, 0n),
      wipe() {
        wiped = true;
        secretKey.fill(0);
      },
    };
  }
  const own = new Uint8Array(seed);
  return createEd25519Signer(name, type, ed25519.publicKey(own), (message) => ed25519.sign(own, message));
}

/**
 * Makes a signer of an Ed25519 key that lives elsewhere.
 * @param type 0x01 or 0x04
 * @param sign gives the signature of a message, 64 bytes
 * @throws NoteError note/bad-key, note/weak-key or note/unknown-key-type
 */
export function createEd25519Signer(
  name: string,
  type: number,
  publicKey: Uint8Array,
  sign: (message: Uint8Array) => Uint8Array,
): Signer {
  if (!ED25519_TYPES.includes(type)) throw new NoteError('note/unknown-key-type', `keys of type ${type} cannot sign here`);
  const key = createVerifierKey(name, type, publicKey);
  return {
    key,
    sign(text, timestamp = 0n) {
      if (type === KEY_TYPE.ed25519) return { name, id: key.id, signature: sign(encodeUtf8(text)) };
      parseCheckpoint(text);
      const signature = sign(ed25519CosignatureMessage(timestamp, text));
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
 * Reads the text of a key file. No message that this throws repeats what it read: it is a secret. Of bytes no copy is left behind but
 * the seed, which is its caller's to wipe, as are the bytes.
 * @throws NoteError note/bad-key or note/unknown-key-type
 */
export function parseSignerKey(text: string | Uint8Array, ed25519: Ed25519 = portableEd25519): SignerKey {
  if (typeof text !== 'string') return readLine(text, ed25519);
  const bytes = encodeUtf8(text);
  try {
    return readLine(bytes, ed25519);
  } finally {
    bytes.fill(0);
  }
}

/** Bytes of the type and the seed, and the characters of base64 that they are written in, without padding. */
const TYPED = 33;
const CHARACTERS = 44;

function readLine(line: Uint8Array, ed25519: Ed25519): SignerKey {
  // The secret stands behind the fourth plus sign; base64 has further ones.
  let [start, signs] = [0, 0];
  while (start < line.length && signs < 4) if (line[start++] === 0x2b) signs++;
  const match = /^PRIVATE\+KEY\+([^+]+)\+([0-9a-f]{8})\+$/.exec(headOf(line.subarray(0, start)));
  if (match === null)
    throw new NoteError('note/bad-key', 'a key file holds one line PRIVATE+KEY+<name>+<8 hex digits>+<base64>');
  const [, name, id] = match;
  const typed = decodeSecret(line.subarray(start));
  const [type] = typed;
  const seed = secretBytes(TYPED - 1);
  seed.set(typed.subarray(1));
  typed.fill(0);
  try {
    if (verifierKeyOf(name, type, seed, ed25519).id !== id)
      throw new NoteError('note/bad-key', 'the id in the key file is not that of its name and key');
  } catch (error) {
    seed.fill(0);
    throw error;
  }
  return { name, type, seed };
}

function headOf(bytes: Uint8Array): string {
  try {
    return decodeUtf8(bytes);
  } catch {
    return '';
  }
}

/** The public half of a seed. */
function verifierKeyOf(name: string, type: number, seed: Uint8Array, ed25519: Ed25519): VerifierKey {
  if (type !== KEY_TYPE.mldsa44Cosignature) {
    if (!ED25519_TYPES.includes(type)) throw new NoteError('note/unknown-key-type', `keys of type ${type} cannot sign here`);
    return createVerifierKey(name, type, ed25519.publicKey(seed));
  }
  const { publicKey, secretKey } = ml_dsa44.keygen(seed);
  secretKey.fill(0);
  return createVerifierKey(name, type, publicKey);
}

/** Standard base64 of the type and the seed, read without a text in between, which nobody could wipe. @throws NoteError (note/bad-key) */
function decodeSecret(base64: Uint8Array): Uint8Array {
  if (base64.some((character) => base64Value(character) < 0 && character !== 0x3d))
    throw new NoteError('note/bad-key', 'the key file does not hold standard base64');
  if (base64.length !== CHARACTERS || base64.includes(0x3d))
    throw new NoteError('note/bad-key', 'a key file holds one byte of type and a seed of 32 bytes');
  const typed = secretBytes(TYPED);
  for (let i = 0; i < CHARACTERS; i += 4) {
    let bits = 0;
    for (let j = 0; j < 4; j++) bits = (bits << 6) | base64Value(base64[i + j]);
    const at = (i / 4) * 3;
    typed[at] = bits >>> 16;
    typed[at + 1] = bits >>> 8;
    typed[at + 2] = bits;
  }
  return typed;
}

/** What an ASCII character stands for in base64, or -1. */
function base64Value(character: number): number {
  if (character >= 0x41 && character <= 0x5a) return character - 0x41;
  if (character >= 0x61 && character <= 0x7a) return character - 0x61 + 26;
  if (character >= 0x30 && character <= 0x39) return character - 0x30 + 52;
  return character === 0x2b ? 62 : character === 0x2f ? 63 : -1;
}
