import { constants, type FileHandle, link, mkdir, open, rm, stat as statFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { NoteError } from '../errors.js';
import type { VerifierKey } from '../key.js';
import { secretBytes } from '../secret-bytes.js';
import { formatSignerKey, parseSignerKey, type SignerKey } from '../signer.js';
import { nodeEd25519 } from './native-ed25519.js';

/**
 * Reads a key file.
 * @throws NoteError (note/bad-key)
 */
export async function readKeyFile(path: string): Promise<SignerKey> {
  const bytes = await readSecretBytes(path, 'key file');
  let end = bytes.length;
  while (end > 0 && WHITE_SPACE.includes(bytes[end - 1])) end--;
  try {
    return parseSignerKey(bytes.subarray(0, end), nodeEd25519);
  } finally {
    bytes.fill(0);
  }
}

/** Tab, line feed, carriage return and space. */
const WHITE_SPACE: readonly number[] = [0x09, 0x0a, 0x0d, 0x20];

/**
 * As `readSecretBytes`, for a text in UTF-8.
 * @throws NoteError (note/bad-key)
 */
export async function readSecretFile(path: string, what: string): Promise<string> {
  const bytes = await readSecretBytes(path, what);
  try {
    return Buffer.from(bytes.buffer).toString('utf8');
  } finally {
    bytes.fill(0);
  }
}

/**
 * Reads a small file that holds a secret. One that others can read, that is a link, or that belongs to somebody else is refused, and
 * one in a folder in which everybody can put another in its place. No message names what is in it.
 * @param what it is, for messages: `key file`
 * @returns the only copy that this leaves in memory; its caller wipes it
 * @throws NoteError (note/bad-key)
 */
export async function readSecretBytes(path: string, what: string): Promise<Uint8Array<ArrayBuffer>> {
  const refuse = (why: string): NoteError => new NoteError('note/bad-key', `the ${what} ${path} ${why}`);
  let file: FileHandle;
  try {
    // A pipe is opened at once, and refused below.
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ELOOP') throw refuse(`is a link, which a ${what} never is`);
    throw refuse(code === 'ENOENT' ? 'does not exist' : `cannot be opened (${code})`);
  }
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw refuse('is no regular file');
    if ((stat.mode & 0o077) !== 0) {
      throw refuse(
        `is open to others (mode ${(stat.mode & 0o777).toString(8)}); make it 600, and a new one if others may have read it`,
      );
    }
    if (process.getuid !== undefined && stat.uid !== process.getuid()) throw refuse('belongs to another user');
    if (stat.size > 4096) throw refuse('is too large to be one');
    const folder = await statFile(dirname(path));
    if ((folder.mode & 0o1002) === 0o002)
      throw refuse(`lies in a folder in which everybody may replace it (mode ${(folder.mode & 0o1777).toString(8)})`);
    const bytes = secretBytes(stat.size);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
    if (bytesRead !== bytes.length) throw refuse('changes while it is read');
    return bytes;
  } finally {
    await file.close();
  }
}

/**
 * Writes a new key file with mode 600, durable when it resolves. The file appears with its content or not at all, and an
 * existing one is never replaced.
 * @throws NoteError (note/bad-key) when there is one
 */
export function writeKeyFile(path: string, key: VerifierKey, seed: Uint8Array): Promise<void> {
  return writeSecretFile(path, `${formatSignerKey(key, seed)}\n`);
}

/**
 * As `writeKeyFile`, for any text.
 * @throws NoteError (note/bad-key) when there is a file already
 */
export async function writeSecretFile(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}.new`;
  await rm(temporary, { force: true });
  const file = await open(temporary, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    // link() fails where there is a file; rename() would replace it.
    await link(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new NoteError('note/bad-key', `the key file ${path} exists; a key is never written over another`);
  } finally {
    await rm(temporary, { force: true });
  }
  const folder = await open(dirname(path), 'r');
  await folder.sync().finally(() => folder.close());
}
