import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { StorageError } from '@treering/storage';

/**
 * How many times the store has changed, kept apart from it. A store that counts fewer changes is an older copy: the witness would
 * cosign a second history of what it had cosigned before.
 */
export interface GenerationAnchor {
  /** undefined when nothing was ever written. @throws StorageError (storage/corrupt) */
  read(): number | undefined;
  /** Durable when it returns. */
  write(generation: number): void;
}

/** An anchor in a file, best on another disk than the store. */
export function createFileAnchor(path: string): GenerationAnchor {
  return {
    read() {
      if (!existsSync(path)) return undefined;
      const text = readFileSync(path, 'utf8');
      if (!/^[0-9]{1,15}\n$/.test(text))
        throw new StorageError(
          'storage/corrupt',
          `the anchor ${path} holds no number; without that file the witness starts, and is locked until you unlock it`,
        );
      return Number(text);
    },
    write(generation) {
      mkdirSync(dirname(path), { recursive: true });
      const file = openSync(`${path}.new`, 'w', 0o600);
      try {
        writeFileSync(file, `${generation}\n`);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(`${path}.new`, path);
      const folder = openSync(dirname(path), 'r');
      try {
        fsyncSync(folder);
      } finally {
        closeSync(folder);
      }
    },
  };
}
