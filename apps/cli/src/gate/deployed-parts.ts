import { realpath } from 'node:fs/promises';
import { resolve } from 'node:path';
import { equalBytes } from '@treering/merkle';
import { manifestRoot, stateDigest } from '@treering/record';
import { hashModel } from '@treering/record/node';
import { type ConfigContent, readConfigContent } from '../config-content.js';
import { parseImageDigest } from '../image-digest.js';
import type { Session } from '../session.js';

/** Where a model and its configuration lie, as it is said on the command line. */
export interface PartFlags {
  readonly model: string;
  readonly ignore?: readonly string[];
  readonly config: readonly string[];
  readonly systemPrompt?: string;
  readonly image?: string;
}

/** What lies there. */
export interface DeployedParts {
  /** Root of the model's manifest, 32 bytes. */
  readonly model: Uint8Array;
  readonly config: ConfigContent;
  /** Digest of the image, 32 bytes, as it was said. */
  readonly image: Uint8Array | undefined;
  /** State digest, 32 bytes. */
  readonly state: Uint8Array;
}

/**
 * Hashes what is to be deployed, or is.
 * @throws UsageError or RecordError when something cannot be read
 */
export async function readParts(session: Session, flags: PartFlags): Promise<DeployedParts> {
  const path = await realpath(resolve(session.cwd, flags.model));
  const image = flags.image === undefined ? undefined : parseImageDigest(flags.image);
  const bar = session.terminal.progress('hashing');
  const modelFiles = await hashModel(path, {
    ignored: flags.ignore ?? [],
    progress: bar.update,
  }).finally(() => bar.stop());
  const files = flags.config.map((file) => resolve(session.cwd, file));
  const prompt = flags.systemPrompt === undefined ? undefined : resolve(session.cwd, flags.systemPrompt);
  const config = await readConfigContent(files, prompt);
  const model = manifestRoot(modelFiles.resources);
  return { model, config, image, state: stateDigest(model, config.digest, image) };
}

/** Whether what lies there is what lay there before. Everything is read again: a file system does not tell of each change at once. */
export async function isUnchanged(session: Session, flags: PartFlags, before: DeployedParts): Promise<boolean> {
  return equalBytes((await readParts(session, flags)).state, before.state);
}
