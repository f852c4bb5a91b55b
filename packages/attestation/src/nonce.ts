import { sha256 } from '@noble/hashes/sha2.js';

const CONTEXT = new TextEncoder().encode('treering/attestation/v1');

/**
 * What a quote is asked with: SHA-256("treering/attestation/v1" ‖ root ‖ leaf ‖ state), 32 bytes. A quote with it was made after the
 * checkpoint with this root, for this deployment and this state.
 * @param root of the checkpoint, 32 bytes
 * @param leaf hash of the deployment, 32 bytes
 * @param state digest of the deployment, 32 bytes
 */
export function attestationNonce(root: Uint8Array, leaf: Uint8Array, state: Uint8Array): Uint8Array {
  for (const part of [root, leaf, state]) if (part.length !== 32) throw new RangeError('each part of a nonce is 32 bytes');
  return sha256.create().update(CONTEXT).update(root).update(leaf).update(state).digest();
}
