export { HeadConflictError, StorageError, type StorageErrorCode } from './errors.js';
export { createMemoryStorage } from './memory.js';
export type {
  CommitBatch,
  Damage,
  EntryInfo,
  ExpectedHead,
  FullTile,
  Storage,
  StoredEntry,
  StoredHead,
  TopicInfo,
} from './storage.js';
