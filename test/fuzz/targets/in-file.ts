import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

let folder: string | undefined;

/** A folder that is gone when the process ends. */
export function workFolder(): string {
  if (folder === undefined) {
    const made = mkdtempSync(join(tmpdir(), 'treering-fuzz-'));
    process.on('exit', () => rmSync(made, { recursive: true, force: true }));
    folder = made;
  }
  return folder;
}

/** A reader of a file, given its bytes. */
export function inFile<T>(name: string, read: (path: string) => T): (bytes: Uint8Array) => T {
  return (bytes) => {
    const path = join(workFolder(), name);
    writeFileSync(path, bytes);
    return read(path);
  };
}

/** The bytes of a file that something writes. */
export async function written(write: (path: string) => Promise<void>): Promise<Uint8Array> {
  const path = join(workFolder(), 'written');
  await write(path);
  return new Uint8Array(readFileSync(path));
}
