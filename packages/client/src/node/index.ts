import { createHash } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type HeadMemory, isSameNote, requireProgress } from '../head-memory.js';

/**
 * Remembers heads in a folder, one file a log. Files are replaced whole. Of processes that remember at once, each has compared its head
 * with the one that it replaces.
 */
export function createFileHeadMemory(folder: string): HeadMemory {
  const pathOf = (origin: string): string => join(folder, `${createHash('sha256').update(origin).digest('hex')}.checkpoint`);
  const load = async (origin: string): Promise<Uint8Array | undefined> => {
    try {
      return new Uint8Array(await readFile(pathOf(origin)));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  };
  return {
    load,
    async replace(origin, before, note) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      return locked(`${pathOf(origin)}.lock`, async () => {
        if (!isSameNote(await load(origin), before)) return false;
        requireProgress(before, note);
        const temporary = `${pathOf(origin)}.${process.pid}.new`;
        const file = await open(temporary, 'w', 0o600);
        try {
          await file.writeFile(note);
          await file.sync();
        } finally {
          await file.close();
        }
        await rename(temporary, pathOf(origin));
        return true;
      });
    },
  };
}

/** Milliseconds after which a lock belongs to a process that ended: what it guards takes a few. */
const STALE_LOCK = 5_000;

/** Holds a lock file while `work` runs. */
async function locked<T>(path: string, work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      await (await open(path, 'wx', 0o600)).close();
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const age = await stat(path).then(
        ({ mtimeMs }) => Date.now() - mtimeMs,
        () => 0,
      );
      if (age > STALE_LOCK) await rm(path, { force: true });
      else await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}
