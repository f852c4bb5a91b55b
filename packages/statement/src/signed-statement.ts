import { p256, p384 } from '@noble/curves/nist.js';
import { encodeCbor } from './cbor.js';
import type { CborInput } from './cbor-value.js';
import { ALG, coseKeyThumbprint } from './cose-key.js';
import { StatementError } from './errors.js';
import { formatSign1, HEADER, readSign1, type Sign1, type StatementSigner, sigStructure } from './sign1.js';
import { CLAIM, isOwnContentType, RECORD_CONTENT_TYPE, readHeader, type StatementHeader } from './statement-header.js';

/** The largest entry of the log, in bytes: what an entry bundle of tlog-tiles can hold. */
export const MAX_STATEMENT_SIZE = 65_535;

/** A signed statement as it stands in the log: the bytes are the leaf's entry. */
export interface SignedStatement extends StatementHeader {
  /** Tagged COSE_Sign1 with an empty unprotected header. */
  readonly entry: Uint8Array;
  readonly sign1: Sign1;
  readonly payload: Uint8Array;
}

/** A payload that stands for content elsewhere (COSE hash envelope, RFC 9995). */
export interface EnvelopeOf {
  /** COSE hash algorithm; -16 is SHA-256. */
  readonly algorithm: number;
  /** Media type of what was hashed. */
  readonly contentType: string | undefined;
  /** Where it lies. */
  readonly location: string | undefined;
}

/** What is said in the header of a statement to be signed. */
export interface StatementClaims {
  readonly iss: string;
  readonly sub: string;
  /** Seconds since the epoch. */
  readonly iat: number;
  /** Media type of the payload; Treering's records when left out. */
  readonly contentType?: string;
  /** The payload is a digest of something else. */
  readonly envelope?: EnvelopeOf;
}

/**
 * Signs a payload as a statement.
 * @throws StatementError (statement/too-large) when the entry would exceed 65,535 bytes
 */
export async function signStatement(
  { iss, sub, iat, contentType, envelope }: StatementClaims,
  payload: Uint8Array,
  signer: StatementSigner,
): Promise<SignedStatement> {
  const header: [number, CborInput][] = [
    [HEADER.algorithm, signer.algorithm],
    [HEADER.keyId, coseKeyThumbprint(signer.key)],
    [
      HEADER.cwtClaims,
      new Map<number, CborInput>([
        [CLAIM.iss, iss],
        [CLAIM.sub, sub],
        [CLAIM.iat, iat],
      ]),
    ],
  ];
  if (envelope === undefined) header.push([HEADER.contentType, contentType ?? RECORD_CONTENT_TYPE]);
  else {
    header.push([HEADER.payloadHashAlgorithm, envelope.algorithm]);
    if (envelope.contentType !== undefined) header.push([HEADER.preimageContentType, envelope.contentType]);
    if (envelope.location !== undefined) header.push([HEADER.payloadLocation, envelope.location]);
  }
  const protectedBytes = encodeCbor(new Map(header));
  const signature = lowS(signer.algorithm, await signer.sign(sigStructure(protectedBytes, payload)));
  return parseStatement(formatSign1({ protectedBytes, unprotectedHeader: new Map(), payload, signature }));
}

/**
 * Reads a signed statement, without checking its signature. Treering's own content types are read strictly: deterministic, and
 * with exactly the headers of the profile. Anything else is a foreign statement (RFC 9943), whose maps may be in any order and
 * whose protected bytes are kept as they came. An unprotected header (receipts, for example) is not part of what is logged:
 * `entry` has it emptied.
 * @throws StatementError statement/too-large, statement/malformed, cose/malformed or a cbor code
 */
export function parseStatement(bytes: Uint8Array): SignedStatement {
  if (bytes.length > MAX_STATEMENT_SIZE * 4) throw tooLarge(bytes.length);
  const copy = new Uint8Array(bytes);
  const { received, own } = readStrictly(copy);
  const bare: Sign1 = { ...received, unprotectedHeader: new Map() };
  const entry = received.unprotectedHeader.size === 0 ? copy : formatSign1(bare);
  // The parts are views: those of what is logged, and not of a header that may be much larger.
  const sign1 = entry === copy ? bare : { ...readSign1(entry, own ? 'deterministic' : 'any'), unprotectedHeader: new Map() };
  const algorithm = sign1.protectedHeader.get(HEADER.algorithm);
  if (typeof algorithm !== 'number') throw new StatementError('statement/malformed', 'the protected header names no algorithm');
  if (sign1.payload === null) throw new StatementError('statement/no-payload', 'a statement carries its payload');
  if (own && lowS(algorithm, sign1.signature) !== sign1.signature) {
    // Both s and n - s verify. If both were taken, anybody could log a statement of somebody else a second time.
    throw new StatementError('statement/malformed', 'the ECDSA signature must have the smaller of its two values of s');
  }
  if (entry.length > MAX_STATEMENT_SIZE) throw tooLarge(entry.length);
  return { ...readHeader(sign1, own), entry, sign1, payload: sign1.payload };
}

/** Strictly, or in any order when it has a foreign content type. */
function readStrictly(bytes: Uint8Array): { received: Sign1; own: boolean } {
  const isOwn = ({ protectedHeader }: Sign1): boolean => isOwnContentType(protectedHeader.get(HEADER.contentType));
  let strict: Sign1;
  try {
    strict = readSign1(bytes, 'deterministic');
  } catch (error) {
    const received = readSign1(bytes, 'any');
    if (isOwn(received)) throw error;
    return { received, own: false };
  }
  return { received: strict, own: isOwn(strict) };
}

/**
 * The other form of a statement with an ECDSA signature, in which s is n - s: it verifies as well, and nobody needs the key to
 * make it. A log takes one of the two. undefined for other algorithms.
 */
export function twinOf({ sign1 }: SignedStatement): Uint8Array | undefined {
  const algorithm = sign1.protectedHeader.get(HEADER.algorithm);
  const curve = algorithm === ALG.es256 ? p256 : algorithm === ALG.es384 ? p384 : undefined;
  const half = sign1.signature.length / 2;
  if (curve === undefined || half !== (curve === p256 ? 32 : 48)) return undefined;
  const order = curve.Point.Fn.ORDER;
  const s = sign1.signature.subarray(half).reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
  if (s === 0n || s >= order) return undefined;
  const signature = new Uint8Array(sign1.signature);
  signature.set(curve.Point.Fn.toBytes(order - s), half);
  return formatSign1({ ...sign1, signature });
}

/** An ECDSA signature with the smaller of its two values of s; the same object when it has it, or is no ECDSA signature. */
function lowS(algorithm: number, signature: Uint8Array): Uint8Array {
  const curve = algorithm === ALG.es256 ? p256 : algorithm === ALG.es384 ? p384 : undefined;
  const half = signature.length / 2;
  if (curve === undefined || half !== (curve === p256 ? 32 : 48)) return signature;
  const order = curve.Point.Fn.ORDER;
  const s = signature.subarray(half).reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
  if (s <= order / 2n || s >= order) return signature;
  const out = new Uint8Array(signature);
  out.set(curve.Point.Fn.toBytes(order - s), half);
  return out;
}

function tooLarge(size: number): StatementError {
  return new StatementError(
    'statement/too-large',
    `a statement has at most ${MAX_STATEMENT_SIZE} bytes, got ${size}; put large content into attachments`,
  );
}
