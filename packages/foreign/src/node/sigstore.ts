import { createHash } from 'node:crypto';
import { bundleFromJSON, type SerializedBundle } from '@sigstore/bundle';
import { TrustedRoot } from '@sigstore/protobuf-specs';
import { type Signer, toSignedEntity, toTrustMaterial, Verifier } from '@sigstore/verify';
import { matchesText } from '@treering/governance';
import { type Issuer, printable } from '@treering/record';
import { ForeignError } from '../errors.js';
import { requireShallowBundle } from './shallow-der.js';

/** Who signed a Sigstore bundle, as its certificate says. */
export interface SigstoreFinding {
  /** SHA-256 of the trusted root as it stands in the policy, 64 hex digits. */
  readonly anchor: string;
  /** The subject alternative name: an e-mail address or the URI of a workflow. */
  readonly identity: string;
  /** The identity provider that the certificate authority asked. */
  readonly provider: string | undefined;
}

/**
 * Verifies a bundle whose certificate lived for minutes: certificate chain, transparency log entry, timestamps, certificate
 * transparency, signature, by Sigstore's own verifier, under a trusted root of the policy.
 * @param artifact what a `messageSignature` bundle signs
 * @throws ForeignError
 */
export function verifySigstore(json: unknown, issuer: Issuer, artifact?: Uint8Array): SigstoreFinding {
  const root = issuer.trusted_root;
  if (root === undefined) throw new ForeignError('foreign/not-verified', `${printable(issuer.issuer)} has no trusted root`);
  requireShallowBundle(json);
  let signer: Signer;
  try {
    const trusted = TrustedRoot.fromJSON(JSON.parse(Buffer.from(root).toString('utf8')));
    const verifier = new Verifier(toTrustMaterial(trusted));
    signer = verifier.verify(
      toSignedEntity(bundleFromJSON(json as SerializedBundle), artifact === undefined ? undefined : Buffer.from(artifact)),
    );
  } catch (error) {
    throw new ForeignError(
      'foreign/not-verified',
      `the Sigstore bundle does not hold: ${printable((error as Error).message)}`,
      { cause: error },
    );
  }
  const identity = signer.identity?.subjectAlternativeName;
  if (identity === undefined) throw new ForeignError('foreign/not-verified', 'the certificate names nobody');
  if (!issuer.identities?.some((pattern) => matchesText(pattern, identity)))
    throw new ForeignError(
      'foreign/not-verified',
      `the certificate is for ${printable(identity)}, whom the policy does not name`,
    );
  return {
    anchor: createHash('sha256').update(root).digest('hex'),
    identity,
    provider: signer.identity?.extensions?.issuer,
  };
}
