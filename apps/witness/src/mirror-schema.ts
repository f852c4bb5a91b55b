import type { Schema } from '@treering/storage-sqlite';

/**
 * The copy of one log. Entries come in their order and may repeat; only full tiles are rows, each with the hash over it. Triggers
 * refuse to change or remove any of it. Which head the mirror has cosigned stands in the store of the witness.
 */
export const MIRROR_SCHEMA: Schema = {
  applicationId: 0x4d495252,
  what: 'mirror',
  origin: '"treering witness serve --mirror" makes a new one when the first entries of a log come',
  steps: [
    `
    CREATE TABLE entries (
      idx   INTEGER PRIMARY KEY,
      leaf  BLOB NOT NULL CHECK (length(leaf) = 32),
      bytes BLOB NOT NULL CHECK (length(bytes) <= 65535)
    ) STRICT;

    CREATE TABLE tiles (
      level  INTEGER NOT NULL CHECK (level BETWEEN 0 AND 63),
      idx    INTEGER NOT NULL CHECK (idx >= 0),
      root   BLOB NOT NULL CHECK (length(root) = 32),
      hashes BLOB NOT NULL CHECK (length(hashes) = 8192),
      PRIMARY KEY (level, idx)
    ) STRICT;

    -- Of which log: its origin.
    CREATE TABLE log (id INTEGER PRIMARY KEY CHECK (id = 1), origin TEXT NOT NULL) STRICT;

    CREATE TRIGGER entries_are_immutable BEFORE UPDATE ON entries BEGIN SELECT RAISE(ABORT, 'entries are never changed'); END;
    CREATE TRIGGER entries_stay BEFORE DELETE ON entries BEGIN SELECT RAISE(ABORT, 'entries are never removed'); END;
    CREATE TRIGGER entries_are_appended BEFORE INSERT ON entries
    WHEN NEW.idx <> (SELECT coalesce(max(idx) + 1, 0) FROM entries)
    BEGIN SELECT RAISE(ABORT, 'entries are only appended'); END;
    CREATE TRIGGER tiles_are_immutable BEFORE UPDATE ON tiles BEGIN SELECT RAISE(ABORT, 'tiles are never changed'); END;
    CREATE TRIGGER tiles_stay BEFORE DELETE ON tiles BEGIN SELECT RAISE(ABORT, 'tiles are never removed'); END;
    CREATE TRIGGER tiles_are_not_replaced BEFORE INSERT ON tiles
    WHEN EXISTS (SELECT 1 FROM tiles WHERE level = NEW.level AND idx = NEW.idx)
    BEGIN SELECT RAISE(ABORT, 'tiles are never changed'); END;
    CREATE TRIGGER log_is_immutable BEFORE UPDATE ON log BEGIN SELECT RAISE(ABORT, 'a copy is of one log'); END;
    CREATE TRIGGER log_stays BEFORE DELETE ON log BEGIN SELECT RAISE(ABORT, 'a copy is of one log'); END;
    `,
  ],
};
