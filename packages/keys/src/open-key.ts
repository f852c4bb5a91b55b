import { parseSignerKey, type SignerKey } from '@treering/note';
import { nodeEd25519, readSecretBytes, readSecretFile } from '@treering/note/node';
import { decryptKey, isEncrypted } from './encrypted.js';
import { KeyError } from './errors.js';
import { type OpenedKey, openSeed } from './opened-key.js';
import { openPkcs11 } from './pkcs11.js';
import { parsePkcs11Uri } from './pkcs11-uri.js';

/** What opening a key may need from outside. */
export interface KeyOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Asks somebody for a passphrase or a PIN; without it, only the environment is asked. */
  readonly ask?: (what: string) => Promise<string>;
}

/**
 * Opens a private key from where it lives:
 *
 *  - a path: a key file of mode 600, plain or encrypted with a passphrase (TREERING_PASSPHRASE, TREERING_PASSPHRASE_FILE);
 *  - `env:NAME`: the line of a key file in the environment variable NAME;
 *  - `pkcs11:...`: a key that stays in its token (TREERING_PKCS11_PIN or pin-source).
 *
 * @throws KeyError or NoteError; no message repeats anything secret
 */
export async function openKey(reference: string, options: KeyOptions): Promise<OpenedKey> {
  if (reference.startsWith('pkcs11:')) {
    const uri = parsePkcs11Uri(reference);
    return openPkcs11(uri, await pinOf(uri.pinSource, options));
  }
  const text = reference.startsWith('env:')
    ? Buffer.from(fromEnvironment(reference.slice(4), options))
    : Buffer.from((await readSecretBytes(reference, 'key file')).buffer);
  let key: SignerKey | undefined;
  try {
    key = await readKey(trimmed(text), options);
    return openSeed(key);
  } finally {
    // What was opened signs with what OpenSSL holds, or with a key that was made of the seed.
    key?.seed.fill(0);
    text.fill(0);
  }
}

async function readKey(line: Buffer, options: KeyOptions): Promise<SignerKey> {
  if (!isEncrypted(line.toString('latin1', 0, 16))) return parseSignerKey(line, nodeEd25519);
  const text = line.toString('utf8');
  return decryptKey(text, await passphraseOf(text.split('+')[2], options));
}

/** Without the white space around it: a view of the same bytes. */
function trimmed(bytes: Buffer): Buffer {
  const isSpace = (byte: number): boolean => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
  let [start, end] = [0, bytes.length];
  while (start < end && isSpace(bytes[start])) start++;
  while (end > start && isSpace(bytes[end - 1])) end--;
  return bytes.subarray(start, end);
}

function fromEnvironment(name: string, { env }: KeyOptions): string {
  const text = Object.hasOwn(env, name) ? env[name] : undefined;
  if (text === undefined || text === '') throw new KeyError('key/missing', `the environment variable ${name} holds no key`);
  return text;
}

async function passphraseOf(name: string, { env, ask }: KeyOptions): Promise<string> {
  if (env.TREERING_PASSPHRASE !== undefined) return env.TREERING_PASSPHRASE;
  if (env.TREERING_PASSPHRASE_FILE !== undefined)
    return (await readSecretFile(env.TREERING_PASSPHRASE_FILE, 'passphrase file')).replace(/\r?\n$/, '');
  if (ask === undefined)
    throw new KeyError(
      'key/passphrase',
      `the key of ${name} is encrypted: set TREERING_PASSPHRASE or TREERING_PASSPHRASE_FILE`,
    );
  return ask(`Passphrase of ${name}`);
}

async function pinOf(source: string | undefined, { env, ask }: KeyOptions): Promise<string> {
  if (env.TREERING_PKCS11_PIN !== undefined) return env.TREERING_PKCS11_PIN;
  if (source !== undefined) return (await readSecretFile(source, 'PIN file')).trim();
  if (ask === undefined)
    throw new KeyError('key/passphrase', 'the token wants a PIN: set TREERING_PKCS11_PIN or pin-source=file:<path>');
  return ask('PIN of the token');
}
