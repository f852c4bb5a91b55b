import { p256, p384 } from '@noble/curves/nist.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { checkEd25519PublicKey } from '@treering/note';
import { decodeCbor, encodeCbor } from './cbor.js';
import type { CborValue } from './cbor-value.js';
import { StatementError } from './errors.js';

/** COSE algorithm numbers that are read; `ed25519` (-19, RFC 9864) and `eddsa` (-8) mean the same here. */
export const ALG = { es256: -7, eddsa: -8, ed25519: -19, es384: -35 } as const;

/** A public key (RFC 9052 section 7): Ed25519, P-256 or P-384. */
export interface CoseKey {
  readonly curve: 'Ed25519' | 'P-256' | 'P-384';
  /** 32 bytes (Ed25519, P-256) or 48 bytes (P-384). */
  readonly x: Uint8Array;
  /** As long as x; undefined for Ed25519. */
  readonly y?: Uint8Array;
}

const LABEL = { kty: 1, kid: 2, alg: 3, crv: -1, x: -2, y: -3 } as const;
const CURVES = {
  Ed25519: { kty: 1, crv: 6, bytes: 32, algorithms: [ALG.eddsa, ALG.ed25519] as readonly number[] },
  'P-256': { kty: 2, crv: 1, bytes: 32, algorithms: [ALG.es256] as readonly number[] },
  'P-384': { kty: 2, crv: 2, bytes: 48, algorithms: [ALG.es384] as readonly number[] },
} as const;

/**
 * Checks a key's parts.
 * @throws StatementError (cose/bad-key) for wrong lengths, points off the curve and weak Ed25519 keys
 */
export function createCoseKey(curve: CoseKey['curve'], x: Uint8Array, y?: Uint8Array): CoseKey {
  const { bytes } = CURVES[curve];
  if (x.length !== bytes || (curve === 'Ed25519' ? y !== undefined : y?.length !== bytes)) {
    throw new StatementError('cose/bad-key', `a ${curve} key has coordinates of ${bytes} bytes`);
  }
  const key: CoseKey = y === undefined ? { curve, x } : { curve, x, y };
  try {
    if (curve === 'Ed25519') checkEd25519PublicKey(x);
    else (curve === 'P-256' ? p256 : p384).Point.fromBytes(uncompressedPoint(key)).assertValidity();
  } catch (error) {
    throw new StatementError('cose/bad-key', (error as Error).message);
  }
  return key;
}

/**
 * Reads a COSE_Key in deterministic CBOR.
 * @throws StatementError cose/bad-key or a cbor code
 */
export function parseCoseKey(bytes: Uint8Array): CoseKey {
  return coseKeyFromMap(decodeCbor(bytes));
}

/** @throws StatementError (cose/bad-key) unless the value is a COSE_Key that is understood here */
function coseKeyFromMap(value: CborValue): CoseKey {
  if (!(value instanceof Map)) throw new StatementError('cose/bad-key', 'a COSE_Key is a map');
  const entry = Object.entries(CURVES).find(([, c]) => c.kty === value.get(LABEL.kty) && c.crv === value.get(LABEL.crv));
  if (entry === undefined) throw new StatementError('cose/unsupported', 'only Ed25519, P-256 and P-384 keys are read');
  const [curve, { kty, algorithms }] = entry;
  const known: readonly number[] = [LABEL.kty, LABEL.kid, LABEL.alg, LABEL.crv, LABEL.x, LABEL.y];
  for (const label of value.keys()) {
    if (!known.includes(label))
      throw new StatementError('cose/bad-key', `the COSE_Key holds label ${label}, which has no place here`);
  }
  const alg = value.get(LABEL.alg);
  if (alg !== undefined && !algorithms.includes(alg))
    throw new StatementError('cose/bad-key', `algorithm ${alg} does not go with ${curve}`);
  const kid = value.get(LABEL.kid);
  if (kid !== undefined && !(kid instanceof Uint8Array))
    throw new StatementError('cose/bad-key', 'the kid of a COSE_Key is a byte string');
  const x = value.get(LABEL.x);
  const y = value.get(LABEL.y);
  if (!(x instanceof Uint8Array) || !(kty === 1 ? y === undefined : y instanceof Uint8Array)) {
    throw new StatementError('cose/bad-key', 'the coordinates of a COSE_Key are byte strings');
  }
  return createCoseKey(curve as CoseKey['curve'], x, y);
}

/** The COSE_Key with its required members only, in deterministic CBOR. */
export function encodeCoseKey(key: CoseKey): Uint8Array {
  const { kty, crv } = CURVES[key.curve];
  const members: [number, number | Uint8Array][] = [
    [LABEL.kty, kty],
    [LABEL.crv, crv],
    [LABEL.x, key.x],
  ];
  if (key.y !== undefined) members.push([LABEL.y, key.y]);
  return encodeCbor(new Map(members));
}

/**
 * The COSE_Key as a member of a key set (RFC 9052 section 7): with its RFC 9679 thumbprint as kid and the algorithm that it
 * signs with.
 */
export function keySetMember(key: CoseKey): Map<number, CborValue> {
  const members = decodeCbor(encodeCoseKey(key)) as ReadonlyMap<number, CborValue>;
  const [algorithm] = CURVES[key.curve].algorithms;
  return new Map<number, CborValue>([...members, [LABEL.kid, coseKeyThumbprint(key)], [LABEL.alg, algorithm]]);
}

/** Thumbprints live as long as their keys. */
const thumbprints = new WeakMap<CoseKey, Uint8Array>();

/** COSE key thumbprint with SHA-256 (RFC 9679): 32 bytes. */
export function coseKeyThumbprint(key: CoseKey): Uint8Array {
  let thumbprint = thumbprints.get(key);
  if (thumbprint === undefined) {
    thumbprint = sha256(encodeCoseKey(key));
    thumbprints.set(key, thumbprint);
  }
  return thumbprint.slice();
}

/** Whether `algorithm` may be used with this key: one key never serves two algorithms. */
export function algorithmFits(key: CoseKey, algorithm: number): boolean {
  return CURVES[key.curve].algorithms.includes(algorithm);
}

/** 0x04 ‖ x ‖ y */
export function uncompressedPoint(key: CoseKey): Uint8Array {
  const y = key.y as Uint8Array;
  const point = new Uint8Array(1 + key.x.length + y.length);
  point[0] = 4;
  point.set(key.x, 1);
  point.set(y, 1 + key.x.length);
  return point;
}
