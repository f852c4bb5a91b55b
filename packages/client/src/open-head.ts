import { emptyRoot, equalBytes, ProofError, safeSize } from '@treering/merkle';
import { type Checkpoint, type Ed25519, type LogTrust, openCheckpoint, requireQuorum, type TrustPolicy } from '@treering/note';
import { verified } from './verified.js';

/** A signed head that was verified. */
export interface VerifiedHead {
  readonly size: number;
  /** 32 bytes */
  readonly root: Uint8Array;
  /** The signed note. */
  readonly note: Uint8Array;
}

/**
 * Opens a signed head of one log.
 * @param policy whose quorum of witnesses must have cosigned it; without one, the log's signature suffices
 * @throws ClientError (client/not-verified)
 */
export function openHead(note: Uint8Array, trust: LogTrust, ed25519?: Ed25519, policy?: TrustPolicy): VerifiedHead {
  return headOf(note, () => {
    const witnessKeys = policy?.witnesses.map(({ key }) => key) ?? [];
    const { checkpoint, cosignatures } = openCheckpoint(note, { ...trust, witnessKeys }, ed25519);
    if (policy !== undefined) requireQuorum(policy, cosignatures);
    return checkpoint;
  });
}

/** The head in a note that `open` reads. @throws ClientError (client/not-verified) */
export function headOf(note: Uint8Array, open: () => Checkpoint): VerifiedHead {
  return verified(() => {
    const checkpoint = open();
    if (checkpoint.size === 0n && !equalBytes(checkpoint.root, emptyRoot()))
      throw new ProofError('an empty tree has the hash of no bytes');
    return { size: safeSize(checkpoint.size), root: checkpoint.root, note };
  });
}
