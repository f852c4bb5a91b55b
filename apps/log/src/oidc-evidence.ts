import { createHash } from 'node:crypto';
import { rolesFor } from '@treering/governance';
import type { OidcProvider, RecordOf } from '@treering/record';
import { decodeBase64Url, parseCoseKey } from '@treering/statement';
import { calculateJwkThumbprint, type JWK, type JWTPayload } from 'jose';
import { z } from 'zod';
import { ALGORITHMS, CLOCK_TOLERANCE, TOKEN_AGE, type VerifiedToken } from './oidc.js';
import { bindingMistake } from './token-binding.js';

const FORMAT = 'treering/oidc-evidence/v1';
/** Seconds by which the time of an entry may differ from the log's clock. */
const DOOR = 300;

const evidence = z.strictObject({
  format: z.literal(FORMAT),
  provider: z.string(),
  verified_at: z.int(),
  header: z.string(),
  claims: z.string(),
  token_digest: z.string(),
  key: z.looseObject({ kty: z.string() }),
});

/** What re-verifies an enrolment later: header, claims and key as they were; never the signature, so never the token. */
export function formatEvidence(provider: OidcProvider, token: VerifiedToken, now: number): Uint8Array {
  return new TextEncoder().encode(
    `${JSON.stringify(
      {
        format: FORMAT,
        provider: provider.name,
        verified_at: now,
        header: token.header,
        claims: token.payload,
        token_digest: token.digest.toString('hex'),
        key: token.key,
      },
      null,
      1,
    )}\n`,
  );
}

/** An enrolment by token, as it stands in the log. */
export interface EnrolmentEntry {
  readonly record: RecordOf<'identity'>;
  /** Seconds since the epoch, of the statement. */
  readonly iat: number;
  /** What the policy in force for it said of the provider. */
  readonly provider: OidcProvider;
  readonly origin: string;
}

/** What an examination of evidence came to. */
export interface EvidenceReport {
  /** What does not hold, in sentences. */
  readonly mistakes: readonly string[];
  /** Whether the policy itself names the issuer's key. Otherwise that it was the issuer's is only what the log says. */
  readonly pinned: boolean;
}

/**
 * Compares the evidence of an enrolment with its entry and with the policy: the token's digest, its algorithm, issuer, audience and
 * times, its binding to the key, and the roles that its claims give. The signature is not kept, so that it held is the word of the
 * log's operator, which the digest in the entry ties to exactly this token.
 */
export async function examineEvidence(content: Uint8Array, entry: EnrolmentEntry): Promise<EvidenceReport> {
  const { record, provider } = entry;
  let read: z.infer<typeof evidence>;
  let header: Record<string, unknown>;
  let claims: JWTPayload;
  try {
    read = evidence.parse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(content)));
    header = objectIn(read.header);
    claims = objectIn(read.claims);
  } catch {
    return { mistakes: ['the evidence cannot be read'], pinned: false };
  }
  const mistakes: string[] = [];
  const require = (holds: boolean, mistake: string): void => void (holds || mistakes.push(mistake));
  const digest = createHash('sha256').update(`${read.header}.${read.claims}`).digest();
  require(digest.equals(Buffer.from(record.oidc?.token ?? [])), 'it is of another token than the entry names');
  require(read.token_digest === digest.toString('hex'), 'it names another digest than its token has');
  require(read.provider === provider.name && record.oidc?.provider === provider.name, 'it is of another provider');
  const algorithms: readonly string[] = provider.algorithms ?? ALGORITHMS;
  const { alg } = header;
  require(typeof alg === 'string' && algorithms.includes(alg), 'the algorithm of its token is not one that the policy takes');
  mistakes.push(...claimMistakes(claims, provider), ...timeMistakes(claims, read.verified_at, entry));
  const key = parseCoseKey(record.key as Uint8Array);
  const unbound = await bindingMistake(provider, claims, key, entry.origin);
  if (unbound !== undefined) mistakes.push(`its token is not bound to the key: ${unbound}`);
  const roles = rolesFor(provider, claims as Record<string, unknown>);
  require(roles.join('\n') === [...(record.roles ?? [])].sort().join('\n'), `its claims give ${roles.join(', ') || 'no role'}`);
  const pinned = provider.jwks !== undefined;
  if (pinned && !(await isPinned(read.key as JWK, provider)))
    mistakes.push('the key of its issuer is none of those that the policy names');
  return { mistakes, pinned };
}

function claimMistakes(claims: JWTPayload, { issuer, audience, binding }: OidcProvider): string[] {
  const audiences = [claims.aud].flat();
  const mistakes: string[] = [];
  if (claims.iss !== issuer) mistakes.push('its token is of another issuer');
  if (typeof claims.sub !== 'string' || claims.sub === '') mistakes.push('its token names nobody');
  // For `audience` the binding says which it must be.
  if (binding !== 'audience' && !audiences.includes(audience)) mistakes.push('its token is for another audience');
  if (binding !== 'audience' && audiences.length > 1 && claims.azp !== audience)
    mistakes.push('its token is for several audiences, and was given to another');
  return mistakes;
}

function timeMistakes({ iat, exp, nbf }: JWTPayload, verifiedAt: number, { record, iat: logged, provider }: EnrolmentEntry) {
  const mistakes: string[] = [];
  if (typeof iat !== 'number' || typeof exp !== 'number') return ['its token does not say when it is valid'];
  if (verifiedAt > exp + CLOCK_TOLERANCE || verifiedAt < Math.max(iat, nbf ?? 0) - CLOCK_TOLERANCE)
    mistakes.push('its token was not valid when it was verified');
  if (verifiedAt - iat > (provider.token_age ?? TOKEN_AGE) + CLOCK_TOLERANCE)
    mistakes.push('its token was older than the policy takes');
  if (Math.abs(logged - verifiedAt) > DOOR) mistakes.push('it was verified at another time than the entry was signed');
  if ((record.valid_until as number) > verifiedAt + provider.valid_for) mistakes.push('the enrolment lasts too long');
  return mistakes;
}

async function isPinned(key: JWK, { jwks = [] }: OidcProvider): Promise<boolean> {
  try {
    const thumbprint = await calculateJwkThumbprint(key);
    const pinned = await Promise.all(jwks.map((jwk) => calculateJwkThumbprint(jwk as JWK)));
    return pinned.includes(thumbprint);
  } catch {
    // A key of a type that has no thumbprint is none of the policy's.
    return false;
  }
}

function objectIn(part: string): Record<string, unknown> {
  const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(decodeBase64Url(part)));
  return z.record(z.string(), z.unknown()).parse(value);
}
