import { existsSync } from 'node:fs';
import { link, readFile, rename, rm } from 'node:fs/promises';
import { type OpenedKey, openKey, openSeed, requireNoteSigner, requireStatementSigner } from '@treering/keys';
import { formatVerifierKey, KEY_TYPE, parseVerifierKey, type Signer, type SignerKey, type VerifierKey } from '@treering/note';
import { SequencerError } from '@treering/sequencer';
import type { StatementSigner } from '@treering/statement';
import { ConfigError } from './config.js';
import type { DataFolder } from './data-folder.js';
import { writeDurably } from './durable-file.js';

/** The keys of one generation. */
export interface LogKeyPair {
  /** Ed25519, type 0x01: signs every head. Its name is the origin. */
  readonly signer: Signer;
  /** The same key: signs receipts. */
  readonly receiptSigner: StatementSigner;
  /** ML-DSA-44, type 0x06: signs published checkpoints. */
  readonly publicationSigner: Signer;
}

/** Everything that a log signs with. */
export interface LogKeys extends LogKeyPair {
  /** The keys that the ones in force replace, as long as they sign beside them. */
  readonly previous?: LogKeyPair;
  /** Public keys of earlier generations: stored heads that they signed are believed. */
  readonly retired?: readonly VerifierKey[];
}

/** Keys from seeds in memory. */
export function logKeysFrom(logKey: SignerKey, publicationKey: SignerKey): LogKeyPair {
  return pair(openSeed(logKey), openSeed(publicationKey));
}

/** Where the keys of a log are, when not in its data folder. */
export interface KeyLocations {
  /** A path, `env:NAME` or `pkcs11:...`; see @treering/keys. */
  readonly log_key?: string | undefined;
  readonly publication_key?: string | undefined;
}

/**
 * Opens the keys of the log in a data folder.
 * @throws KeyError, NoteError or ConfigError
 */
export async function openLogKeys(
  folder: DataFolder,
  locations: KeyLocations = {},
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<LogKeys & { close(): void }> {
  const opened: OpenedKey[] = [];
  const open = async (reference: string): Promise<OpenedKey> => {
    const key = await openKey(reference, { env });
    opened.push(key);
    return key;
  };
  const close = (): void => {
    for (const key of opened) key.close();
  };
  try {
    const current = pair(
      await open(locations.log_key ?? folder.logKey),
      await open(locations.publication_key ?? folder.publicationKey),
    );
    const hasPrevious = existsSync(folder.previousLogKey) && existsSync(folder.previousPublicationKey);
    const previous = hasPrevious
      ? pair(await open(folder.previousLogKey), await open(folder.previousPublicationKey))
      : undefined;
    const retired = await readRetired(folder);
    return { ...current, ...(previous === undefined ? {} : { previous }), retired, close };
  } catch (error) {
    close();
    throw error;
  }
}

function pair(logKey: OpenedKey, publicationKey: OpenedKey): LogKeyPair {
  const signer = requireNoteSigner(logKey);
  const publicationSigner = requireNoteSigner(publicationKey);
  if (signer.key.type !== KEY_TYPE.ed25519) throw new ConfigError('the key of a log is an Ed25519 note key (type 0x01)');
  if (publicationSigner.key.type !== KEY_TYPE.mldsa44Cosignature)
    throw new ConfigError('the publication key of a log is an ML-DSA-44 key (type 0x06)');
  if (signer.key.name !== publicationSigner.key.name)
    throw new SequencerError('sequencer/wrong-key', 'the two keys of a log have one name, its origin, and these have two');
  return { signer, receiptSigner: requireStatementSigner(logKey), publicationSigner };
}

/** The public keys of earlier generations. */
export async function readRetired(folder: DataFolder): Promise<VerifierKey[]> {
  if (!existsSync(folder.retiredKeys)) return [];
  const lines = (await readFile(folder.retiredKeys, 'utf8')).split('\n').filter((line) => line !== '');
  return lines.map(parseVerifierKey);
}

/**
 * Puts the prepared keys into force on this machine: they sign from the next start on, the old ones beside them. Run again
 * after an interruption, it goes on where it stopped.
 * @throws ConfigError when none are prepared, or older keys were not retired
 */
export async function activateKeys(folder: DataFolder): Promise<void> {
  const moves = [
    { now: folder.logKey, next: folder.nextLogKey, previous: folder.previousLogKey },
    { now: folder.publicationKey, next: folder.nextPublicationKey, previous: folder.previousPublicationKey },
  ];
  if (!moves.some(({ next }) => existsSync(next)))
    throw new ConfigError('no keys are prepared; "treering log prepare-key" makes them');
  for (const { now, next, previous } of moves) {
    if (!existsSync(next)) continue;
    if (!existsSync(previous)) await link(now, previous);
    else if (!(await readFile(previous)).equals(await readFile(now)))
      throw new ConfigError(`${previous} still signs beside the keys in force; "treering log retire-key" ends that first`);
    await rename(next, now);
  }
}

/**
 * Ends the time in which the previous keys sign beside those in force: keeps their public parts, and deletes them.
 * @throws ConfigError when there are none
 */
export async function retireKeys(folder: DataFolder): Promise<string[]> {
  const paths = [folder.previousLogKey, folder.previousPublicationKey].filter(existsSync);
  if (paths.length === 0) throw new ConfigError('there are no previous keys that sign');
  const known = (await readRetired(folder)).map(formatVerifierKey);
  const vkeys: string[] = [];
  for (const path of paths) vkeys.push(formatVerifierKey(requireNoteSigner(await openKey(path, { env: process.env })).key));
  const all = [...new Set([...known, ...vkeys])];
  await writeDurably(folder.retiredKeys, Buffer.from(`${all.join('\n')}\n`));
  for (const path of paths) await rm(path);
  return vkeys;
}
