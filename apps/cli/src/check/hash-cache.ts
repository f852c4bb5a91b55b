import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { FileHash } from '@treering/record/node';
import { type CborInput, type CborValue, decodeCbor, encodeCbor, StatementError } from '@treering/statement';

/**
 * What was found of files before, so that only those are read again that the file system calls changed. Whoever can write this file,
 * or set a file's times back, hides a change until the next full pass: it saves time, and proves nothing.
 */
export interface HashCache {
  /** When everything was read last, in milliseconds since the epoch. */
  readonly fullAt: number;
  readonly hashes: ReadonlyMap<string, FileHash>;
}

const FORM = 1;

/** Reads a cache; undefined when there is none that can be used: everything is read then. */
export async function readHashCache(path: string): Promise<HashCache | undefined> {
  try {
    const saved = decodeCbor(new Uint8Array(await readFile(path)), { tags: [] });
    if (!(saved instanceof Map) || saved.get('form') !== FORM) return undefined;
    const [files, fullAt] = [saved.get('files'), saved.get('full_at')];
    if (!(files instanceof Map) || typeof fullAt !== 'number') return undefined;
    const hashes = [...files].map(([name, value]): [string, FileHash] => [String(name), hashOf(value)]);
    return { fullAt, hashes: new Map(hashes) };
  } catch (error) {
    if (error instanceof StatementError || error instanceof TypeError) return undefined;
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Replaces the cache as a whole. */
export async function writeHashCache(path: string, { fullAt, hashes }: HashCache): Promise<void> {
  const files = new Map(
    [...hashes].map(([name, { digest, size, stamp, tensors }]): [string, CborInput] => [
      name,
      [digest, size, stamp, tensors === undefined ? null : tensors.map((tensor) => ({ ...tensor }) as unknown as CborInput)],
    ]),
  );
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const fresh = `${path}.${process.pid}.new`;
  await writeFile(fresh, encodeCbor({ form: FORM, full_at: fullAt, files }), { mode: 0o600 });
  await rename(fresh, path);
}

/** @throws TypeError for what this program did not write */
function hashOf(value: CborValue): FileHash {
  const [digest, size, stamp, tensors] = value as [
    Uint8Array,
    number,
    string,
    readonly ReadonlyMap<string, CborValue>[] | null,
  ];
  if (!(digest instanceof Uint8Array) || digest.length !== 32 || typeof stamp !== 'string') throw new TypeError('no hash');
  const read = tensors?.map((tensor) => Object.fromEntries(tensor) as unknown as NonNullable<FileHash['tensors']>[number]);
  return { digest, size, stamp, tensors: read };
}
