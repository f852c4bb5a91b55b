export { isUnused, type OpenOptions } from './open.js';
export { openSqliteStorage } from './sqlite-storage.js';
