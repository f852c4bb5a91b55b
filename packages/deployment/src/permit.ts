import { type Claim, holds, REQUIRED_CLAIMS, verifyTlogProof } from '@treering/evidence';
import { equalBytes, type Hasher } from '@treering/merkle';
import type { Ed25519, TrustPolicy } from '@treering/note';
import { printable, type RecordOf, stateDigest } from '@treering/record';
import type { CoseKey } from '@treering/statement';

/**
 * A permit is the `.tlog-proof` file of a deployment record: its statement, its place in the log, and a head that witnesses
 * cosigned. Whoever has the log's and the witnesses' keys checks it offline.
 */

/** Where a deployment is to run, and what would run there. */
export interface PermitQuestion {
  readonly environment: string;
  readonly service: string;
  /** What was found on disk: root of the model's manifest and `configDigest`, 32 bytes each. */
  readonly content?: { readonly model: Uint8Array; readonly config: Uint8Array } | undefined;
  /** Digest of the image that would run, 32 bytes. */
  readonly image?: Uint8Array | undefined;
  /** The permit must have been signed less than so many seconds before `now` (seconds since the epoch). */
  readonly fresh?: { readonly now: number; readonly within: number } | undefined;
}

/** What the reader brings along. Nothing of it is ever taken from the permit. */
export interface PermitTrust {
  /** Log, witnesses and quorum (https://c2sp.org/tlog-policy). */
  readonly policy: TrustPolicy;
  /**
   * Keys of those whose deployments count. `any` leaves it to the log, whose rules decided about the signer and whose monitors
   * decide again: for pipelines whose keys last for an hour.
   */
  readonly signerKeys: readonly CoseKey[] | 'any';
  readonly hasher?: Hasher;
  readonly ed25519?: Ed25519;
}

/** What a permit amounts to. */
export interface PermitReport {
  readonly permitted: boolean;
  readonly claims: readonly Claim[];
  /** The deployment that the permit is about, when it could be read. */
  readonly record: RecordOf<'deployment'> | undefined;
}

/**
 * Checks a permit offline. It says that the log took in this deployment before it happened, not that it is the newest one: a
 * permit of an earlier deployment stays a permit for the earlier state.
 * @throws EvidenceError for a file that is no proof file
 */
export function verifyPermit(bytes: Uint8Array, question: PermitQuestion, trust: PermitTrust): PermitReport {
  const { policy, signerKeys, ...means } = trust;
  const proof = verifyTlogProof(bytes, { policy, ...(signerKeys === 'any' ? {} : { signerKeys }), ...means });
  const claims: Claim[] = proof.claims.filter(({ name }) => name !== 'logged-completely');
  const required = [...REQUIRED_CLAIMS, ...(signerKeys === 'any' ? [] : ['statement-signed'])];
  const record = proof.record?.type === 'deployment' ? proof.record : undefined;
  for (const claim of record === undefined ? [noDeployment()] : claimsOf(record, proof.statement?.iat, question)) {
    claims.push(claim);
    required.push(claim.name);
  }
  return { permitted: holds(claims, required), claims, record };
}

function noDeployment(): Claim {
  return { name: 'permits', verdict: 'failed', text: 'The proof is of something else than a deployment.' };
}

function claimsOf(record: RecordOf<'deployment'>, iat: number | undefined, question: PermitQuestion): Claim[] {
  const { content, image, fresh } = question;
  return [
    placeClaim(record, question),
    ...(content === undefined ? [] : [contentClaim(record, content)]),
    ...(image === undefined ? [] : [imageClaim(record, image)]),
    ...(fresh === undefined ? [] : [freshClaim(iat, fresh)]),
  ];
}

function placeClaim({ environment, service, phase }: RecordOf<'deployment'>, question: PermitQuestion): Claim {
  const claim = (verdict: Claim['verdict'], text: string): Claim => ({ name: 'permits', verdict, text });
  if (environment !== question.environment || service !== question.service)
    return claim(
      'failed',
      `It permits ${service} in ${environment}, and not ${printable(question.service)} in ${printable(question.environment)}.`,
    );
  if (phase === 'ended') return claim('failed', `It says that a deployment of ${service} in ${environment} ended.`);
  return claim('proved', `It permits ${service} in ${environment}.`);
}

function contentClaim(
  { state, image }: RecordOf<'deployment'>,
  { model, config }: { readonly model: Uint8Array; readonly config: Uint8Array },
): Claim {
  const same = equalBytes(stateDigest(model, config, image), state);
  return {
    name: 'state',
    verdict: same ? 'proved' : 'failed',
    text: same
      ? 'The model and the configuration that lie here are those that it permits.'
      : 'The model or the configuration that lie here are not those that it permits.',
  };
}

function imageClaim({ image }: RecordOf<'deployment'>, found: Uint8Array): Claim {
  const same = image !== undefined && equalBytes(image, found);
  const other = image === undefined ? 'It permits no image.' : 'It permits another image.';
  return {
    name: 'image',
    verdict: same ? 'proved' : 'failed',
    text: same ? 'The image is the one that it permits.' : other,
  };
}

/** Seconds by which the signer's clock may be ahead, as at the door of a log. */
const CLOCK_SKEW = 300;

function freshClaim(iat: number | undefined, { now, within }: { readonly now: number; readonly within: number }): Claim {
  const claim = (verdict: Claim['verdict'], text: string): Claim => ({ name: 'fresh', verdict, text });
  if (iat === undefined) return claim('failed', 'It does not say when it was signed.');
  const age = now - iat;
  if (age < -CLOCK_SKEW) return claim('failed', `It is dated ${-age} seconds ahead of the clock here.`);
  if (age >= within) return claim('failed', `It was signed ${age} seconds ago, and may be ${within} seconds old.`);
  return claim('proved', `It was signed ${Math.max(age, 0)} seconds ago.`);
}
