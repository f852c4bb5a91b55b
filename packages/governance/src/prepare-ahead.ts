import type { Audit, Prepared } from './audit.js';

/** Batches whose signatures are being checked; each is an entry bundle at most. */
const AHEAD = 3;

/** Entries of a log, and their leaf hashes, 32 bytes each. */
interface Batch {
  readonly entries: readonly Uint8Array[];
  readonly leaves: Uint8Array;
}

/**
 * Reads batches of entries and prepares them (`Audit.prepare`) while those before them are decided: each comes out in its turn, to be
 * decided before the next one is taken. When the batches end with an error, what was read before it still comes out first.
 * @param enough asked after each decision: nothing more is read then, and what was read comes out
 */
export async function* prepareAhead<B extends Batch>(
  audit: Audit,
  batches: AsyncIterable<B>,
  enough: () => boolean = () => false,
): AsyncGenerator<{ readonly batch: B; readonly prepared: readonly Prepared[] }> {
  const source = batches[Symbol.asyncIterator]();
  const waiting: { batch: B; prepared: readonly Prepared[] }[] = [];
  let isRead = false;
  let failure: { readonly error: unknown } | undefined;
  try {
    do {
      while (!isRead && waiting.length < AHEAD) {
        try {
          const { done, value } = await source.next();
          if (done) isRead = true;
          else waiting.push({ batch: value, prepared: audit.prepare(value.entries, value.leaves) });
        } catch (error) {
          failure = { error };
          isRead = true;
        }
      }
      const first = waiting.shift();
      if (first !== undefined) yield first;
      isRead ||= enough();
    } while (!isRead || waiting.length > 0);
  } finally {
    await source.return?.();
  }
  if (failure !== undefined) throw failure.error;
}
