import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { formatVerifierKey, KEY_TYPE, parseVerifierKey, type Signer, type VerifierKey } from '@treering/note';
import type { HeadAnchor } from '@treering/sequencer';
import { Problem } from '@treering/server';
import { createCoseKey, type StatementSigner } from '@treering/statement';
import { ConfigError } from './config.js';
import type { DataFolder } from './data-folder.js';
import { writeDurably } from './durable-file.js';
import { type LogKeys, readRetired } from './keys.js';

/*
 * A log that has ended and stays readable: its store is served, and nothing is ever signed. It needs no private key, so that it also
 * is what is left of a log that lost its keys.
 */

/** What is answered to whoever would have something signed or stored. */
export function readOnly(): Problem {
  return new Problem(403, 'log/read-only', 'this log has ended: it can be read, and takes and signs nothing any more');
}

/** A log that signs nothing needs no protection against signing a second history: an older copy can be read as well. */
export const NO_ANCHOR: HeadAnchor = {
  read: () => Promise.resolve(null),
  write: () => Promise.resolve(),
};

/** Keeps the public keys of a log in its data folder, those in force first. */
export async function keepVerifierKeys(folder: DataFolder, keys: LogKeys): Promise<void> {
  const generations = [keys, ...(keys.previous === undefined ? [] : [keys.previous])];
  const lines = generations.flatMap(({ signer, publicationSigner }) =>
    [signer.key, publicationSigner.key].map(formatVerifierKey),
  );
  const text = `${lines.join('\n')}\n`;
  if (existsSync(folder.verifierKeys) && (await readFile(folder.verifierKeys, 'utf8')) === text) return;
  await writeDurably(folder.verifierKeys, Buffer.from(text));
}

/**
 * The keys of a log that is only read: their public halves. Asked to sign, they refuse.
 * @throws ConfigError when they are not in the data folder; NoteError for a line that is no verifier key
 */
export async function openVerifierKeys(folder: DataFolder): Promise<LogKeys & { close(): void }> {
  if (!existsSync(folder.verifierKeys))
    throw new ConfigError(
      `${folder.verifierKeys} is missing: put the verifier keys of the log there, one in a line, the Ed25519 key and the ML-DSA-44 key in force first`,
    );
  const lines = (await readFile(folder.verifierKeys, 'utf8')).split('\n').filter((line) => line !== '');
  const [logKey, publicationKey, ...earlier] = lines.map(parseVerifierKey);
  if (logKey?.type !== KEY_TYPE.ed25519 || publicationKey?.type !== KEY_TYPE.mldsa44Cosignature)
    throw new ConfigError(
      `${folder.verifierKeys} begins with other keys than one of Ed25519 (type 0x01) and one of ML-DSA-44 (type 0x06)`,
    );
  return {
    signer: silent(logKey),
    publicationSigner: silent(publicationKey),
    receiptSigner: silentReceipts(logKey),
    retired: [...earlier, ...(await readRetired(folder))],
    close: () => undefined,
  };
}

function silent(key: VerifierKey): Signer {
  return {
    key,
    sign() {
      throw readOnly();
    },
  };
}

function silentReceipts({ publicKey }: VerifierKey): StatementSigner {
  return {
    algorithm: -8,
    key: createCoseKey('Ed25519', publicKey),
    sign() {
      throw readOnly();
    },
  };
}
