import type { Proof } from '@treering/merkle';
import type { StoredHead } from '@treering/storage';

/** Takes one admission back. */
export type Undo = () => void;

/** Decides, entry by entry and in the order of the log, what may follow. */
export interface Admission<C> {
  /**
   * Admits a candidate as entry `index` and takes it into its state, or throws why not: the error reaches the submitter.
   * What it returns takes exactly this entry back; it is called last in, first out when a batch is lost.
   */
  admit(candidate: C, index: number): Undo;
  /** Builds its state again from the store, which holds `size` entries. Called at the start and after a lost batch. */
  reload(size: number): Promise<void>;
}

/** Something to be logged. */
export interface Submission<C> {
  readonly bytes: Uint8Array;
  /** RFC 6962 leaf hash of `bytes`, 32 bytes. */
  readonly leafHash: Uint8Array;
  readonly topic: string;
  readonly candidate: C;
}

/** What a submitter learns once its entry is durable. */
export interface Committed {
  readonly index: number;
  /** True when the same bytes were in the log before. */
  readonly duplicate: boolean;
  /** A head that covers the entry. */
  readonly head: StoredHead;
  /** Inclusion proof at that head. */
  readonly inclusion: Proof;
}
