import { StorageError } from '@treering/storage';

/** Stable codes of SequencerError. */
export type SequencerErrorCode =
  | 'sequencer/overloaded'
  | 'sequencer/stopped'
  | 'sequencer/unknown-outcome'
  | 'sequencer/clock-behind'
  | 'sequencer/wrong-key'
  | 'sequencer/rolled-back'
  | 'sequencer/no-anchor'
  | 'sequencer/corrupt'
  | 'sequencer/quorum-not-met';

/** Why the sequencer refused to do something. Switch on `code`; the message says what was found and what to do. */
export class SequencerError extends Error {
  override readonly name = 'SequencerError';
  readonly code: SequencerErrorCode;

  constructor(code: SequencerErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** After these the disk or another process cannot be trusted any more, and memory even less. */
const FATAL: readonly string[] = ['storage/io', 'storage/corrupt', 'storage/conflict', 'storage/immutable'];
/** The same of a file system, for what is written without a store. */
const FATAL_ERRNO: readonly string[] = ['EIO', 'EROFS'];

/** Whether an error of a store or a file system ends the log: only one that is opened anew knows again what is on the disk. */
export function isFatal(error: unknown): boolean {
  const { code = '' } = error as { readonly code?: string };
  return error instanceof StorageError ? FATAL.includes(code) : FATAL_ERRNO.includes(code);
}

/** What a full or busy disk says, and a machine that is short of descriptors or memory. */
const PASSING: readonly string[] = [
  ...['ENOSPC', 'EDQUOT', 'EAGAIN', 'EBUSY', 'EINTR', 'EMFILE', 'ENFILE', 'ENOMEM'],
  ...['SQLITE_CANTOPEN', 'SQLITE_NOMEM'],
];

/** Whether an error at the reading of the position may be over soon. Nothing is signed before it can be read. */
export function mayPass(error: unknown): boolean {
  const { code = '', cause } = error as { readonly code?: string; readonly cause?: { readonly code?: string } };
  if (code === 'sequencer/clock-behind' || PASSING.includes(code)) return true;
  return error instanceof StorageError && (!FATAL.includes(code) || PASSING.includes(cause?.code ?? ''));
}
