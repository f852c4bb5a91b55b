import { decodeBase64, NoteError } from '@treering/note';
import { printable } from '@treering/record';
import { type DsseEnvelope, dsseFromJson, StatementError } from '@treering/statement';
import { ForeignError } from './errors.js';
import { members, parseStrictJson } from './strict-json.js';

/** The public key or the certificates that a bundle is said to be signed with. */
export type BundleMaterial =
  | { readonly kind: 'public-key'; readonly hint: string }
  | { readonly kind: 'certificates'; readonly chain: readonly Uint8Array[] };

/** A Sigstore bundle (https://docs.sigstore.dev/about/bundle/) around a DSSE envelope, read and not verified. */
export interface SigstoreBundle {
  readonly mediaType: string;
  readonly material: BundleMaterial;
  readonly envelope: DsseEnvelope;
  /** Whether it carries entries of a transparency log, and has to be verified with them. */
  readonly logged: boolean;
  /** The JSON as it came. */
  readonly json: unknown;
}

const MEDIA_TYPES = /^application\/vnd\.dev\.sigstore\.bundle(?:\+json;version=0\.[123]|\.v0\.3\+json)$/;
const MOST_CERTIFICATES = 8;
const MOST_BYTES = 16 * 1024 * 1024;

/**
 * Reads a bundle. One that signs a file elsewhere (`messageSignature`) says nothing without that file, and is refused.
 * @throws ForeignError foreign/malformed or foreign/unsupported
 */
export function parseBundle(bytes: Uint8Array): SigstoreBundle {
  if (bytes.length > MOST_BYTES) throw malformed(`has more than ${MOST_BYTES} bytes`);
  let json: unknown;
  try {
    json = parseStrictJson(bytes);
  } catch (error) {
    throw malformed(`is no JSON that reads in one way: ${printable((error as Error).message)}`);
  }
  const bundle = members(json);
  if (bundle === undefined) throw malformed('is no JSON object');
  const { mediaType, verificationMaterial, dsseEnvelope, messageSignature, ...rest } = bundle;
  requireNothing(rest);
  if (typeof mediaType !== 'string' || !MEDIA_TYPES.test(mediaType))
    throw new ForeignError('foreign/unsupported', 'the bundle has a media type that is not read here');
  if (messageSignature !== undefined)
    throw new ForeignError(
      'foreign/unsupported',
      'the bundle signs a file that it does not hold; only bundles around a DSSE envelope are read',
    );
  let envelope: DsseEnvelope;
  try {
    envelope = dsseFromJson(dsseEnvelope);
  } catch (error) {
    if (!(error instanceof StatementError)) throw error;
    throw malformed(`holds no DSSE envelope: ${error.message}`);
  }
  if (envelope.signatures.length !== 1) throw malformed('does not have exactly one signature');
  requireEnvelope(dsseEnvelope as Record<string, unknown>);
  const material = members(verificationMaterial);
  if (material === undefined) throw malformed('has no verification material');
  const { tlogEntries, timestampVerificationData, ...signer } = material;
  if ((tlogEntries ?? undefined) !== undefined && !Array.isArray(tlogEntries))
    throw malformed('has log entries that are no list');
  const logged = Array.isArray(tlogEntries) && tlogEntries.length > 0;
  const read = readMaterial(signer);
  // Only certificates that a transparency log vouches for are verified with them; elsewhere nobody would look at them.
  if ((logged && read.kind === 'public-key') || (!logged && hasTimestamps(timestampVerificationData)))
    throw new ForeignError(
      'foreign/unsupported',
      'the bundle carries log entries or timestamps that are not verified for this kind of signer',
    );
  return { mediaType, material: read, envelope, logged, json };
}

function hasTimestamps(data: unknown): boolean {
  if ((data ?? undefined) === undefined) return false;
  const { rfc3161Timestamps, ...rest } = members(data) ?? malformedTimestamps();
  requireNothing(rest);
  if ((rfc3161Timestamps ?? undefined) === undefined) return false;
  if (!Array.isArray(rfc3161Timestamps)) return malformedTimestamps();
  return rfc3161Timestamps.length > 0;
}

function malformedTimestamps(): never {
  throw malformed('has timestamps that are no list');
}

function requireEnvelope({ payload: _, payloadType: __, signatures, ...rest }: Record<string, unknown>): void {
  requireNothing(rest);
  for (const { sig: _, keyid: __, ...more } of signatures as Record<string, unknown>[]) requireNothing(more);
}

/** What this reader does not know, it could not verify either. */
function requireNothing(rest: Record<string, unknown>): void {
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined)
    throw new ForeignError('foreign/unsupported', `the bundle has a member that is not read here: ${printable(unknown)}`);
}

function readMaterial({ publicKey, x509CertificateChain, certificate, ...rest }: Record<string, unknown>): BundleMaterial {
  requireNothing(rest);
  const given = [publicKey, x509CertificateChain, certificate].filter((item) => item !== undefined);
  if (given.length !== 1) throw malformed('does not have exactly one of public key, certificate and certificate chain');
  if (publicKey !== undefined) {
    const material = members(publicKey);
    if (material === undefined) throw malformed('has a public key that is none');
    const { hint } = material;
    if (hint !== undefined && typeof hint !== 'string') throw malformed('has a key hint that is no text');
    return { kind: 'public-key', hint: hint ?? '' };
  }
  const list = certificate === undefined ? members(x509CertificateChain)?.certificates : [certificate];
  if (!Array.isArray(list) || list.length === 0 || list.length > MOST_CERTIFICATES)
    throw malformed('has no certificates, or too many');
  const chain = list.map((item) => {
    const raw = members(item)?.rawBytes;
    if (typeof raw !== 'string' || raw === '') throw malformed('has a certificate that is no base64');
    return decode(raw);
  });
  return { kind: 'certificates', chain };
}

function decode(base64: string): Uint8Array {
  try {
    return decodeBase64(base64);
  } catch (error) {
    if (!(error instanceof NoteError)) throw error;
    throw malformed('has a certificate that is no base64');
  }
}

function malformed(why: string): ForeignError {
  return new ForeignError('foreign/malformed', `the bundle ${why}`);
}
