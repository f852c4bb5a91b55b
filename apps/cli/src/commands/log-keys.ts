import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { activateKeys, dataFolder, retireKeys } from '@treering/log';
import { createSigner, formatVerifierKey, KEY_TYPE, type VerifierKey } from '@treering/note';
import { nodeEd25519, readKeyFile, writeKeyFile } from '@treering/note/node';
import { stringify } from 'yaml';
import { UsageError } from '../exit.js';
import type { Session } from '../session.js';
import { requireLog } from './serve.js';

/** `log prepare-key`: makes the keys that shall replace those in force, and the amendment with which administrators name them. */
export async function prepareKey(session: Session, flags: { out?: string }): Promise<void> {
  const { terminal, settings, cwd } = session;
  requireLog(settings.data);
  const folder = dataFolder(settings.data);
  const path = resolve(cwd, flags.out ?? 'log-keys.amendment.yaml');
  if (existsSync(path)) throw new UsageError(`${path} exists`);
  const { name: origin } = await readKeyFile(folder.logKey);
  const logKeys = [
    await freshKey(folder.nextLogKey, origin, KEY_TYPE.ed25519),
    await freshKey(folder.nextPublicationKey, origin, KEY_TYPE.mldsa44Cosignature),
  ].map(formatVerifierKey);
  const record = {
    type: 'amendment',
    subject: 'charter',
    reason: 'The keys of the log are replaced by new ones.',
    log_keys: logKeys,
  };
  await writeFile(path, stringify(record, { lineWidth: 0 }), { flag: 'wx' });
  terminal.line(`new keys are prepared; they sign nothing yet. The log names them once administrators agree:`);
  terminal.line(`  treering record amendment --file ${path}`);
  terminal.line('then stop the log, run "treering log activate-key", and start it again');
  terminal.result({ log_keys: logKeys, amendment: path });
}

/** A key that was prepared before is kept: it may be in an amendment already. */
async function freshKey(path: string, origin: string, type: number): Promise<VerifierKey> {
  if (!existsSync(path)) {
    const seed = new Uint8Array(randomBytes(32));
    await writeKeyFile(path, createSigner(origin, type, seed, nodeEd25519).key, seed);
  }
  const { name, seed } = await readKeyFile(path);
  return createSigner(name, type, seed, nodeEd25519).key;
}

/** `log activate-key`: the prepared keys sign from the next start on, the old ones beside them. */
export async function activateKey(session: Session): Promise<void> {
  const { terminal, settings } = session;
  requireLog(settings.data);
  await activateKeys(dataFolder(settings.data));
  terminal.line('the prepared keys are in force here; the previous ones sign beside them until "treering log retire-key"');
  terminal.result({ activated: true });
}

/** `log retire-key`: the previous keys sign no more; their private parts are deleted. */
export async function retireKey(session: Session): Promise<void> {
  const { terminal, settings } = session;
  requireLog(settings.data);
  const vkeys = await retireKeys(dataFolder(settings.data));
  for (const vkey of vkeys) terminal.line(`retired ${vkey}`);
  terminal.line('from the next start on only the keys in force sign');
  terminal.result({ retired: vkeys });
}
