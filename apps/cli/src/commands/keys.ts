import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { encryptKey } from '@treering/keys';
import { createSigner, formatVerifierKey, KEY_TYPE } from '@treering/note';
import { nodeEd25519, writeKeyFile, writeSecretFile } from '@treering/note/node';
import { isSubject } from '@treering/record';
import { coseKeyThumbprint, encodeCoseKey } from '@treering/statement';
import { stringify } from 'yaml';
import { askSecret } from '../ask.js';
import { UsageError } from '../exit.js';
import type { Session } from '../session.js';
import { SETTINGS_FILE } from '../settings.js';

/** Flags of `keygen`. */
export interface KeygenFlags {
  readonly out?: string;
  readonly roles: readonly string[];
  readonly kind: 'person' | 'workload';
  readonly days: number;
  /** Encrypt the key file with a passphrase. */
  readonly passphrase?: boolean;
}

/** Makes a signing key, and the identity record with which an administrator enrols it. */
export async function keygen(session: Session, id: string, flags: KeygenFlags): Promise<void> {
  if (!isSubject(id) || id.includes('/'))
    throw new UsageError('an id is one segment of [a-z0-9._@-]; take a pseudonym, it stays in the log for ever');
  if (flags.kind === 'person' && id.includes('@'))
    throw new UsageError('an id of a person holds no "@": it must be no mail address, because it stays in the log for ever');
  const path = resolve(session.cwd, flags.out ?? `${id}.key`);
  const enrolment = `${path.replace(/\.key$/, '')}.identity.yaml`;
  if (existsSync(enrolment)) throw new UsageError(`${enrolment} exists`);
  const seed = new Uint8Array(randomBytes(32));
  const { key } = createSigner(id, KEY_TYPE.ed25519, seed, nodeEd25519);
  const cose = { curve: 'Ed25519' as const, x: key.publicKey };
  if (flags.passphrase) await writeSecretFile(path, `${await encryptKey(key, seed, await newPassphrase(session, id))}\n`);
  else await writeKeyFile(path, key, seed);
  const record = {
    type: 'identity',
    subject: `identity/${id}`,
    reason: `Enrol the key of ${id} for ${flags.roles.join(', ')}.`,
    action: 'enrol',
    id,
    key: { $bytes: Buffer.from(encodeCoseKey(cose)).toString('base64url') },
    kind: flags.kind,
    roles: [...flags.roles],
    valid_until: Math.floor(Date.now() / 1000) + flags.days * 86_400,
  };
  await writeFile(enrolment, stringify(record), { flag: 'wx' });
  const { terminal } = session;
  const thumbprint = Buffer.from(coseKeyThumbprint(cose)).toString('hex');
  terminal.line(`key file    ${path} (mode 600; it is the only copy)`);
  terminal.line(`public key  ${formatVerifierKey(key)}`);
  terminal.line(`thumbprint  ${thumbprint}`);
  terminal.line(`enrolment   ${enrolment}`);
  terminal.line(`            an administrator enrols it with: treering record identity --file ${enrolment}`);
  terminal.result({ id, key_file: path, vkey: formatVerifierKey(key), thumbprint, enrolment });
}

/** From the environment, or asked for twice. */
async function newPassphrase({ env, streams }: Session, id: string): Promise<string> {
  if (env.TREERING_PASSPHRASE !== undefined) return env.TREERING_PASSPHRASE;
  const passphrase = await askSecret(`New passphrase of ${id}`, streams);
  if ((await askSecret('The same again', streams)) !== passphrase)
    throw new UsageError('the two passphrases differ; nothing was written');
  return passphrase;
}

/** Flags of `init`. */
export interface InitFlags {
  readonly logKey?: string;
  readonly url?: string;
  readonly key?: string;
}

/** Writes the project file: where the log is, and the key that is trusted. */
export async function initProject(session: Session, flags: InitFlags): Promise<void> {
  const path = join(session.cwd, SETTINGS_FILE);
  if (existsSync(path)) throw new UsageError(`${path} exists`);
  const { origin } = session.trust();
  const settings = {
    log_url: session.settings.url,
    log_key: session.settings.logKey(),
    ...(flags.key === undefined ? {} : { key: flags.key }),
  };
  await writeFile(path, stringify(settings, { lineWidth: 0 }), { flag: 'wx' });
  session.terminal.line(
    `${path} names the log ${origin}. Compare its key with the operator's by another way before you rely on it.`,
  );
  session.terminal.result({ path, ...settings });
}
