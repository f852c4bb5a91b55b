import { p256, p384 } from '@noble/curves/nist.js';
import { concatBytes, type Ed25519, portableEd25519 } from '@treering/note';
import { cborHead, decodeCbor, encodeCbor } from './cbor.js';
import type { CborProfile } from './cbor-scan.js';
import { CborTag, type CborValue } from './cbor-value.js';
import { ALG, algorithmFits, type CoseKey, uncompressedPoint } from './cose-key.js';
import { StatementError } from './errors.js';

/** COSE header labels that are used here (RFC 9052, RFC 9597, RFC 9942, RFC 9360, RFC 9995). */
export const HEADER = {
  algorithm: 1,
  critical: 2,
  contentType: 3,
  keyId: 4,
  cwtClaims: 15,
  x5chain: 33,
  payloadHashAlgorithm: 258,
  preimageContentType: 259,
  payloadLocation: 260,
  receipts: 394,
  verifiableDataStructure: 395,
  verifiableDataProofs: 396,
} as const;

/** Header parameters by label. */
type HeaderMap = ReadonlyMap<number | string, CborValue>;

/** A COSE_Sign1 message (RFC 9052 section 4.2) as received: the protected bytes are kept verbatim and never written again. */
export interface Sign1 {
  readonly protectedBytes: Uint8Array;
  readonly protectedHeader: HeaderMap;
  readonly unprotectedHeader: HeaderMap;
  /** null when the payload is detached. */
  readonly payload: Uint8Array | null;
  readonly signature: Uint8Array;
}

/** Items of a message and of its protected header: as many as a statement can have. Files and answers of others may be larger. */
const MOST_ITEMS = 65_535;

/**
 * Reads a tagged COSE_Sign1.
 * @param order 'deterministic' for what Treering defines, 'any' for foreign messages whose maps are in another order
 * @throws StatementError cose/malformed or a cbor code
 */
export function parseSign1(bytes: Uint8Array, order: CborProfile['order'] = 'deterministic'): Sign1 {
  return readSign1(new Uint8Array(bytes), order);
}

/** As `parseSign1`, of bytes that nobody changes: the parts are views of them. */
export function readSign1(bytes: Uint8Array, order: CborProfile['order']): Sign1 {
  const message = decodeCbor(bytes, { order, views: true, items: MOST_ITEMS });
  if (!(message instanceof CborTag) || message.tag !== 18 || !Array.isArray(message.value) || message.value.length !== 4) {
    throw new StatementError('cose/malformed', 'this is no tagged COSE_Sign1: tag 18 around an array of four');
  }
  const [protectedBytes, unprotected, payload, signature] = message.value as CborValue[];
  if (!(protectedBytes instanceof Uint8Array))
    throw new StatementError('cose/malformed', 'the protected header is no byte string');
  if (!(unprotected instanceof Map)) throw new StatementError('cose/malformed', 'the unprotected header is no map');
  if (payload !== null && !(payload instanceof Uint8Array))
    throw new StatementError('cose/malformed', 'the payload is neither bytes nor nil');
  if (!(signature instanceof Uint8Array)) throw new StatementError('cose/malformed', 'the signature is no byte string');
  const protectedHeader =
    protectedBytes.length === 0 ? new Map() : decodeCbor(protectedBytes, { order, tags: [], items: MOST_ITEMS });
  if (!(protectedHeader instanceof Map)) throw new StatementError('cose/malformed', 'the protected header is no map');
  for (const label of protectedHeader.keys()) {
    if (unprotected.has(label))
      throw new StatementError('cose/malformed', `header ${label} stands in both the protected and the unprotected map`);
  }
  if (unprotected.has(HEADER.critical)) throw new StatementError('cose/malformed', 'crit stands only in the protected header');
  if (protectedHeader.has(HEADER.critical)) {
    throw new StatementError('cose/unsupported', 'the message names critical headers, none of which is understood here');
  }
  return { protectedBytes, protectedHeader, unprotectedHeader: unprotected, payload, signature };
}

/** The tagged message with another unprotected header; everything signed stays byte for byte. */
export function formatSign1(message: Omit<Sign1, 'protectedHeader'>): Uint8Array {
  const { protectedBytes, unprotectedHeader, payload, signature } = message;
  return encodeCbor(new CborTag(18, [protectedBytes, unprotectedHeader, payload, signature]));
}

/** An array of four, and its first item, the text "Signature1". */
const SIGNATURE_1 = Uint8Array.of(0x84, 0x6a, ...new TextEncoder().encode('Signature1'));

/** The bytes that a COSE_Sign1 signature covers (RFC 9052 section 4.4), with no external data unless given. */
export function sigStructure(
  protectedBytes: Uint8Array,
  payload: Uint8Array,
  externalData: Uint8Array = new Uint8Array(0),
): Uint8Array {
  // An empty protected map is signed as no bytes, however it was sent.
  const emptyMap = protectedBytes.length === 1 && protectedBytes[0] === 0xa0;
  const bytesOf = (part: Uint8Array): [Uint8Array, Uint8Array] => [cborHead(2, part.length), part];
  const signed = emptyMap ? new Uint8Array(0) : protectedBytes;
  return concatBytes(SIGNATURE_1, ...bytesOf(signed), ...bytesOf(externalData), ...bytesOf(payload));
}

/**
 * The algorithm that the message names. Foreign messages may name it without protection; that opens nothing, because each key
 * goes with one algorithm only. Statements and receipts have it in the protected header.
 */
function algorithmOf(message: Sign1): number {
  const algorithm = message.protectedHeader.get(HEADER.algorithm) ?? message.unprotectedHeader.get(HEADER.algorithm);
  if (typeof algorithm !== 'number') throw new StatementError('cose/malformed', 'the message names no algorithm');
  return algorithm;
}

/** What has to be checked for a message to hold under a key. */
export interface SignatureCheck {
  readonly algorithm: number;
  readonly key: CoseKey;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
}

/**
 * Collects what has to be checked; whoever does the arithmetic gets the same parts.
 * @param detached the payload of a message that does not carry it
 * @throws StatementError cose/unknown-algorithm for one that is not read, cose/unsupported for one that does not go with the key
 */
export function signatureCheck(message: Sign1, key: CoseKey, detached?: Uint8Array, externalData?: Uint8Array): SignatureCheck {
  const algorithm = algorithmOf(message);
  if (!(Object.values(ALG) as readonly number[]).includes(algorithm)) {
    throw new StatementError('cose/unknown-algorithm', `algorithm ${algorithm} is not read here`);
  }
  if (!algorithmFits(key, algorithm))
    throw new StatementError('cose/unsupported', `algorithm ${algorithm} does not go with a ${key.curve} key`);
  if (message.payload !== null && detached !== undefined)
    throw new StatementError('cose/malformed', 'the message carries its own payload');
  const payload = message.payload ?? detached;
  if (payload === undefined) throw new StatementError('cose/malformed', 'the payload is detached and was not given');
  return { algorithm, key, message: sigStructure(message.protectedBytes, payload, externalData), signature: message.signature };
}

/** True when the signature holds. ECDSA signatures are r ‖ s; both values of s are read, as everywhere outside Bitcoin. */
export function checkSignature({ key, message, signature }: SignatureCheck, ed25519: Ed25519 = portableEd25519): boolean {
  if (key.curve === 'Ed25519') return ed25519.verify(key.x, message, signature);
  try {
    const curve = key.curve === 'P-256' ? p256 : p384;
    return curve.verify(signature, message, uncompressedPoint(key), { lowS: false });
  } catch {
    return false;
  }
}

/**
 * Verifies a message under a key.
 * @throws StatementError cose/bad-signature when it does not hold, or as `signatureCheck`
 */
export function verifySign1(
  message: Sign1,
  key: CoseKey,
  options: { detached?: Uint8Array; externalData?: Uint8Array; ed25519?: Ed25519 } = {},
): void {
  const check = signatureCheck(message, key, options.detached, options.externalData);
  if (!checkSignature(check, options.ed25519)) throw new StatementError('cose/bad-signature', 'the signature does not hold');
}

/** A key that signs COSE messages; the private part may live in a KMS, so signing may take time. */
export interface StatementSigner {
  /** One of ALG; -8 for Ed25519. */
  readonly algorithm: number;
  readonly key: CoseKey;
  sign(message: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

/** An Ed25519 statement signer from a 32-byte seed. */
export function createStatementSigner(seed: Uint8Array, ed25519: Ed25519 = portableEd25519): StatementSigner {
  const own = new Uint8Array(seed);
  return {
    algorithm: ALG.eddsa,
    key: { curve: 'Ed25519', x: ed25519.publicKey(own) },
    sign: (message) => ed25519.sign(own, message),
  };
}
