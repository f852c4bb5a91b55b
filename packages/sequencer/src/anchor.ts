import {
  closeSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { parseCheckpoint, parseNote } from '@treering/note';
import { StorageError } from '@treering/storage';

/**
 * The newest head that this log signed, kept apart from the store. A store that is older than its anchor was restored from a
 * backup: the log then refuses to sign, because it would sign a second history.
 */
export interface HeadAnchor {
  /** The signed note written last, or null when there is none. @throws StorageError (storage/io) when it cannot be read */
  read(): Promise<Uint8Array | null>;
  /**
   * Replaces it. After a power cut this one is there, or one that was written before.
   * @param durable whether it must be this one; a crash of the process it survives in any case
   */
  write(note: Uint8Array, durable: boolean): Promise<void>;
}

/**
 * An anchor that several write to, and that none of them sets back: in place of a head that is smaller than one that was to be written
 * before, that one is written again, also when its writing failed. Two notes of one size are taken in their order.
 */
export class AscendingAnchor implements HeadAnchor {
  readonly #anchor: HeadAnchor;
  #largest: { readonly size: bigint; readonly note: Uint8Array } | undefined;

  constructor(anchor: HeadAnchor) {
    this.#anchor = anchor;
  }

  read(): Promise<Uint8Array | null> {
    return this.#anchor.read();
  }

  async write(note: Uint8Array, durable: boolean): Promise<void> {
    const { size } = parseCheckpoint(parseNote(note).text);
    if (this.#largest === undefined || size >= this.#largest.size) this.#largest = { size, note };
    await this.#anchor.write(this.#largest.note, durable);
  }
}

/** How often an anchor is read at most until it is the same twice. */
const READINGS = 10;
/** Bytes that a disk writes at once, or not at all. */
const SECTOR = 512;

/**
 * An anchor in a file, best on another disk than the store. What must survive a power cut goes to a temporary file that is renamed;
 * what must survive the process alone is written over a head of the same length in one call, because a file system may wait for the
 * disk at every renaming. A head of another length takes the long way, too: renamed without waiting for its bytes, a file may be empty
 * after a power cut. Writes are short and done at once on the calling thread, so that none overtakes another and an older head
 * never replaces a newer one.
 */
export function createFileAnchor(path: string): HeadAnchor {
  const temporary = `${path}.new`;
  let folderExists = false;
  return {
    async read() {
      try {
        // Another process may be writing over it: what is read twice alike was not caught in the middle.
        let bytes = readFileSync(path);
        for (let i = 0; i < READINGS; i++) {
          const again = readFileSync(path);
          if (again.equals(bytes)) break;
          bytes = again;
        }
        return new Uint8Array(bytes);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
        throw new StorageError('storage/io', `the head anchor ${path} cannot be read: ${(error as Error).message}`, {
          cause: error,
        });
      }
    },
    async write(note, durable) {
      if (!durable && overwrite(path, note)) return;
      if (!folderExists) mkdirSync(dirname(path), { recursive: true });
      folderExists = true;
      const file = openSync(temporary, 'w', 0o644);
      try {
        writeFileSync(file, note);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(temporary, path);
      syncFolder(dirname(path));
    },
  };
}

/**
 * Writes over a file of the same length, within one sector of the disk, so that a power cut leaves the one or the other.
 * False when there is no such file, or it could not be done: it is replaced then.
 */
function overwrite(path: string, bytes: Uint8Array): boolean {
  if (bytes.length > SECTOR) return false;
  let file: number;
  try {
    file = openSync(path, 'r+');
  } catch {
    return false;
  }
  try {
    if (fstatSync(file).size !== bytes.length) return false;
    return writeSync(file, bytes, 0, bytes.length, 0) === bytes.length;
  } catch {
    return false;
  } finally {
    closeSync(file);
  }
}

function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
