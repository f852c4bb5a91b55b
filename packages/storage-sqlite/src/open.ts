import { existsSync, realpathSync, statSync } from 'node:fs';
import { StorageError } from '@treering/storage';
import Database from 'better-sqlite3';
import { LOG_SCHEMA, migrate, type Schema } from './schema.js';

/** Older versions can lose commits when a WAL is reset under load (fixed in SQLite 3.51.3). */
const OLDEST_SQLITE = '3.51.3';

/** Milliseconds for which a writer waits for another. */
export const BUSY_TIMEOUT = 5000;

/** How a database is opened. */
export interface OpenOptions {
  /**
   * 'create' makes a new store and refuses an existing file; 'open' refuses a missing or empty one, so that a lost disk is
   * never mistaken for a new log; 'read' opens for inspection while another process may hold the log; 'join' opens to write
   * beside a connection of this process that holds the lock.
   */
  readonly mode: 'create' | 'open' | 'read' | 'join';
}

/** An open database, and the lock that keeps other writers out; undefined when it was opened to read or to join. */
export interface OpenDatabase {
  readonly db: Database.Database;
  readonly lock: Database.Database | undefined;
}

/**
 * Opens the database file with every setting that durability rests on, and reads the settings back.
 * @throws StorageError storage/missing, storage/locked, storage/schema, storage/corrupt or storage/unsupported
 */
export function openDatabase(path: string, { mode }: OpenOptions, schema: Schema = LOG_SCHEMA): OpenDatabase {
  const empty = !existsSync(path) || statSync(path).size === 0;
  if (mode === 'create' && !isUnused(path)) {
    throw new StorageError('storage/schema', `${path} exists; a new ${schema.what} is never created over it`);
  }
  if (mode !== 'create' && empty) {
    throw new StorageError('storage/missing', `there is no ${schema.what} at ${path}; ${schema.origin}`);
  }
  let db: Database.Database | undefined;
  let lock: Database.Database | undefined;
  try {
    if (mode === 'create' || mode === 'open') lock = acquireLock(path);
    db = new Database(path, { readonly: mode === 'read', timeout: BUSY_TIMEOUT });
    requireVersion(db.prepare('SELECT sqlite_version()').pluck().get() as string);
    if (mode !== 'create') checkFile(db, path, schema);
    if (mode !== 'read') {
      requireDurability(db);
      if (mode !== 'join') migrate(db, schema);
    }
    // What is removed is overwritten: an erased attachment leaves nothing in free pages.
    db.pragma('secure_delete = ON');
    db.pragma('foreign_keys = ON');
    db.pragma('trusted_schema = OFF');
    db.pragma('cell_size_check = ON');
    return { db, lock };
  } catch (error) {
    db?.close();
    lock?.close();
    throw toStorageError(error, path);
  }
}

/** True when there is no file, or only what is left of a creation that was interrupted before its first transaction. */
export function isUnused(path: string): boolean {
  if (!existsSync(path) || statSync(path).size === 0) return true;
  try {
    return holdsNothing(path, true);
  } catch (error) {
    if (!(error instanceof Database.SqliteError)) throw error;
    // The file may have been left with a journal of its very first change: SQLite takes that back when it may write.
    if (!error.code.startsWith('SQLITE_READONLY')) return false;
    return holdsNothing(path, false);
  }
}

function holdsNothing(path: string, readonly: boolean): boolean {
  const db = new Database(path, { readonly });
  try {
    const objects = db.prepare('SELECT count(*) FROM sqlite_master').pluck().get();
    return objects === 0 && db.pragma('user_version', { simple: true }) === 0;
  } finally {
    db.close();
  }
}

/**
 * Takes the one writer's lock of a log: a transaction on a file of its own that stays open as long as the process lives. The
 * kernel gives it up when the process ends, however it ends. The database itself stays readable for backup and inspection.
 */
function acquireLock(path: string): Database.Database {
  // The same file by another name is the same log.
  const real = existsSync(path) ? realpathSync(path) : path;
  let lock: Database.Database | undefined;
  try {
    lock = new Database(`${real}.lock`, { timeout: 0 });
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock?.close();
    const refusal = toStorageError(error, path);
    // A lock that cannot be taken for another reason says nothing about the store.
    throw refusal.code === 'storage/locked' ? refusal : toStorageError(error, `${real}.lock`);
  }
}

/**
 * Refuses a version of SQLite under which a log is not safe.
 * @throws StorageError storage/unsupported
 */
export function requireVersion(version: string): void {
  const number = (text: string): number => text.split('.').reduce((sum, part) => sum * 1000 + Number(part), 0);
  if (!(number(version) >= number(OLDEST_SQLITE))) {
    throw new StorageError(
      'storage/unsupported',
      `SQLite ${version} is too old: versions below ${OLDEST_SQLITE} can corrupt a WAL`,
    );
  }
}

/**
 * Asks for a disk write before every commit is answered, and reads back whether SQLite does so.
 * @throws StorageError storage/unsupported
 */
export function requireDurability(db: Pick<Database.Database, 'pragma'>): void {
  if (db.pragma('journal_mode = WAL', { simple: true }) !== 'wal')
    throw new StorageError('storage/unsupported', 'the file system allows no WAL');
  // better-sqlite3 is built with NORMAL as the default for WAL, which loses acknowledged commits at a power cut.
  db.pragma('synchronous = FULL');
  db.pragma('fullfsync = ON');
  db.pragma('checkpoint_fullfsync = ON');
  if (db.pragma('synchronous', { simple: true }) !== 2)
    throw new StorageError('storage/unsupported', 'SQLite does not accept synchronous=FULL');
}

function checkFile(db: Database.Database, path: string, { applicationId, what, steps }: Schema): void {
  // SQLite reads zeros where the last page is cut off. With a WAL it may be one that was being written, and is written again.
  const wal = statSync(`${realpathSync(path)}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  if (wal === 0 && statSync(path).size % (db.pragma('page_size', { simple: true }) as number) !== 0)
    throw new StorageError('storage/corrupt', `${path} is damaged: its last page is cut off`);
  if (db.pragma('application_id', { simple: true }) !== applicationId)
    throw new StorageError('storage/schema', `${path} is no Treering ${what}`);
  const version = db.pragma('user_version', { simple: true }) as number;
  if (version > steps.length) {
    throw new StorageError(
      'storage/schema',
      `${path} was written by a newer Treering (schema ${version}, this one knows ${steps.length}); use that one`,
    );
  }
}

/** What an SQLite error means for the caller. */
export function toStorageError(error: unknown, path: string): StorageError {
  if (error instanceof StorageError) return error;
  const code = (error as { code?: string }).code ?? '';
  const message = error instanceof Error ? error.message : String(error);
  const as = (kind: StorageError['code'], text: string): StorageError => new StorageError(kind, text, { cause: error });
  if (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED'))
    return as('storage/locked', `another process holds ${path}`);
  if (code === 'SQLITE_FULL') return as('storage/full', `there is no space left for ${path}`);
  if (code === 'SQLITE_CORRUPT' || code === 'SQLITE_NOTADB' || code.startsWith('SQLITE_CORRUPT_'))
    return as('storage/corrupt', `${path} is damaged: ${message}`);
  if (code.startsWith('SQLITE_CONSTRAINT'))
    return as('storage/immutable', `the store refuses to change what is stored: ${message}`);
  return as('storage/io', `${path}: ${message}`);
}
