import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
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

/**
 * An anchor in a file, best on another disk than the store. Writes go to a temporary file that is renamed. They are short and
 * done at once on the calling thread, so that none overtakes another and an older head never replaces a newer one.
 */
export function createFileAnchor(path: string): HeadAnchor {
  const temporary = `${path}.new`;
  let folderExists = false;
  return {
    async read() {
      try {
        return new Uint8Array(readFileSync(path));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
        throw error;
      }
    },
    async write(note, durable) {
      if (!folderExists) mkdirSync(dirname(path), { recursive: true });
      folderExists = true;
      const file = openSync(temporary, 'w', 0o644);
      try {
        writeFileSync(file, note);
        if (durable) fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(temporary, path);
      if (durable) syncFolder(dirname(path));
    },
  };
}

function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
