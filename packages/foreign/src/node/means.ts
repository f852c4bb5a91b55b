import { createHash } from 'node:crypto';
import type { IssuerFinding, Means } from '@treering/governance';
import { nodeEd25519 } from '@treering/note/node';
import { type Issuer, printable } from '@treering/record';
import {
  type CoseKey,
  type DsseEnvelope,
  encodeCoseKey,
  parseCoseKey,
  parseDsse,
  StatementError,
  verifyDsse,
} from '@treering/statement';
import { checkSignatureOffThread } from '@treering/statement/node';
import { parseBundle, type SigstoreBundle } from '../bundle.js';
import { claimsOf } from '../claims.js';
import { ForeignError } from '../errors.js';
import { parseStrictJson } from '../strict-json.js';
import { verifyCertificates } from './certificates.js';
import { verifySigstore } from './sigstore.js';

/** Every check of a signature that admission may need, with Node's cryptography. */
export const nodeMeans: Required<Means> = {
  checkSignature: checkSignatureOffThread,
  certificates: verifyCertificates,
  bundle: async (contentType, bytes, issuers, at) => verifyBundle(contentType, bytes, issuers, at),
};

/**
 * Verifies a bundle or an envelope under the issuers of a policy, and says who of them signed it.
 * @param at seconds since the epoch: when whoever submits it says that it was valid
 * @throws ForeignError or StatementError with the reason
 */
export function verifyBundle(
  contentType: string,
  bytes: Uint8Array,
  issuers: readonly Issuer[],
  at: number | undefined,
): IssuerFinding {
  const bundle = /^application\/vnd\.dev\.sigstore\.bundle\b/i.test(contentType) ? parseBundle(bytes) : undefined;
  const envelope = bundle?.envelope ?? parseEnvelope(bytes);
  const claims = claimsOf(envelope);
  let reason = 'the policy names no issuer who could have signed it';
  for (const issuer of issuers) {
    try {
      const found = verifyUnder(issuer, bundle, envelope, at);
      if (found !== undefined) return { issuer: issuer.issuer, anchor: found.anchor, claims: { ...claims, ...found.claims } };
    } catch (error) {
      if (!(error instanceof ForeignError)) throw error;
      reason = error.message;
    }
  }
  throw new ForeignError('foreign/not-verified', `the signature within holds under no issuer of the policy: ${reason}`);
}

/** A bare envelope, which reads in one way. */
function parseEnvelope(bytes: Uint8Array): DsseEnvelope {
  const envelope = parseDsse(bytes);
  try {
    parseStrictJson(bytes);
  } catch (error) {
    throw new ForeignError(
      'foreign/malformed',
      `the envelope does not read in one way: ${printable((error as Error).message)}`,
    );
  }
  return envelope;
}

interface Found {
  readonly anchor: string;
  readonly claims: Readonly<Record<string, string>>;
}

function verifyUnder(
  issuer: Issuer,
  bundle: SigstoreBundle | undefined,
  envelope: DsseEnvelope,
  at: number | undefined,
): Found | undefined {
  if (bundle?.material.kind === 'certificates') {
    if (bundle.logged) {
      if (issuer.trusted_root === undefined) return undefined;
      const { anchor, identity, provider } = verifySigstore(bundle.json, issuer);
      return { anchor, claims: { identity, ...(provider === undefined ? {} : { oidc_issuer: provider }) } };
    }
    if (issuer.roots === undefined) return undefined;
    const { key, anchor, identity } = verifyCertificates(bundle.material.chain, issuer, at);
    verifyWith(envelope, [key]);
    return { anchor, claims: { identity } };
  }
  return underKeys(issuer, envelope);
}

/** Every signature of an envelope must hold under a key of the same issuer. */
function underKeys({ keys }: Issuer, envelope: DsseEnvelope): Found | undefined {
  const candidates = (keys ?? []).map((bytes) => ({ bytes, key: parseCoseKey(bytes) }));
  let anchor: Uint8Array | undefined;
  for (const signature of envelope.signatures) {
    const single = { ...envelope, signatures: [signature] };
    const holding = candidates.find(({ key }) => holds(single, key));
    if (holding === undefined) return undefined;
    anchor ??= holding.bytes;
  }
  if (anchor === undefined) return undefined;
  return { anchor: createHash('sha256').update(anchor).digest('hex'), claims: { key: hexThumbprint(parseCoseKey(anchor)) } };
}

function holds(envelope: DsseEnvelope, key: CoseKey): boolean {
  try {
    verifyWith(envelope, [key]);
    return true;
  } catch (error) {
    if (error instanceof ForeignError) return false;
    throw error;
  }
}

function verifyWith(envelope: DsseEnvelope, keys: readonly CoseKey[]): void {
  try {
    verifyDsse(envelope, keys, nodeEd25519);
  } catch (error) {
    if (!(error instanceof StatementError)) throw error;
    throw new ForeignError('foreign/not-verified', error.message, { cause: error });
  }
}

function hexThumbprint(key: CoseKey): string {
  return createHash('sha256').update(encodeCoseKey(key)).digest('hex');
}
