import {
  closeSync,
  existsSync,
  fdatasyncSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
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

/*
 * Two slots, written in turns and in place, so that one fdatasync without a change of the file's size makes a generation durable,
 * and a write that a power cut tears leaves the generation before, which the store may be ahead of:
 *
 *   | <even generation> <the same>\n, padded | <odd generation> <the same>\n, padded |
 */
const SLOT_BYTES = 4096;

/** An anchor in a file, best on another disk than the store. */
export function createFileAnchor(path: string): GenerationAnchor {
  return {
    read() {
      if (!existsSync(path)) return undefined;
      const text = readFileSync(path, 'latin1');
      const slots = [text.slice(0, SLOT_BYTES), text.slice(SLOT_BYTES)].flatMap((slot) => {
        const match = /^([0-9]{1,15}) \1\n+$/.exec(slot);
        return match === null ? [] : [Number(match[1])];
      });
      if (slots.length === 0)
        throw new StorageError(
          'storage/corrupt',
          `the anchor ${path} holds no number; without that file the witness starts, and is locked until you unlock it`,
        );
      return Math.max(...slots);
    },
    write(generation) {
      if (!existsSync(path)) create(path);
      const file = openSync(path, 'r+');
      try {
        const slot = `${generation} ${generation}\n`.padEnd(SLOT_BYTES, '\n');
        const written = writeSync(file, slot, (generation % 2) * SLOT_BYTES, 'latin1');
        if (written !== SLOT_BYTES) throw new StorageError('storage/io', `the anchor ${path} took ${written} bytes`);
        fdatasyncSync(file);
      } finally {
        closeSync(file);
      }
    },
  };
}

/** The file appears with its full size and generation 0, or not at all. */
function create(path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.new`, '0 0\n'.padEnd(2 * SLOT_BYTES, '\n'), { mode: 0o600 });
  syncPath(`${path}.new`);
  renameSync(`${path}.new`, path);
  syncPath(dirname(path));
}

function syncPath(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
