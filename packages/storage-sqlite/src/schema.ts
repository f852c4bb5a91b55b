import type Database from 'better-sqlite3';

/** What a database file holds. */
export interface Schema {
  /** 32 bits in the header of the file that say what kind of file it is. */
  readonly applicationId: number;
  /** In messages: "log", "witness". */
  readonly what: string;
  /** Where a file comes from that is missing. */
  readonly origin: string;
  /** Step i leads from version i to version i + 1. A step is never changed once released. */
  readonly steps: readonly string[];
}

/**
 * Entries, tiles and the first kept head of each size are append-only: triggers refuse to update or delete them, so that not even
 * a mistake in this code can.
 */
const STEPS: readonly string[] = [
  `
  CREATE TABLE entries (
    idx   INTEGER PRIMARY KEY,
    leaf  BLOB NOT NULL UNIQUE CHECK (length(leaf) = 32),
    topic TEXT NOT NULL CHECK (length(topic) <= 512),
    bytes BLOB NOT NULL CHECK (length(bytes) <= 65535)
  ) STRICT;
  CREATE INDEX entries_by_topic ON entries (topic, idx) WHERE topic <> '';

  -- What the entries amount to, kept in the same transaction, so that no listing reads all entries.
  CREATE TABLE topics (
    topic   TEXT PRIMARY KEY,
    entries INTEGER NOT NULL CHECK (entries > 0),
    latest  INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE tiles (
    level  INTEGER NOT NULL CHECK (level BETWEEN 0 AND 63),
    idx    INTEGER NOT NULL CHECK (idx >= 0),
    root   BLOB NOT NULL CHECK (length(root) = 32),
    hashes BLOB NOT NULL CHECK (length(hashes) = 8192),
    PRIMARY KEY (level, idx)
  ) STRICT;

  CREATE TABLE heads (
    kind TEXT PRIMARY KEY CHECK (kind IN ('committed', 'published')),
    size INTEGER NOT NULL CHECK (size >= 0),
    root BLOB NOT NULL CHECK (length(root) = 32),
    time INTEGER NOT NULL,
    note BLOB NOT NULL
  ) STRICT;

  CREATE TABLE attachments (
    digest TEXT PRIMARY KEY CHECK (length(digest) = 64),
    blob   BLOB NOT NULL
  ) STRICT;

  CREATE TABLE probe (id INTEGER PRIMARY KEY CHECK (id = 1), time INTEGER NOT NULL) STRICT;

  CREATE TRIGGER entries_are_immutable BEFORE UPDATE ON entries BEGIN SELECT RAISE(ABORT, 'entries are never changed'); END;
  CREATE TRIGGER entries_stay BEFORE DELETE ON entries BEGIN SELECT RAISE(ABORT, 'entries are never removed'); END;
  CREATE TRIGGER tiles_are_immutable BEFORE UPDATE ON tiles BEGIN SELECT RAISE(ABORT, 'tiles are never changed'); END;
  CREATE TRIGGER tiles_stay BEFORE DELETE ON tiles BEGIN SELECT RAISE(ABORT, 'tiles are never removed'); END;
  CREATE TRIGGER entries_are_appended BEFORE INSERT ON entries
  WHEN NEW.idx <> (SELECT coalesce(max(idx) + 1, 0) FROM entries) OR EXISTS (SELECT 1 FROM entries WHERE leaf = NEW.leaf)
  BEGIN SELECT RAISE(ABORT, 'entries are only appended, each leaf once'); END;
  CREATE TRIGGER tiles_are_not_replaced BEFORE INSERT ON tiles
  WHEN EXISTS (SELECT 1 FROM tiles WHERE level = NEW.level AND idx = NEW.idx AND (root <> NEW.root OR hashes <> NEW.hashes))
  BEGIN SELECT RAISE(ABORT, 'tiles are never changed'); END;
  CREATE TRIGGER heads_are_not_replaced BEFORE INSERT ON heads
  WHEN EXISTS (SELECT 1 FROM heads WHERE kind = NEW.kind AND (size > NEW.size OR (size = NEW.size AND root <> NEW.root)))
  BEGIN SELECT RAISE(ABORT, 'a head never shrinks'); END;
  CREATE TRIGGER heads_grow BEFORE UPDATE ON heads WHEN NEW.size < OLD.size OR (NEW.size = OLD.size AND NEW.root <> OLD.root) BEGIN SELECT RAISE(ABORT, 'a head never shrinks'); END;
  CREATE TRIGGER heads_stay BEFORE DELETE ON heads BEGIN SELECT RAISE(ABORT, 'heads are never removed'); END;
  `,
  `
  -- Published heads that are kept for good: the first of each size, and beside it the newest of that size.
  CREATE TABLE kept_first (
    size INTEGER PRIMARY KEY CHECK (size >= 0),
    root BLOB NOT NULL CHECK (length(root) = 32),
    time INTEGER NOT NULL,
    note BLOB NOT NULL
  ) STRICT;
  CREATE TABLE kept_newest (
    size INTEGER PRIMARY KEY,
    root BLOB NOT NULL,
    time INTEGER NOT NULL,
    note BLOB NOT NULL
  ) STRICT;

  CREATE TRIGGER kept_first_is_immutable BEFORE UPDATE ON kept_first BEGIN SELECT RAISE(ABORT, 'first kept heads are never changed'); END;
  CREATE TRIGGER kept_first_stays BEFORE DELETE ON kept_first BEGIN SELECT RAISE(ABORT, 'kept heads are never removed'); END;
  CREATE TRIGGER kept_first_is_not_replaced BEFORE INSERT ON kept_first
  WHEN EXISTS (SELECT 1 FROM kept_first WHERE size = NEW.size)
  BEGIN SELECT RAISE(ABORT, 'first kept heads are never changed'); END;
  CREATE TRIGGER kept_newest_is_of_its_tree BEFORE UPDATE ON kept_newest WHEN NEW.size <> OLD.size OR NEW.root <> OLD.root
  BEGIN SELECT RAISE(ABORT, 'a kept head is never that of another tree'); END;
  CREATE TRIGGER kept_newest_stays BEFORE DELETE ON kept_newest BEGIN SELECT RAISE(ABORT, 'kept heads are never removed'); END;
  CREATE TRIGGER kept_newest_comes_second BEFORE INSERT ON kept_newest
  WHEN NOT EXISTS (SELECT 1 FROM kept_first WHERE size = NEW.size AND root = NEW.root)
  BEGIN SELECT RAISE(ABORT, 'a kept head is never that of another tree'); END;
  `,
  `
  -- What shows that a row of heads is as it was written; NULL in rows from before.
  ALTER TABLE heads ADD COLUMN sum BLOB;
  ALTER TABLE kept_first ADD COLUMN sum BLOB;
  ALTER TABLE kept_newest ADD COLUMN sum BLOB;
  `,
];

/** The store of a log; its files begin their application id with 'TREE'. */
export const LOG_SCHEMA: Schema = {
  applicationId: 0x54524545,
  what: 'log',
  origin: '"treering log init" makes a new one, a backup brings back an old one',
  steps: STEPS,
};

/** Brings a database to the newest schema, each step in a transaction of its own. */
export function migrate(db: Database.Database, { steps, applicationId }: Schema): void {
  for (let version = db.pragma('user_version', { simple: true }) as number; version < steps.length; version++) {
    db.transaction(() => {
      db.exec(steps[version]);
      db.pragma(`user_version = ${version + 1}`);
      db.pragma(`application_id = ${applicationId}`);
    })();
  }
}
