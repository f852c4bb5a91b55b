import { constants, type FileHandle, link, mkdir, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { NoteError } from '../errors.js';
import type { VerifierKey } from '../key.js';
import { formatSignerKey, parseSignerKey, type SignerKey } from '../signer.js';
import { nodeEd25519 } from './native-ed25519.js';

/**
 * Reads a key file. A file that others can read, that is a link, or that belongs to somebody else is refused.
 * No message names what is in it.
 * @throws NoteError (note/bad-key)
 */
export async function readKeyFile(path: string): Promise<SignerKey> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why =
      code === 'ELOOP'
        ? 'is a link, which a key file never is'
        : code === 'ENOENT'
          ? 'does not exist'
          : `cannot be opened (${code})`;
    throw new NoteError('note/bad-key', `the key file ${path} ${why}`);
  }
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw new NoteError('note/bad-key', `the key file ${path} is no regular file`);
    if ((stat.mode & 0o077) !== 0) {
      throw new NoteError(
        'note/bad-key',
        `the key file ${path} is open to others (mode ${(stat.mode & 0o777).toString(8)}); make it 600, and a new key if others may have read it`,
      );
    }
    if (process.getuid !== undefined && stat.uid !== process.getuid())
      throw new NoteError('note/bad-key', `the key file ${path} belongs to another user`);
    if (stat.size > 4096) throw new NoteError('note/bad-key', `the key file ${path} is too large to be one`);
    return parseSignerKey((await file.readFile('utf8')).trimEnd(), nodeEd25519);
  } finally {
    await file.close();
  }
}

/**
 * Writes a new key file with mode 600, durable when it resolves. The file appears with its content or not at all, and an
 * existing one is never replaced.
 * @throws NoteError (note/bad-key) when there is one
 */
export async function writeKeyFile(path: string, key: VerifierKey, seed: Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}.new`;
  await rm(temporary, { force: true });
  const file = await open(temporary, 'wx', 0o600);
  try {
    await file.writeFile(`${formatSignerKey(key, seed)}\n`);
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
