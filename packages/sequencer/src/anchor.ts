import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * The newest head that this log signed, kept apart from the store. A store that is older than its anchor was restored from a
 * backup: the log then refuses to sign, because it would sign a second history.
 */
export interface HeadAnchor {
  /** The signed note written last, or null when there is none. */
  read(): Promise<Uint8Array | null>;
  /**
   * Replaces it.
   * @param durable whether it must survive a power cut before this resolves; a crash of the process it survives in any case
   */
  write(note: Uint8Array, durable: boolean): Promise<void>;
}

/** An anchor in a file, best on another disk than the store. Writes go to a temporary file that is renamed. */
export function createFileAnchor(path: string): HeadAnchor {
  // Writes must not overtake one another, or an older head could replace a newer one.
  let last: Promise<void> = Promise.resolve();
  const write = async (note: Uint8Array, durable: boolean): Promise<void> => {
    const temporary = `${path}.new`;
    await mkdir(dirname(path), { recursive: true });
    const file = await open(temporary, 'w', 0o644);
    try {
      await file.writeFile(note);
      if (durable) await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    if (durable) {
      const folder = await open(dirname(path), 'r');
      await folder.sync().finally(() => folder.close());
    }
  };
  return {
    async read() {
      try {
        return new Uint8Array(await readFile(path));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
        throw error;
      }
    },
    write(note, durable) {
      const next = last.then(() => write(note, durable));
      last = next.catch(() => undefined);
      return next;
    },
  };
}
