/** Stable codes of StorageError. */
export type StorageErrorCode =
  | 'storage/conflict'
  | 'storage/locked'
  | 'storage/busy'
  | 'storage/full'
  | 'storage/io'
  | 'storage/corrupt'
  | 'storage/missing'
  | 'storage/immutable'
  | 'storage/schema'
  | 'storage/unsupported';

/** Anything a store could not do. Switch on `code`; the message is a sentence for people. */
export class StorageError extends Error {
  override readonly name: string = 'StorageError';
  readonly code: StorageErrorCode;

  constructor(code: StorageErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** Somebody else has moved the head: nothing was stored. */
export class HeadConflictError extends StorageError {
  override readonly name = 'HeadConflictError';

  constructor(message: string) {
    super('storage/conflict', message);
  }
}
