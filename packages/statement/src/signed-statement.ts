import { p256, p384 } from '@noble/curves/nist.js';
import { encodeCbor } from './cbor.js';
import type { CborInput, CborValue } from './cbor-value.js';
import { ALG, coseKeyThumbprint } from './cose-key.js';
import { StatementError } from './errors.js';
import { formatSign1, HEADER, parseSign1, type Sign1, type StatementSigner, sigStructure } from './sign1.js';

/** The largest entry of the log, in bytes: what an entry bundle of tlog-tiles can hold. */
export const MAX_STATEMENT_SIZE = 65_535;

/** The content type of Treering's own records. */
export const RECORD_CONTENT_TYPE = 'application/vnd.treering.record+cbor';

const CLAIM = { iss: 1, sub: 2, iat: 6 } as const;

/** What the protected header of a signed statement says (RFC 9943, RFC 9597). */
export interface StatementHeader {
  /** Who speaks: `<origin>/identity/<id>` for Treering's own records. */
  readonly iss: string;
  /** What it is about. */
  readonly sub: string;
  /** When it was signed, in seconds since the epoch. */
  readonly iat: number;
  /** RFC 9679 thumbprint of the signing key, 32 bytes. */
  readonly kid: Uint8Array;
  readonly contentType: string;
}

/** A signed statement as it stands in the log: the bytes are the leaf's entry. */
export interface SignedStatement extends StatementHeader {
  /** Tagged COSE_Sign1 with an empty unprotected header. */
  readonly entry: Uint8Array;
  readonly sign1: Sign1;
  readonly payload: Uint8Array;
}

/**
 * Signs a payload as a statement.
 * @throws StatementError (statement/too-large) when the entry would exceed 65,535 bytes
 */
export async function signStatement(
  claims: { iss: string; sub: string; iat: number; contentType?: string },
  payload: Uint8Array,
  signer: StatementSigner,
): Promise<SignedStatement> {
  const header: [number, CborInput][] = [
    [HEADER.algorithm, signer.algorithm],
    [HEADER.contentType, claims.contentType ?? RECORD_CONTENT_TYPE],
    [HEADER.keyId, coseKeyThumbprint(signer.key)],
    [
      HEADER.cwtClaims,
      new Map<number, CborInput>([
        [CLAIM.iss, claims.iss],
        [CLAIM.sub, claims.sub],
        [CLAIM.iat, claims.iat],
      ]),
    ],
  ];
  const protectedBytes = encodeCbor(new Map(header));
  const signature = lowS(signer.algorithm, await signer.sign(sigStructure(protectedBytes, payload)));
  return parseStatement(formatSign1({ protectedBytes, unprotectedHeader: new Map(), payload, signature }));
}

/**
 * Reads a signed statement strictly, without checking its signature. An unprotected header (receipts, for example) is not part
 * of what is logged: `entry` has it emptied.
 * @throws StatementError statement/too-large, statement/malformed, cose/malformed or a cbor code
 */
export function parseStatement(bytes: Uint8Array): SignedStatement {
  if (bytes.length > MAX_STATEMENT_SIZE * 4) throw tooLarge(bytes.length);
  const received = parseSign1(bytes);
  const sign1: Sign1 = { ...received, unprotectedHeader: new Map() };
  const algorithm = sign1.protectedHeader.get(HEADER.algorithm);
  if (typeof algorithm !== 'number') throw new StatementError('statement/malformed', 'the protected header names no algorithm');
  if (sign1.payload === null) throw new StatementError('statement/malformed', 'a statement carries its payload');
  if (lowS(algorithm, sign1.signature) !== sign1.signature) {
    // Both s and n - s verify. If both were taken, anybody could log a statement of somebody else a second time.
    throw new StatementError('statement/malformed', 'the ECDSA signature must have the smaller of its two values of s');
  }
  const entry = received.unprotectedHeader.size === 0 ? new Uint8Array(bytes) : formatSign1(sign1);
  if (entry.length > MAX_STATEMENT_SIZE) throw tooLarge(entry.length);
  return { ...readHeader(sign1), entry, sign1, payload: sign1.payload };
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

function readHeader(message: Sign1): StatementHeader {
  const header = message.protectedHeader;
  const known: readonly number[] = [HEADER.algorithm, HEADER.contentType, HEADER.keyId, HEADER.cwtClaims];
  for (const label of header.keys()) {
    if (!known.includes(label as number)) {
      throw new StatementError('statement/malformed', `header ${label} has no place in the protected header of a record`);
    }
  }
  const claims = header.get(HEADER.cwtClaims);
  if (!(claims instanceof Map)) throw new StatementError('statement/malformed', 'the protected header has no CWT claims (15)');
  const allowed: readonly CborValue[] = Object.values(CLAIM);
  for (const claim of claims.keys()) {
    if (!allowed.includes(claim)) throw new StatementError('statement/malformed', `claim ${claim} has no place in a record`);
  }
  const iat = claims.get(CLAIM.iat);
  if (typeof iat !== 'number' || iat < 0)
    throw new StatementError('statement/malformed', 'the claim iat (6) is no time in seconds');
  const kid = header.get(HEADER.keyId);
  if (!(kid instanceof Uint8Array) || kid.length !== 32) {
    throw new StatementError('statement/malformed', 'the key id (4) is no RFC 9679 thumbprint of 32 bytes');
  }
  return {
    iss: text(claims.get(CLAIM.iss), 'the claim iss (1)'),
    sub: text(claims.get(CLAIM.sub), 'the claim sub (2)'),
    iat,
    kid,
    contentType: text(header.get(HEADER.contentType), 'the content type (3)'),
  };
}

function text(value: CborValue | undefined, what: string): string {
  if (typeof value !== 'string' || value === '' || value.length > 8192) {
    throw new StatementError('statement/malformed', `${what} is no text of 1 to 8,192 characters`);
  }
  return value;
}
