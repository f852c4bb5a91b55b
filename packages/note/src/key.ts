import { p256 } from '@noble/curves/nist.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { checkEd25519PublicKey } from './ed25519.js';
import { NoteError } from './errors.js';
import { concatBytes, decodeBase64, encodeBase64, encodeUtf8 } from './text.js';

/** Signature types of C2SP signed-note that this implementation knows: https://c2sp.org/signed-note */
export const KEY_TYPE = {
  /** Ed25519 over the note text. */
  ed25519: 0x01,
  /** ECDSA over SHA-256 of the note text; read, for other logs' keys. */
  ecdsa: 0x02,
  /** Ed25519 timestamped cosignature, https://c2sp.org/tlog-cosignature */
  ed25519Cosignature: 0x04,
  /** ML-DSA-44 (sub)tree cosignature, https://c2sp.org/tlog-cosignature */
  mldsa44Cosignature: 0x06,
} as const;

/** Bytes of an ML-DSA-44 public key (FIPS 204). */
export const MLDSA44_PUBLIC_KEY_SIZE = 1312;

/** A key that verifies notes: name, 4-byte id and typed public key, as in the text form of C2SP signed-note. */
export interface VerifierKey {
  /** Non-empty, without white space and '+'. */
  readonly name: string;
  /** The first four bytes of the key hash, as 8 hex digits. */
  readonly id: string;
  /** One of KEY_TYPE. */
  readonly type: number;
  /** 32 bytes (Ed25519), 1312 bytes (ML-DSA-44) or a DER SubjectPublicKeyInfo (ECDSA). */
  readonly publicKey: Uint8Array;
}

/** Whether a signature line may carry this name: what C2SP signed-note demands, and no more, so that unknown keys are ignored. */
export function isKeyName(name: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the specification forbids exactly these
  return name !== '' && !/[\p{White_Space}+\u0000-\u001f\p{Cs}]/u.test(name);
}

/**
 * Names of keys that are used here are held to more: at most 255 bytes, which cosignatures need, and no invisible characters.
 * @throws NoteError (note/bad-key)
 */
function checkKeyName(name: string): string {
  if (!isKeyName(name) || /[\p{Cc}\p{Cf}]/u.test(name) || encodeUtf8(name).length > 255) {
    throw new NoteError('note/bad-key', 'a key name has 1 to 255 bytes, without white space, invisible characters and "+"');
  }
  return name;
}

/** The key id of C2SP signed-note: SHA-256(name ‖ 0x0A ‖ type ‖ public key)[0:4]; for ECDSA SHA-256(DER)[0:4]. */
function keyId(name: string, type: number, publicKey: Uint8Array): string {
  const hashed = type === KEY_TYPE.ecdsa ? publicKey : concatBytes(encodeUtf8(name), Uint8Array.of(0x0a, type), publicKey);
  return hex(sha256(hashed).subarray(0, 4));
}

/**
 * Builds a verifier key from its parts.
 * @throws NoteError note/bad-key, note/weak-key or note/unknown-key-type
 */
export function createVerifierKey(name: string, type: number, publicKey: Uint8Array): VerifierKey {
  checkKeyName(name);
  switch (type) {
    case KEY_TYPE.ed25519:
    case KEY_TYPE.ed25519Cosignature:
      checkEd25519PublicKey(publicKey);
      break;
    case KEY_TYPE.mldsa44Cosignature:
      if (publicKey.length !== MLDSA44_PUBLIC_KEY_SIZE) {
        throw new NoteError(
          'note/bad-key',
          `an ML-DSA-44 public key has ${MLDSA44_PUBLIC_KEY_SIZE} bytes, got ${publicKey.length}`,
        );
      }
      break;
    case KEY_TYPE.ecdsa:
      p256Point(publicKey);
      break;
    default:
      throw unknownType(type);
  }
  return { name, id: keyId(name, type, publicKey), type, publicKey };
}

function unknownType(type: number): NoteError {
  return new NoteError('note/unknown-key-type', `the key type 0x${hex(Uint8Array.of(type))} is unknown here`);
}

/**
 * Reads `<name>+<id>+<base64(type ‖ public key)>`.
 * @throws NoteError when it is malformed, the id does not match, the key is weak, or its type unknown
 */
export function parseVerifierKey(text: string): VerifierKey {
  const match = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/su.exec(text);
  if (match === null) throw new NoteError('note/bad-key', 'a verifier key reads <name>+<8 hex digits>+<base64>');
  const [, name, id, base64] = match;
  const typed = decodeBase64(base64);
  if (typed.length < 2) throw new NoteError('note/bad-key', 'the verifier key holds no public key');
  if (!(Object.values(KEY_TYPE) as number[]).includes(typed[0])) throw unknownType(typed[0]);
  if (keyId(name, typed[0], typed.subarray(1)) !== id) {
    throw new NoteError('note/bad-key', 'the id in the verifier key is not that of its name and public key');
  }
  return createVerifierKey(name, typed[0], typed.subarray(1));
}

/** The text form of a verifier key (vkey). */
export function formatVerifierKey(key: VerifierKey): string {
  return `${key.name}+${key.id}+${encodeBase64(concatBytes(Uint8Array.of(key.type), key.publicKey))}`;
}

/** DER in front of the 65-byte point: SubjectPublicKeyInfo of an uncompressed P-256 key (RFC 5480). */
const P256_SPKI = Uint8Array.from([
  0x30, 0x59, 0x30, 0x13, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7, 3, 0x42, 0,
]);

/**
 * The 65-byte point in a P-256 SubjectPublicKeyInfo.
 * @throws NoteError (note/bad-key) for any other key
 */
export function p256Point(spki: Uint8Array): Uint8Array {
  const point = spki.subarray(P256_SPKI.length);
  const known = spki.length === P256_SPKI.length + 65 && P256_SPKI.every((byte, i) => spki[i] === byte);
  try {
    if (known) p256.Point.fromBytes(point).assertValidity();
  } catch {
    throw new NoteError('note/bad-key', 'the ECDSA public key is not on the curve P-256');
  }
  if (!known) throw new NoteError('note/bad-key', 'only uncompressed P-256 keys are read as ECDSA keys');
  return point;
}

/** Lower-case hex. That of a hash is made of one piece, so that it need not be put together when it is looked up as the key of a map. */
export function hex(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 32) {
    const codes: number[] = [];
    for (const byte of bytes.subarray(at, at + 32)) codes.push(digit(byte >> 4), digit(byte & 15));
    text += String.fromCharCode(...codes);
  }
  return text;
}

const digit = (value: number): number => value + (value < 10 ? 48 : 87);
