import {
  type CommitBatch,
  type ExpectedHead,
  HeadConflictError,
  type Storage,
  StorageError,
  type StoredHead,
  type TopicInfo,
} from '@treering/storage';
import type Database from 'better-sqlite3';
import { findDamage } from './integrity.js';
import { prepareKeptHeads } from './kept-heads.js';
import { BUSY_TIMEOUT, type OpenDatabase, type OpenOptions, openDatabase, toStorageError } from './open.js';
import { SUMS_SCHEMA, sumOf } from './row-sums.js';
import { type HeadRow, type InfoRow, plain, toHeadOrNull, toInfo } from './rows.js';
import { LOG_SCHEMA } from './schema.js';

const equal = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/**
 * Opens a log's store in one SQLite file.
 * @throws StorageError storage/missing, storage/locked, storage/schema, storage/corrupt or storage/unsupported
 */
export function openSqliteStorage(path: string, options: OpenOptions): Storage {
  const opened = openDatabase(path, options);
  try {
    return createStorage(opened, path, options.mode === 'join' ? PATIENCE : 0);
  } catch (error) {
    opened.db.close();
    opened.lock?.close();
    if ((error as { code?: string }).code === 'SQLITE_ERROR')
      throw new StorageError('storage/schema', `${path} has other tables than a log: ${(error as Error).message}`, {
        cause: error,
      });
    throw toStorageError(error, path);
  }
}

/** Puts a head in the place of the one before. A store that was opened to read may be older than the sums, and is not changed. */
function prepareSettingHead(db: Database.Database): (kind: 'committed' | 'published', head: StoredHead) => void {
  if ((db.pragma('user_version', { simple: true }) as number) < SUMS_SCHEMA) return () => undefined;
  const set = db.prepare(
    `INSERT INTO heads (kind, size, root, time, note, sum) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (kind) DO UPDATE SET size = excluded.size, root = excluded.root, time = excluded.time, note = excluded.note,
     sum = excluded.sum`,
  );
  return (kind, head) => void set.run(kind, head.size, head.root, head.time, head.note, sumOf(head));
}

/**
 * Milliseconds that an erasure waits for readers on the thread that writes, where all commits wait with it: enough for most
 * reads of this process. One that a backup is in the way of fails, and its caller tries again.
 */
const PATIENCE = 20;

function createStorage({ db, lock }: OpenDatabase, path: string, patience: number): Storage {
  const run = async <T>(work: () => T): Promise<T> => {
    try {
      return work();
    } catch (error) {
      throw toStorageError(error, path);
    }
  };

  const headOf = db.prepare<[string], HeadRow>('SELECT size, root, time, note FROM heads WHERE kind = ?');
  const setHead = prepareSettingHead(db);
  const addEntry = db.prepare('INSERT INTO entries (idx, leaf, topic, bytes) VALUES (?, ?, ?, ?)');
  const addTile = db.prepare('INSERT INTO tiles (level, idx, root, hashes) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING');
  const tileRow = db.prepare<[number, number], { root: Uint8Array; hashes: Uint8Array }>(
    'SELECT root, hashes FROM tiles WHERE level = ? AND idx = ?',
  );
  const count = db.prepare<[], number>('SELECT coalesce(max(idx) + 1, 0) FROM entries').pluck();
  const bytesOf = db
    .prepare<[number, number], Uint8Array>('SELECT bytes FROM entries WHERE idx >= ? AND idx < ? ORDER BY idx')
    .pluck();
  const infosOf = db.prepare<[number, number], InfoRow>(
    'SELECT idx, leaf, topic FROM entries WHERE idx >= ? AND idx < ? ORDER BY idx',
  );
  const indexOf = db.prepare<[Uint8Array], number>('SELECT idx FROM entries WHERE leaf = ?').pluck();
  // One row instead of one for each hash, which the driver would make a buffer of: every commit reads the right edge.
  const leavesOf = db
    .prepare<[number, number], Uint8Array | null>(
      "SELECT unhex(group_concat(hex(leaf), '' ORDER BY idx)) FROM entries WHERE idx >= ? AND idx < ?",
    )
    .pluck();
  const rootsOf = db
    .prepare<[number, number, number], Uint8Array | null>(
      "SELECT unhex(group_concat(hex(root), '' ORDER BY idx)) FROM tiles WHERE level = ? AND idx >= ? AND idx < ?",
    )
    .pluck();
  const countTopic = db.prepare(
    `INSERT INTO topics (topic, entries, latest) VALUES (?, 1, ?)
     ON CONFLICT (topic) DO UPDATE SET entries = entries + 1, latest = excluded.latest`,
  );
  // char(1114111) sorts behind every character, so the prefix is a range of the index.
  const topicsOf = db.prepare<[string, string, string, number], InfoRow & { total: number }>(
    `SELECT t.topic, t.entries AS total, e.idx, e.leaf FROM topics t JOIN entries e ON e.idx = t.latest
     WHERE t.topic > ? AND t.topic >= ? AND t.topic < ? || char(1114111) ORDER BY t.topic LIMIT ?`,
  );
  const entriesByPrefix = db.prepare<[string, string], InfoRow>(
    `SELECT idx, leaf, topic FROM entries
     WHERE topic <> '' AND topic >= ? AND topic < ? || char(1114111) ORDER BY idx`,
  );
  const entriesOfTopic = db.prepare<[string, number, number], InfoRow>(
    "SELECT idx, leaf, topic FROM entries WHERE topic = ? AND topic <> '' AND idx < ? ORDER BY idx DESC LIMIT ?",
  );

  const kept = prepareKeptHeads(db);

  const commit = db.transaction((batch: CommitBatch, expected: ExpectedHead) => {
    const head = headOf.get('committed');
    const same =
      head === undefined
        ? expected === null
        : expected !== null && expected.size === head.size && equal(expected.root, head.root);
    if (!same)
      throw new HeadConflictError(
        `the committed head has ${head?.size ?? 0} entries and the writer expected ${expected?.size ?? 0}`,
      );
    const first = count.get() as number;
    if (first !== (head?.size ?? 0) || batch.head.size !== first + batch.entries.length) {
      throw new StorageError(
        'storage/corrupt',
        `the store holds ${first} entries, its head counts ${head?.size ?? 0} and the new one ${batch.head.size}`,
      );
    }
    batch.entries.forEach(({ bytes, leafHash, topic }, i) => {
      addEntry.run(first + i, leafHash, topic, bytes);
      if (topic !== '') countTopic.run(topic, first + i);
    });
    for (const { level, index, root, hashes } of batch.tiles) {
      if (addTile.run(level, index, root, hashes).changes === 1) continue;
      const stored = tileRow.get(level, index);
      if (stored === undefined || !equal(stored.root, root) || !equal(stored.hashes, hashes)) {
        throw new StorageError('storage/immutable', `tile ${level}/${index} is stored with other hashes`);
      }
    }
    setHead('committed', batch.head);
  });

  const publish = db.transaction((next: StoredHead, keep: boolean) => {
    const committed = headOf.get('committed');
    const published = headOf.get('published');
    if (committed === undefined || next.size > committed.size)
      throw new HeadConflictError('only a committed head is published');
    if (
      published !== undefined &&
      (next.size < published.size || (next.size === published.size && !equal(next.root, published.root)))
    ) {
      throw new HeadConflictError(
        `the published checkpoint has ${published.size} entries and does not go back to ${next.size}`,
      );
    }
    setHead('published', next);
    if (keep) kept.add(next);
  });

  const addAttachment = db.prepare('INSERT INTO attachments (digest, blob) VALUES (?, ?) ON CONFLICT DO NOTHING');
  const dropAttachment = db.prepare('DELETE FROM attachments WHERE digest = ?');
  const replaceAttachment = db.transaction(
    (digest: string, blob: Uint8Array): boolean =>
      dropAttachment.run(digest).changes === 1 && addAttachment.run(digest, blob).changes === 1,
  );

  const checkRange = (start: number, end: number, found: number): void => {
    if (start < 0 || end < start || found !== end - start) {
      throw new StorageError('storage/missing', `entries ${start} to ${end} are not all stored; there are ${count.get()}`);
    }
  };
  /** Moves everything into the database file and empties the write-ahead log; a reader may be in the way of that. */
  const truncateWal = (): void => {
    db.pragma(`busy_timeout = ${patience}`);
    try {
      const [{ busy }] = db.pragma('wal_checkpoint(TRUNCATE)') as [{ busy: number }];
      if (busy !== 0)
        throw new StorageError('storage/busy', `${path} is being read, perhaps by a backup: old pages are not overwritten yet`);
    } finally {
      db.pragma(`busy_timeout = ${BUSY_TIMEOUT}`);
    }
  };

  return {
    name: 'sqlite',
    head: () => run(() => toHeadOrNull(headOf.get('committed'))),
    commit: (batch, expected) => run(() => commit.immediate(batch, expected)),
    published: () => run(() => toHeadOrNull(headOf.get('published'))),
    publish: (head, keep = false) => run(() => publish.immediate(head, keep)),
    keptHeads: (from, limit) => run(() => kept.list(from, limit)),
    lastKept: () => run(() => kept.last()),
    entries: (start, end) =>
      run(() => {
        const rows = bytesOf.all(start, end);
        checkRange(start, end, rows.length);
        return rows.map(plain);
      }),
    entryInfos: (start, end) =>
      run(() => {
        const rows = infosOf.all(start, end);
        checkRange(start, end, rows.length);
        return rows.map(toInfo);
      }),
    indicesOf: (leafHashes) => run(() => leafHashes.map((hash) => indexOf.get(hash))),
    tile: (level, index, width) =>
      run(() => {
        const full = tileRow.get(level, index);
        if (full !== undefined) return plain(full.hashes).slice(0, width * 32);
        const first = index * 256;
        const hashes = level === 0 ? leavesOf.get(first, first + width) : rootsOf.get(level - 1, first, first + width);
        return hashes?.length === width * 32 ? plain(hashes) : null;
      }),
    topics: (prefix, after, limit) =>
      run(() =>
        topicsOf
          .all(after, prefix, prefix, limit)
          .map((row): TopicInfo => ({ topic: row.topic, count: row.total, latest: toInfo(row) })),
      ),
    entriesOf: (topic, before, limit) => run(() => entriesOfTopic.all(topic, before, limit).map(toInfo)),
    entriesUnder: (prefix) => run(() => entriesByPrefix.all(prefix, prefix).map(toInfo)),
    putAttachment: (digest, blob) => run(() => addAttachment.run(digest, blob).changes === 1),
    replaceAttachment: (digest, blob) => run(() => replaceAttachment.immediate(digest, blob)),
    attachment: (digest) =>
      run(() => {
        const blob = db.prepare<[string], Uint8Array>('SELECT blob FROM attachments WHERE digest = ?').pluck().get(digest);
        return blob === undefined ? null : plain(blob);
      }),
    attachments: (after, limit) =>
      run(() =>
        db
          .prepare<[string, number], string>('SELECT digest FROM attachments WHERE digest > ? ORDER BY digest LIMIT ?')
          .pluck()
          .all(after, limit),
      ),
    removeAttachment: (digest, overwrite = true) =>
      run(() => {
        const removed = dropAttachment.run(digest).changes === 1;
        // The write-ahead log still holds the page as it was, perhaps from a removal before this one.
        if (overwrite) truncateWal();
        return removed;
      }),
    async backup(target, progress) {
      // A reader's own snapshot stays as it is: without it, every commit of the writer would start the copy over.
      const snapshot = db.readonly && !db.inTransaction;
      try {
        if (snapshot) db.exec('BEGIN; SELECT count(*) FROM sqlite_master');
        await db.backup(target, {
          progress: ({ totalPages, remainingPages }) => {
            progress?.(totalPages - remainingPages, totalPages);
            return 1000;
          },
        });
      } catch (error) {
        throw toStorageError(error, target);
      } finally {
        if (snapshot && db.inTransaction) db.exec('COMMIT');
      }
    },
    integrity: () => run(() => findDamage(db, LOG_SCHEMA)),
    checkWritable: () =>
      run(() => {
        db.prepare('INSERT INTO probe (id, time) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET time = excluded.time').run(
          Date.now(),
        );
      }),
    close: () =>
      run(() => {
        db.close();
        lock?.close();
      }),
  };
}
