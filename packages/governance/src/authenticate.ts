import { sha256 } from '@noble/hashes/sha2.js';
import { hex } from '@treering/note';
import { type Issuer, printable } from '@treering/record';
import {
  type CoseKey,
  checkSignature,
  parseCoseKey,
  type SignatureCheck,
  type SignedStatement,
  StatementError,
  signatureCheck,
} from '@treering/statement';
import type { Candidate, IssuerFinding } from './candidate.js';
import { charterSigner } from './charter.js';
import { type Refusal, refuse } from './decision.js';
import type { GovernanceState } from './state.js';

/** A signature by a certificate that leads to a root of the policy. */
export interface CertificateFinding {
  readonly key: CoseKey;
  /** SHA-256 of the root certificate, 64 hex digits. */
  readonly anchor: string;
  /** The subject alternative name, or without one the common name. */
  readonly identity: string;
}

/** How signatures are checked; what is left out cannot be checked here, and is refused. */
export interface Means {
  readonly checkSignature?: (check: SignatureCheck) => boolean | Promise<boolean>;
  /** Follows a chain of certificates to a root. @throws Error with the reason */
  readonly certificates?: (
    chain: readonly Uint8Array[],
    issuer: Issuer,
    at: number | undefined,
  ) => CertificateFinding | Promise<CertificateFinding>;
  /** Verifies such a bundle under the issuers of the policy. @throws Error with the reason */
  readonly bundle?: (
    contentType: string,
    bytes: Uint8Array,
    issuers: readonly Issuer[],
    at: number | undefined,
  ) => Promise<IssuerFinding>;
}

/** What came of checking the signatures of a statement: the candidate, ready to be decided on, or why not. */
export type Authenticated =
  | { readonly held: true; readonly candidate: Candidate }
  | { readonly held: false; readonly refusal: Refusal };

/**
 * Checks every signature that a statement rests upon, under the keys that the log has enrolled and the issuers that the policy
 * in force names: the statement's own and, for a bundle that it carries, those within. `admit` decides on what is left.
 */
export async function authenticate(state: GovernanceState, candidate: Candidate, means: Means = {}): Promise<Authenticated> {
  const { statement, record } = candidate;
  // The state may go on while signatures are checked: all that is asked of it is asked now.
  const key = keyFor(state, candidate);
  const issuers = state.policy?.issuers ?? [];
  if (record !== undefined) {
    if (key === undefined) return failed('governance/unknown-key', 'identities', 'no identity is enrolled with this key');
    try {
      return authenticateRecord(candidate, await holds(statement, key, means));
    } catch (error) {
      if (!(error instanceof StatementError)) throw error;
      return failed(codeOf(error, 'cose/bad-signature'), 'signature', error.message);
    }
  }
  try {
    if (key !== undefined) {
      if (!(await holds(statement, key, means))) return badSignature();
      const issuer = await bundleIssuer(issuers, statement, means);
      return { held: true, candidate: { ...candidate, verified: { enrolled: true, issuer } } };
    }
    const issuer = await statementIssuer(issuers, statement, means);
    if (issuer === undefined)
      return failed(
        'governance/unknown-key',
        'identities',
        `neither an enrolled key nor an issuer of the policy stands behind ${printable(statement.iss)}`,
      );
    await bundleIssuer(issuers, statement, means);
    return { held: true, candidate: { ...candidate, verified: { enrolled: false, issuer } } };
  } catch (error) {
    if (error instanceof NotChecked) return failed('governance/not-checked', 'issuers', error.message);
    if (error instanceof NotVerified || error instanceof StatementError)
      return failed(codeOf(error, 'governance/foreign-not-verified'), 'issuers', error.message);
    throw error;
  }
}

/** What follows for a record when it is known whether its signature holds under the enrolled key (`keyFor`). */
export function authenticateRecord(candidate: Candidate, isHeld: boolean): Authenticated {
  if (!isHeld) return badSignature();
  return { held: true, candidate: { ...candidate, verified: { enrolled: true, issuer: undefined } } };
}

/**
 * The enrolled key under which a statement's signature has to hold, or undefined when the log knows none. The charter brings
 * its own keys.
 */
export function keyFor(state: GovernanceState, { record, statement }: Candidate): CoseKey | undefined {
  if (state.charter === undefined && record?.type === 'charter') return charterSigner(record, statement.kid)?.key;
  return state.identity(statement.kid)?.key;
}

class NotVerified extends Error {}

/** The means are missing: somebody else may find that it holds. */
class NotChecked extends NotVerified {}

async function holds(statement: SignedStatement, key: CoseKey, means: Means): Promise<boolean> {
  return (means.checkSignature ?? checkSignature)(signatureCheck(statement.sign1, key));
}

/** The issuer of the policy who signed the statement itself, with a key or a certificate. */
async function statementIssuer(
  issuers: readonly Issuer[],
  statement: SignedStatement,
  means: Means,
): Promise<IssuerFinding | undefined> {
  const issuer = issuers.find((known) => known.issuer === statement.iss);
  if (issuer === undefined) return undefined;
  const content = statement.envelope?.contentType ?? statement.contentType;
  const about = { subject: statement.sub, ...(content === undefined ? {} : { content_type: content }) };
  for (const bytes of issuer.keys ?? []) {
    const key = parseCoseKey(bytes);
    try {
      if (await holds(statement, key, means)) return { issuer: issuer.issuer, anchor: hex(sha256(bytes)), claims: about };
    } catch (error) {
      // The key is for another algorithm than the statement names.
      if (!(error instanceof StatementError)) throw error;
    }
  }
  if (statement.certificates.length > 0 && issuer.roots !== undefined) {
    if (means.certificates === undefined) throw new NotChecked('certificates cannot be checked here');
    const { key, anchor, identity } = await attempt(() =>
      (means.certificates as NonNullable<Means['certificates']>)(statement.certificates, issuer, statement.iat),
    );
    if (!(await holds(statement, key, means))) throw new NotVerified('the signature does not hold under its certificate');
    return { issuer: issuer.issuer, anchor, claims: { ...about, identity } };
  }
  throw new NotVerified(`the signature holds under no key or certificate of ${printable(issuer.issuer)} that the policy names`);
}

/** Whoever signed the bundle that a statement carries; undefined when it carries none. */
async function bundleIssuer(
  issuers: readonly Issuer[],
  statement: SignedStatement,
  means: Means,
): Promise<IssuerFinding | undefined> {
  const { contentType, payload, iat } = statement;
  if (contentType === undefined || !looksLikeBundle(contentType)) return undefined;
  if (means.bundle === undefined) throw new NotChecked('bundles cannot be checked here');
  const verify = means.bundle;
  return attempt(() => verify(contentType, payload, issuers, iat));
}

/** Media types whose content carries signatures of its own: Sigstore bundles (also of model signing) and DSSE envelopes. */
export function looksLikeBundle(contentType: string): boolean {
  return /^application\/(?:vnd\.dev\.sigstore\.bundle\b|vnd\.dsse\b|vnd\.in-toto(?:\.[a-z0-9.-]+)?\+dsse\b)/.test(
    contentType.toLowerCase(),
  );
}

async function attempt<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    // A stack or a memory that runs out says nothing about the statement: somebody else would find something else.
    if (error instanceof RangeError) throw error;
    throw new NotVerified((error as Error).message, { cause: error });
  }
}

/** An algorithm that nobody reads here is said to be that. */
function codeOf(error: Error, otherwise: Refusal['code']): Refusal['code'] {
  return error instanceof StatementError && error.code === 'cose/unknown-algorithm' ? error.code : otherwise;
}

function badSignature(): Authenticated {
  return failed('cose/bad-signature', 'signature', 'the signature of the statement does not hold');
}

function failed(code: Refusal['code'], rule: string, message: string): Authenticated {
  return { held: false, refusal: refuse(code, rule, message) };
}
