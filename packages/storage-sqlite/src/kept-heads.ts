import type { StoredHead } from '@treering/storage';
import type Database from 'better-sqlite3';
import { SUMS_SCHEMA, sumOf } from './row-sums.js';
import { type HeadRow, toHead, toHeadOrNull } from './rows.js';

/** The schema that brought the tables of kept heads. */
const FIRST_SCHEMA = 2;

/** The published heads that are kept for good, as statements on one database. */
export interface KeptHeads {
  /** Keeps a head, within the transaction that publishes it. */
  add(head: StoredHead): void;
  /** Heads of `from` entries and more, in the order of size and time; at most `limit`. */
  list(from: number, limit: number): StoredHead[];
  /** The head that was kept last. */
  last(): StoredHead | null;
}

/** A store that was opened to read may be older than these tables: it keeps nothing, and is not changed. */
export function prepareKeptHeads(db: Database.Database): KeptHeads {
  const version = db.pragma('user_version', { simple: true }) as number;
  if (version < FIRST_SCHEMA) return { add: () => undefined, list: () => [], last: () => null };
  const listed = db.prepare<[number, number, number], HeadRow>(
    `SELECT size, root, time, note FROM kept_first WHERE size >= ?
     UNION ALL SELECT size, root, time, note FROM kept_newest WHERE size >= ?
     ORDER BY size, time LIMIT ?`,
  );
  const newest = db.prepare<[], HeadRow>(
    `SELECT coalesce(n.size, f.size) AS size, coalesce(n.root, f.root) AS root,
            coalesce(n.time, f.time) AS time, coalesce(n.note, f.note) AS note
     FROM kept_first f LEFT JOIN kept_newest n ON n.size = f.size ORDER BY f.size DESC LIMIT 1`,
  );
  return {
    add: version < SUMS_SCHEMA ? () => undefined : prepareAdding(db),
    list: (from, limit) => listed.all(from, from, limit).map(toHead),
    last: () => toHeadOrNull(newest.get()),
  };
}

function prepareAdding(db: Database.Database): KeptHeads['add'] {
  const hasFirst = db.prepare<[number], number>('SELECT count(*) FROM kept_first WHERE size = ?').pluck();
  const addFirst = db.prepare('INSERT INTO kept_first (size, root, time, note, sum) VALUES (?, ?, ?, ?, ?)');
  const setNewest = db.prepare(
    `INSERT INTO kept_newest (size, root, time, note, sum) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (size) DO UPDATE SET root = excluded.root, time = excluded.time, note = excluded.note, sum = excluded.sum`,
  );
  return (head) => {
    const { size, root, time, note } = head;
    (hasFirst.get(size) === 0 ? addFirst : setNewest).run(size, root, time, note, sumOf(head));
  };
}
