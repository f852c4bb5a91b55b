import { existsSync } from 'node:fs';
import { equalBytes } from '@treering/merkle';
import type { Logger } from 'pino';
import type { WitnessConfig } from './config.js';
import type { WitnessFolder } from './data-folder.js';
import { WitnessError } from './errors.js';
import { type CosignerKeys, createCosignerKeys, openCosignerKeys } from './keys.js';
import { Mirror } from './mirror.js';
import type { WitnessStore } from './store.js';

/** A mirror with its keys. */
export interface ServedMirror {
  readonly mirror: Mirror;
  close(): void;
}

/**
 * Opens the mirror beside a witness. It is a cosigner of its own: it gets keys when it has cosigned nothing, and copies that are
 * not what it has cosigned are locked.
 * @throws NoteError, KeyError or WitnessError (witness/wrong-key)
 */
export async function openMirror(
  { mirror_name }: Pick<WitnessConfig, 'mirror_name'>,
  folder: WitnessFolder,
  store: WitnessStore,
  witness: CosignerKeys,
  logger: Logger,
): Promise<ServedMirror> {
  const ownName = witness.signers[0].key.name;
  if (store.origins().every((origin) => store.mirrored(origin) === undefined)) {
    if (!existsSync(folder.mirrorKey)) refuseSameName(mirror_name, ownName);
    await createCosignerKeys(mirror_name ?? `${ownName}/mirror`, folder.mirrorKey, folder.mirrorMldsaKey);
  }
  const keys = await openCosignerKeys([folder.mirrorKey, folder.mirrorMldsaKey]);
  try {
    const { name } = keys.signers[0].key;
    refuseSameName(name, ownName);
    if (mirror_name !== undefined && mirror_name !== name)
      throw new WitnessError('witness/wrong-key', `the keys of the mirror have the name ${name}, not ${mirror_name}`);
    // An Ed25519 cosignature does not name its cosigner: a shared key would let the witness speak for the mirror.
    const shared = keys.signers.some((own) =>
      witness.signers.some((other) => equalBytes(own.key.publicKey, other.key.publicKey)),
    );
    if (shared) throw new WitnessError('witness/wrong-key', 'the mirror and the witness have the same key');
    const mirror = new Mirror({ store, signers: keys.signers, folder: folder.mirrors });
    for (const origin of await mirror.copies.examine())
      logger.error({ origin, why: store.mirrored(origin)?.lost }, 'the mirror of a log is locked');
    return {
      mirror,
      close() {
        mirror.close();
        keys.close();
      },
    };
  } catch (error) {
    keys.close();
    throw error;
  }
}

function refuseSameName(name: string | undefined, witness: string): void {
  if (name === witness)
    throw new WitnessError(
      'witness/wrong-key',
      `the mirror is another cosigner than the witness and needs a name other than ${witness}`,
    );
}
