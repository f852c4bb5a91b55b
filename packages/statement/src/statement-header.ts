import type { CborValue } from './cbor-value.js';
import { StatementError } from './errors.js';
import { HEADER, type Sign1 } from './sign1.js';
import type { EnvelopeOf } from './signed-statement.js';

/** The content type of Treering's own records. */
export const RECORD_CONTENT_TYPE = 'application/vnd.treering.record+cbor';

/** CWT claims in the protected header (RFC 9597, RFC 8392). */
export const CLAIM = { iss: 1, sub: 2, iat: 6 } as const;

/** The digest lengths of COSE hash algorithms (RFC 9054) that a hash envelope may name. */
const HASHES: ReadonlyMap<CborValue | undefined, number> = new Map([
  [-16, 32],
  [-43, 48],
  [-44, 64],
]);

const X5T = 34;
const TYPE = 16;
const OWN: readonly number[] = [HEADER.algorithm, HEADER.contentType, HEADER.keyId, HEADER.cwtClaims];
const FOREIGN: readonly number[] = [
  ...OWN,
  TYPE,
  HEADER.x5chain,
  X5T,
  HEADER.payloadHashAlgorithm,
  HEADER.preimageContentType,
  HEADER.payloadLocation,
];
/** Certificates in one header. */
const MOST_CERTIFICATES = 8;

/** What the protected header of a signed statement says (RFC 9943, RFC 9597). */
export interface StatementHeader {
  /** Who speaks: `<origin>/identity/<id>` for Treering's own records. */
  readonly iss: string;
  /** What it is about. */
  readonly sub: string;
  /** When it was signed, in seconds since the epoch; foreign statements may not say. */
  readonly iat: number | undefined;
  /** RFC 9679 thumbprint of the signing key, 32 bytes; foreign statements may name their key in another way. */
  readonly kid: Uint8Array | undefined;
  /** undefined when a foreign statement does not say. */
  readonly contentType: string | undefined;
  /** Set for a hash envelope: the payload is the digest of something else. */
  readonly envelope: EnvelopeOf | undefined;
  /** X.509 certificates of a foreign statement (RFC 9360), the signer's first, in DER. */
  readonly certificates: readonly Uint8Array[];
}

/** Whether a content type is one that Treering defines. */
export function isOwnContentType(type: CborValue | undefined): boolean {
  return typeof type === 'string' && type.toLowerCase().startsWith('application/vnd.treering.');
}

/**
 * Reads the protected header.
 * @param own whether it must be exactly the header of Treering's own statements
 * @throws StatementError (statement/malformed)
 */
export function readHeader(message: Sign1, own: boolean): StatementHeader {
  const header = message.protectedHeader;
  const known = own ? OWN : FOREIGN;
  for (const label of header.keys()) {
    if (!known.includes(label as number)) {
      throw malformed(`header ${label} has no place in the protected header of a ${own ? 'record' : 'statement'}`);
    }
  }
  const claims = header.get(HEADER.cwtClaims);
  if (!(claims instanceof Map)) throw malformed('the protected header has no CWT claims (15)');
  if (own) {
    const allowed: readonly CborValue[] = Object.values(CLAIM);
    for (const claim of claims.keys()) if (!allowed.includes(claim)) throw malformed(`claim ${claim} has no place in a record`);
  }
  const iat = claims.get(CLAIM.iat);
  if ((own || iat !== undefined) && (typeof iat !== 'number' || iat < 0))
    throw malformed('the claim iat (6) is no time in seconds');
  const kid = header.get(HEADER.keyId);
  if (own && (!(kid instanceof Uint8Array) || kid.length !== 32)) {
    throw malformed('the key id (4) is no RFC 9679 thumbprint of 32 bytes');
  }
  if (kid !== undefined && !(kid instanceof Uint8Array)) throw malformed('the key id (4) is no byte string');
  const certificates = readCertificates(header.get(HEADER.x5chain));
  if (kid === undefined && certificates.length === 0) {
    throw malformed('the protected header names no key: neither a key id (4) nor certificates (33)');
  }
  const envelope = readEnvelope(message);
  const contentType = header.get(HEADER.contentType);
  return {
    iss: text(claims.get(CLAIM.iss), 'the claim iss (1)'),
    sub: text(claims.get(CLAIM.sub), 'the claim sub (2)'),
    iat: iat as number | undefined,
    kid: kid as Uint8Array | undefined,
    contentType: contentType === undefined && !own ? undefined : text(contentType, 'the content type (3)'),
    envelope,
    certificates,
  };
}

/** COSE hash envelope, RFC 9995: 258 names the algorithm, and 3 must not stand beside it. */
function readEnvelope({ protectedHeader: header, payload }: Sign1): EnvelopeOf | undefined {
  const algorithm = header.get(HEADER.payloadHashAlgorithm);
  if (algorithm === undefined) {
    if (header.has(HEADER.preimageContentType) || header.has(HEADER.payloadLocation))
      throw malformed('headers 259 and 260 belong to a hash envelope, which has header 258');
    return undefined;
  }
  const length = HASHES.get(algorithm);
  if (length === undefined) throw malformed(`payload hash algorithm ${String(algorithm)} (258) is not read here`);
  if (header.has(HEADER.contentType)) throw malformed('a hash envelope has its content type in header 259, never in 3');
  if (payload?.length !== length) throw malformed(`the payload of this hash envelope must be a digest of ${length} bytes`);
  const contentType = header.get(HEADER.preimageContentType);
  const location = header.get(HEADER.payloadLocation);
  return {
    algorithm: algorithm as number,
    contentType: contentType === undefined ? undefined : text(contentType, 'the content type of the preimage (259)'),
    location: location === undefined ? undefined : text(location, 'the payload location (260)'),
  };
}

/** x5chain, RFC 9360: one certificate as bytes, or several in an array. */
function readCertificates(value: CborValue | undefined): readonly Uint8Array[] {
  if (value === undefined) return [];
  const list: readonly CborValue[] = value instanceof Uint8Array ? [value] : Array.isArray(value) ? (value as CborValue[]) : [];
  if (list.length === 0 || list.length > MOST_CERTIFICATES || !list.every((item) => item instanceof Uint8Array)) {
    throw malformed(`x5chain (33) holds 1 to ${MOST_CERTIFICATES} certificates in DER`);
  }
  return list as Uint8Array[];
}

function text(value: CborValue | undefined, what: string): string {
  if (typeof value !== 'string' || value === '' || value.length > 8192) {
    throw malformed(`${what} is no text of 1 to 8,192 characters`);
  }
  return value;
}

function malformed(message: string): StatementError {
  return new StatementError('statement/malformed', message);
}
