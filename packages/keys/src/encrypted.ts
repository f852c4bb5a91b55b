import { createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto';
import { decodeBase64, formatSignerKey, parseSignerKey, type SignerKey, type VerifierKey } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { KeyError } from './errors.js';

/*
 * An encrypted key file is one line:
 *
 *   ENCRYPTED+KEY+<name>+<id>+<log2 N>+<base64 salt>+<base64 nonce ‖ ciphertext ‖ tag>
 *
 * The content is the line of the plain key file. scrypt (RFC 7914) with r = 8, p = 1 makes an AES-256-GCM key of the passphrase;
 * everything before the last part is authenticated with it.
 */

/** 2^17: about half a second and 128 MiB for every guess. */
const LOG_N = 17;
const LARGEST_LOG_N = 20;
const LINE = /^ENCRYPTED\+KEY\+([^+]+)\+([0-9a-f]{8})\+(\d{1,2})\+([A-Za-z0-9+/]{22}==)\+([A-Za-z0-9+/]+={0,2})$/;

/** Whether the text of a key file is encrypted. */
export function isEncrypted(text: string): boolean {
  return text.startsWith('ENCRYPTED+KEY+');
}

/** The text of an encrypted key file. */
export async function encryptKey(key: VerifierKey, seed: Uint8Array, passphrase: string): Promise<string> {
  if (passphrase.length < 8) throw new KeyError('key/passphrase', 'a passphrase has at least 8 characters');
  const salt = randomBytes(16);
  const head = `ENCRYPTED+KEY+${key.name}+${key.id}+${LOG_N}+${salt.toString('base64')}`;
  const nonce = randomBytes(12);
  const stretched = await stretch(passphrase, salt, LOG_N);
  const cipher = createCipheriv('aes-256-gcm', stretched, nonce).setAAD(Buffer.from(head));
  stretched.fill(0);
  const sealed = Buffer.concat([nonce, cipher.update(formatSignerKey(key, seed), 'utf8'), cipher.final(), cipher.getAuthTag()]);
  return `${head}+${sealed.toString('base64')}`;
}

/**
 * Opens the text of an encrypted key file.
 * @throws KeyError key/malformed or key/passphrase
 */
export async function decryptKey(text: string, passphrase: string): Promise<SignerKey> {
  const match = LINE.exec(text);
  if (match === null || Number(match[3]) > LARGEST_LOG_N || Number(match[3]) < 10)
    throw new KeyError('key/malformed', 'this is no encrypted key file');
  const [, name, , logN, salt, base64] = match;
  const sealed = Buffer.from(inFile(() => decodeBase64(base64)));
  const key = await stretch(
    passphrase,
    inFile(() => decodeBase64(salt)),
    Number(logN),
  );
  const parts: Buffer[] = [];
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, 12), { authTagLength: 16 });
    decipher.setAAD(Buffer.from(text.slice(0, text.length - base64.length - 1))).setAuthTag(sealed.subarray(-16));
    parts.push(decipher.update(sealed.subarray(12, -16)), decipher.final());
  } catch {
    throw new KeyError('key/passphrase', `the passphrase does not open the key of ${name}`);
  } finally {
    key.fill(0);
  }
  const plain = Buffer.concat(parts);
  try {
    return inFile(() => parseSignerKey(plain, nodeEd25519));
  } finally {
    for (const bytes of [plain, ...parts]) bytes.fill(0);
  }
}

/** Reads a part of an encrypted key file. @throws KeyError (key/malformed) */
function inFile<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new KeyError('key/malformed', 'this is no encrypted key file', { cause: error });
  }
}

function stretch(passphrase: string, salt: Uint8Array, logN: number): Promise<Buffer> {
  const N = 2 ** logN;
  // The same text on every keyboard.
  const bytes = Buffer.from(passphrase.normalize('NFKC'));
  return new Promise<Buffer>((resolve, reject) => {
    scrypt(bytes, salt, 32, { N, r: 8, p: 1, maxmem: 256 * N * 8 }, (error, key) =>
      error === null ? resolve(key) : reject(error),
    );
  }).finally(() => bytes.fill(0));
}
