import { createHash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { constants, type FileHandle, lstat, open } from 'node:fs/promises';
import { RecordError } from '../errors.js';
import { headerLength, parseHeader, type TensorDigest } from '../safetensors.js';

const CHUNK = 1024 * 1024;

/** What is hashed in one pass over a file. */
export interface FileHash {
  /** SHA-256 of all bytes, 32 bytes. */
  readonly digest: Uint8Array;
  readonly size: number;
  /** What the file system said of the file when it was hashed (`stampOf`); `checkUnchanged` compares it. */
  readonly stamp: string;
  /** For a safetensors file: its tensors, in the order of their bytes. */
  readonly tensors: readonly TensorDigest[] | undefined;
}

/**
 * Hashes a regular file in one streaming pass; for safetensors also every tensor.
 * @param progress told of bytes as they are read
 * @throws RecordError manifest/symlink for anything that is no regular file, manifest/changed when it changes meanwhile,
 *   safetensors/invalid for a damaged safetensors header
 */
export async function hashFile(path: string, tensors: boolean, progress: (bytes: number) => void): Promise<FileHash> {
  const file = await openRegular(path);
  try {
    const before = await file.stat({ bigint: true });
    const size = Number(before.size);
    const whole = createHash('sha256');
    const parts = tensors ? await tensorParts(file, size) : undefined;
    const buffer = new Uint8Array(CHUNK);
    let at = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, CHUNK, at);
      if (bytesRead === 0) break;
      const chunk = buffer.subarray(0, bytesRead);
      whole.update(chunk);
      parts?.update(chunk, at);
      at += bytesRead;
      progress(bytesRead);
    }
    const stamp = stampOf(before);
    if (at !== size || stampOf(await file.stat({ bigint: true })) !== stamp) throw changed(path);
    return { digest: new Uint8Array(whole.digest()), size, stamp, tensors: parts?.digests() };
  } finally {
    await file.close();
  }
}

/**
 * Checks that a file is still the one that was hashed.
 * @throws RecordError (manifest/changed)
 */
export async function checkUnchanged(path: string, { stamp }: FileHash): Promise<void> {
  const now = await lstat(path, { bigint: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw changed(path);
    throw error;
  });
  if (stampOf(now) !== stamp) throw changed(path);
}

/** What the file system says of a file, in one text: it changes when the file does. */
export function stampOf({ ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [ino, size, mtimeNs, ctimeNs].join();
}

function changed(path: string): RecordError {
  return new RecordError('manifest/changed', `${path} changed while it was hashed; hash it again when nothing writes to it`);
}

async function openRegular(path: string): Promise<FileHandle> {
  let file: FileHandle;
  try {
    // Without O_NONBLOCK, opening a pipe would wait for somebody who writes to it.
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ELOOP') throw notRegular(path);
    throw error;
  }
  if (!(await file.stat()).isFile()) {
    await file.close();
    throw notRegular(path);
  }
  return file;
}

function notRegular(path: string): RecordError {
  return new RecordError('manifest/symlink', `${path} is no regular file; links and special files are refused in a model`);
}

/** Hashes the byte ranges of all tensors while the file streams by. */
async function tensorParts(file: FileHandle, size: number) {
  const read = async (position: number, length: number): Promise<Uint8Array> => {
    const { buffer, bytesRead } = await file.read(new Uint8Array(length), 0, length, position);
    if (bytesRead !== length) throw new RecordError('safetensors/invalid', 'the safetensors header is cut short');
    return buffer;
  };
  if (size < 8) throw new RecordError('safetensors/invalid', 'the file is shorter than a safetensors header');
  const length = headerLength(await read(0, 8));
  if (8 + length > size) throw new RecordError('safetensors/invalid', 'the safetensors header is longer than the file');
  const infos = parseHeader(await read(8, length), size - 8 - length);
  const base = 8 + length;
  const hashes = infos.map(() => createHash('sha256'));
  let next = 0;
  return {
    update(chunk: Uint8Array, position: number): void {
      const end = position + chunk.length;
      for (let i = next; i < infos.length && base + infos[i].begin < end; i++) {
        const from = Math.max(base + infos[i].begin, position);
        const to = Math.min(base + infos[i].end, end);
        if (from < to) hashes[i].update(chunk.subarray(from - position, to - position));
        if (base + infos[i].end <= end) next = i + 1;
      }
    },
    digests(): TensorDigest[] {
      return infos.map(({ name, dtype, shape }, i) => ({ name, dtype, shape, digest: new Uint8Array(hashes[i].digest()) }));
    },
  };
}
