import { closeSync, fsyncSync, ftruncateSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const CHUNK = 64 * 1024;

/** Something else takes the whole disk but the last bytes. Returns what gives it free again. */
export function fillDisk(path: string, leave: number): () => void {
  const filler = join(path, 'filler');
  const file = openSync(filler, 'w');
  let size = 0;
  try {
    for (let chunk = CHUNK; chunk >= 4096; ) {
      const written = tryToWrite(file, chunk);
      size += written;
      if (written < chunk) chunk /= 2;
    }
    ftruncateSync(file, Math.max(0, size - leave));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  return () => rmSync(filler);
}

function tryToWrite(file: number, bytes: number): number {
  try {
    return writeSync(file, new Uint8Array(bytes));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    return 0;
  }
}
