import { constants, type FileHandle, link, mkdir, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { NoteError } from '../errors.js';
import type { VerifierKey } from '../key.js';
import { formatSignerKey, parseSignerKey, type SignerKey } from '../signer.js';
import { nodeEd25519 } from './native-ed25519.js';

/**
 * Reads a key file.
 * @throws NoteError (note/bad-key)
 */
export async function readKeyFile(path: string): Promise<SignerKey> {
  return parseSignerKey((await readSecretFile(path, 'key file')).trimEnd(), nodeEd25519);
}

/**
 * Reads a small file that holds a secret. One that others can read, that is a link, or that belongs to somebody else is refused.
 * No message names what is in it.
 * @param what it is, for messages: `key file`
 * @throws NoteError (note/bad-key)
 */
export async function readSecretFile(path: string, what: string): Promise<string> {
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
    return await file.readFile('utf8');
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
