export { isUnused, type OpenDatabase, type OpenOptions, openDatabase, toStorageError } from './open.js';
export type { Schema } from './schema.js';
export { openSqliteStorage } from './sqlite-storage.js';
export { openThreadedSqliteStorage } from './writer-thread.js';
