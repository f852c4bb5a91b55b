import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { RecordError } from '../errors.js';
import { DEFAULT_IGNORED, type ManifestResource, sortResources } from '../manifest.js';
import type { TensorDigest } from '../safetensors.js';
import { checkUnchanged, type FileHash, stampOf } from './hash-file.js';
import { hashFiles } from './hash-pool.js';

/** A model's files as hashed. */
export interface ModelFiles {
  /** In the order of the names. */
  readonly resources: readonly ManifestResource[];
  readonly bytes: number;
  /** Tensors of all safetensors files, named `<file>:<tensor>`; empty when there are none. */
  readonly tensors: readonly TensorDigest[];
  /** What was found of each file, by its full path: with it, a later call hashes only what has changed. */
  readonly hashes: ReadonlyMap<string, FileHash>;
}

/** How far hashing has come, in bytes. */
export type Progress = (done: number, total: number) => void;

/**
 * Hashes a model's folder (or a single file) as OpenSSF model signing v1.0 does.
 * @param options.known files that were hashed before: whatever the file system calls unchanged is not read again, so that a change
 *   which leaves inode, size and times as they were is missed
 * @param options.ignored paths below the folder that are left out, besides those that model signing always leaves out
 * @throws RecordError manifest/symlink, manifest/changed, manifest/invalid or safetensors/invalid
 */
export async function hashModel(
  path: string,
  options: { ignored?: readonly string[]; progress?: Progress; known?: ReadonlyMap<string, FileHash> } = {},
): Promise<ModelFiles> {
  const top = await lstat(path);
  const found = top.isDirectory() ? await listFiles(path, [...DEFAULT_IGNORED, ...(options.ignored ?? [])]) : ['.'];
  if (found.length === 0) throw new RecordError('manifest/invalid', `${path} holds no files`);
  const files = await Promise.all(
    found.map(async (name) => {
      const full = name === '.' ? path : join(path, ...name.split('/'));
      const stat = await lstat(full, { bigint: true });
      const before = options.known?.get(full);
      const known = before?.stamp === stampOf(stat) ? before : undefined;
      return { name, path: full, size: Number(stat.size), tensors: full.endsWith('.safetensors'), known };
    }),
  );
  const open = files.filter(({ known }) => known === undefined);
  const total = open.reduce((sum, file) => sum + file.size, 0);
  let done = 0;
  const fresh = await hashFiles(open, (bytes) => {
    done += bytes;
    options.progress?.(done, total);
  });
  const hashes = files.map((file) => file.known ?? fresh[open.indexOf(file)]);
  await Promise.all(files.map(({ path: file }, i) => checkUnchanged(file, hashes[i])));
  // A file that came or went meanwhile would make the manifest a mixture of two states.
  if (top.isDirectory()) {
    const again = await listFiles(path, [...DEFAULT_IGNORED, ...(options.ignored ?? [])]);
    if (again.join('\n') !== found.join('\n'))
      throw new RecordError('manifest/changed', `files were added to or removed from ${path} while it was hashed`);
  }
  const tensors = files.flatMap(({ name }, i) =>
    (hashes[i].tensors ?? []).map((t) => ({ ...t, name: name === '.' ? t.name : `${name}:${t.name}` })),
  );
  return {
    resources: sortResources(files.map(({ name }, i) => ({ name, digest: hashes[i].digest }))),
    bytes: hashes.reduce((sum, hash) => sum + hash.size, 0),
    tensors,
    hashes: new Map(files.map(({ path: file }, i) => [file, hashes[i]])),
  };
}

/** Paths of all regular files below a folder, with '/', sorted. */
async function listFiles(root: string, ignored: readonly string[]): Promise<string[]> {
  const out: string[] = [];
  const walk = async (folder: string): Promise<void> => {
    for (const entry of await readdir(join(root, folder), { withFileTypes: true })) {
      const name = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (ignored.includes(name)) continue;
      if (entry.isDirectory()) await walk(name);
      else if (entry.isFile()) out.push(name);
      else
        throw new RecordError(
          'manifest/symlink',
          `${join(root, name)} is no regular file; links and special files are refused in a model`,
        );
    }
  };
  await walk('');
  return out.sort();
}
