import { createFileAnchor } from './anchor.js';
import type { WitnessConfig } from './config.js';
import { witnessFolder } from './data-folder.js';
import { openCosignerKeys } from './keys.js';
import { WitnessStore } from './store.js';
import { Witness } from './witness.js';

/** What came of an unlocking. */
export interface Unlocked {
  /** Why the witness was locked; undefined when it was not. */
  readonly reason: string | undefined;
  /** Heads that its store had lost and that their own cosignatures brought back. */
  readonly adopted: readonly { readonly origin: string; readonly size: bigint }[];
  /** Logs whose copies were lost, and are filled again from now on. */
  readonly refilled: readonly string[];
}

/**
 * Unlocks the witness in a data folder, which must not be running. The operator vouches that, with the given checkpoints, the store
 * holds the newest heads that this witness has cosigned; those published by the logs carry its cosignatures.
 * @throws StorageError, or Problem for a checkpoint that carries no cosignature of this witness
 */
export async function unlockWitness(
  config: Pick<WitnessConfig, 'data' | 'anchor' | 'key'>,
  checkpoints: readonly Uint8Array[] = [],
): Promise<Unlocked> {
  const folder = witnessFolder({ ...config, logs: undefined });
  const store = WitnessStore.open(folder.store, { mode: 'open' }, createFileAnchor(folder.anchor));
  try {
    const keys = await openCosignerKeys([config.key ?? folder.key, folder.mldsaKey]);
    const reason = store.locked;
    let lost: ReturnType<Witness['lostHeads']>;
    try {
      lost = new Witness({ store, signers: keys.signers }).lostHeads(checkpoints);
    } finally {
      keys.close();
    }
    if (reason !== undefined || lost.length > 0) store.unlock(lost);
    return { reason, refilled: store.refillMirrors(), adopted: lost.map(({ origin, head }) => ({ origin, size: head.size })) };
  } finally {
    store.close();
  }
}
