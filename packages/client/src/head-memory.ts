import { equalBytes } from '@treering/merkle';
import { parseCheckpoint, parseNote } from '@treering/note';

/** Remembers the newest head of each log, so that a log can never show this client an older or another history. */
export interface HeadMemory {
  /** The signed note remembered for an origin, or undefined at first contact. */
  load(origin: string): Promise<Uint8Array | undefined>;
  /**
   * Remembers a head that was compared with `before`, what `load` gave.
   * @returns false when something else is remembered by now: the head has to be compared with that, and nothing was changed
   * @throws RangeError for a head that is smaller than `before`, or another one of its size
   */
  replace(origin: string, before: Uint8Array | undefined, note: Uint8Array): Promise<boolean>;
}

/** A memory that ends with the process. */
export function createHeadMemory(): HeadMemory {
  const heads = new Map<string, Uint8Array>();
  return {
    load: async (origin) => heads.get(origin),
    async replace(origin, before, note) {
      if (!isSameNote(heads.get(origin), before)) return false;
      requireProgress(before, note);
      heads.set(origin, note);
      return true;
    },
  };
}

/** Whether two notes, or their absence, are the same. */
export function isSameNote(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : equalBytes(a, b);
}

/** @throws RangeError unless a head is larger than the one before, or the same one with other signatures */
export function requireProgress(before: Uint8Array | undefined, note: Uint8Array): void {
  if (before === undefined) return;
  const [known, next] = [before, note].map((each) => parseCheckpoint(parseNote(each).text));
  if (next.size > known.size || (next.size === known.size && equalBytes(next.root, known.root))) return;
  throw new RangeError(`a head of ${known.size} entries is not replaced by one of ${next.size}`);
}
