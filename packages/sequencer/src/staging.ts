import { HeadConflictError, type Storage, type StoredEntry } from '@treering/storage';
import type { Admission, Committed, Submission, Undo } from './submission.js';

/** A submission that waits for its commit. */
export interface Waiting<C> {
  readonly submission: Submission<C>;
  /** Bytes of its entry. */
  readonly size: number;
  resolve(committed: Committed): void;
  reject(error: unknown): void;
}

/** A commit that is complete but for its storing. */
export interface Staged<C> {
  readonly batch: readonly Waiting<C>[];
  /** How each submission is answered once the commit is durable. */
  readonly answers: readonly (() => Promise<void> | void)[];
  readonly undos: readonly Undo[];
  readonly entries: readonly StoredEntry[];
}

/** What a batch is staged with. */
export interface StagingParts<C> {
  readonly storage: Pick<Storage, 'indicesOf'>;
  readonly admission: Pick<Admission<C>, 'admit'>;
  /** Entries in the committed tree: the index of the first new one. */
  readonly first: number;
  /** Called once the commit is durable. */
  readonly answer: (index: number, duplicate: boolean) => Promise<Committed>;
}

/**
 * Decides what of a batch is new and admitted, in its order: what is logged already, or stands in the batch twice, keeps its first index.
 * @throws HeadConflictError when somebody else has stored entries; StorageError
 */
export async function stage<C>(
  batch: readonly Waiting<C>[],
  { storage, admission, first, answer }: StagingParts<C>,
): Promise<Staged<C>> {
  const known = await storage.indicesOf(batch.map(({ submission }) => submission.leafHash));
  const fresh = new Map<string, number>();
  const entries: StoredEntry[] = [];
  const undos: Undo[] = [];
  const answers = batch.map((waiting, i): (() => Promise<void> | void) => {
    const { submission } = waiting;
    const id = String.fromCharCode(...submission.leafHash);
    const twin = known[i] ?? fresh.get(id);
    // Only this process stores entries, and it has seen all of them: somebody else has the store as well.
    if ((known[i] ?? -1) >= first)
      throw new HeadConflictError(
        `entry ${known[i]} is stored beyond the committed head of ${first}: another process writes here`,
      );
    if (twin === undefined) {
      const index = first + entries.length;
      try {
        undos.push(admission.admit(submission.candidate, index));
      } catch (error) {
        return () => waiting.reject(error);
      }
      fresh.set(id, index);
      entries.push({ bytes: submission.bytes, leafHash: submission.leafHash, topic: submission.topic });
    }
    const index = twin ?? (fresh.get(id) as number);
    return () => answer(index, twin !== undefined).then(waiting.resolve, waiting.reject);
  });
  return { batch, answers, undos, entries };
}

/** Answers the submissions of a batch, in its order. */
export async function answerAll<C>({ answers }: Staged<C>): Promise<void> {
  for (const answer of answers) await answer();
}
