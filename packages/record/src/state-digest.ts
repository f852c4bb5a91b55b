import { sha256 } from '@noble/hashes/sha2.js';

const CONTEXT = new TextEncoder().encode('treering/state/v1');

/**
 * The digest of what a deployment runs: SHA-256("treering/state/v1" ‖ model ‖ config ‖ image), 32 bytes each, the image's being
 * zero when there is none (formats.md section 5).
 */
export function stateDigest(model: Uint8Array, config: Uint8Array, image: Uint8Array = new Uint8Array(32)): Uint8Array {
  for (const part of [model, config, image]) if (part.length !== 32) throw new RangeError('each part of a state is 32 bytes');
  return sha256.create().update(CONTEXT).update(model).update(config).update(image).digest();
}
