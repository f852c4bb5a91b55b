import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { type OpenedKey, openKey, requireNoteSigner } from '@treering/keys';
import { createSigner, isCosignatureKey, KEY_TYPE, type Signer } from '@treering/note';
import { nodeEd25519, writeKeyFile } from '@treering/note/node';
import { WitnessError } from './errors.js';

/** Keys that cosign, of one name. */
export interface CosignerKeys {
  readonly signers: readonly Signer[];
  close(): void;
}

/**
 * Opens the Ed25519 and the ML-DSA-44 key of a cosigner.
 * @throws KeyError, NoteError or WitnessError (witness/wrong-key)
 */
export async function openCosignerKeys(references: readonly string[]): Promise<CosignerKeys> {
  const opened: OpenedKey[] = [];
  const close = (): void => {
    for (const key of opened) key.close();
  };
  try {
    for (const reference of references) opened.push(await openKey(reference, { env: process.env }));
    const signers = opened.map(requireNoteSigner);
    const wrong = signers.find(({ key }) => !isCosignatureKey(key));
    if (wrong !== undefined)
      throw new WitnessError(
        'witness/wrong-key',
        `the key of ${wrong.key.name} is of a type that does not cosign (0x04 or 0x06)`,
      );
    if (new Set(signers.map(({ key }) => key.name)).size > 1)
      throw new WitnessError('witness/wrong-key', 'the keys of a cosigner have one name');
    return { signers, close };
  } catch (error) {
    close();
    throw error;
  }
}

/**
 * Makes the two keys of a cosigner, those that are not there yet.
 * @param ed25519 undefined when that key lives elsewhere
 */
export async function createCosignerKeys(name: string, ed25519: string | undefined, mldsa44: string): Promise<void> {
  const kinds = [
    [ed25519, KEY_TYPE.ed25519Cosignature],
    [mldsa44, KEY_TYPE.mldsa44Cosignature],
  ] as const;
  for (const [path, type] of kinds) {
    if (path === undefined || existsSync(path)) continue;
    const seed = new Uint8Array(randomBytes(32));
    await writeKeyFile(path, createSigner(name, type, seed, nodeEd25519).key, seed);
  }
}
