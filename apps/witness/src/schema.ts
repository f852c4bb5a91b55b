import type { Schema } from '@treering/storage-sqlite';

/**
 * The store of a witness. Sizes are 8 bytes, big-endian, so that they compare as numbers up to 2^64 - 1. Triggers refuse what a
 * witness never does: forget a log or a key, or go back to a smaller head.
 */
export const WITNESS_SCHEMA: Schema = {
  applicationId: 0x57495453,
  what: 'witness',
  origin: '"treering witness serve" makes a new one in an empty folder',
  steps: [
    `
    CREATE TABLE logs (
      origin TEXT NOT NULL,
      vkey   TEXT NOT NULL,
      PRIMARY KEY (origin, vkey)
    ) STRICT, WITHOUT ROWID;

    -- The head cosigned last, as a note with the log's signatures and the witness's own.
    CREATE TABLE heads (
      origin TEXT PRIMARY KEY,
      size   BLOB NOT NULL CHECK (length(size) = 8),
      root   BLOB NOT NULL CHECK (length(root) = 32),
      time   INTEGER NOT NULL CHECK (time > 0),
      note   BLOB NOT NULL
    ) STRICT;

    -- Heads that a log signed and that cannot be true together: those cosigned, and those that contradict them.
    CREATE TABLE contradictions (
      origin TEXT NOT NULL,
      size   BLOB NOT NULL CHECK (length(size) = 8),
      root   BLOB NOT NULL CHECK (length(root) = 32),
      note   BLOB NOT NULL,
      PRIMARY KEY (origin, size, root)
    ) STRICT, WITHOUT ROWID;

    -- Heads with cosignatures of the witness or its mirror that the store did not know, until it is unlocked with them. The note
    -- is NULL when the log's signature was not with them.
    CREATE TABLE forgotten (
      origin TEXT NOT NULL,
      size   BLOB NOT NULL CHECK (length(size) = 8),
      root   BLOB NOT NULL CHECK (length(root) = 32),
      note   BLOB,
      PRIMARY KEY (origin, size, root)
    ) STRICT, WITHOUT ROWID;

    -- The number of changes, and the XOR of the hashes of all heads after the last one, the mirror's too: a file and a WAL of different copies
    -- show heads that do not belong to the number.
    CREATE TABLE state (
      id         INTEGER PRIMARY KEY CHECK (id = 1),
      generation INTEGER NOT NULL,
      digest     BLOB NOT NULL CHECK (length(digest) = 32),
      locked     TEXT
    ) STRICT;
    INSERT INTO state (id, generation, digest) VALUES (1, 0, zeroblob(32));

    CREATE TRIGGER logs_stay BEFORE DELETE ON logs BEGIN SELECT RAISE(ABORT, 'logs are never removed'); END;
    CREATE TRIGGER logs_keep_their_keys BEFORE UPDATE ON logs BEGIN SELECT RAISE(ABORT, 'keys of a log are never changed'); END;
    CREATE TRIGGER heads_stay BEFORE DELETE ON heads BEGIN SELECT RAISE(ABORT, 'heads are never removed'); END;
    CREATE TRIGGER heads_grow BEFORE UPDATE ON heads
    WHEN NEW.origin <> OLD.origin OR NEW.size < OLD.size OR (NEW.size = OLD.size AND NEW.root <> OLD.root) OR NEW.time < OLD.time
    BEGIN SELECT RAISE(ABORT, 'a head never shrinks'); END;
    CREATE TRIGGER generations_grow BEFORE UPDATE ON state WHEN NEW.generation < OLD.generation
    BEGIN SELECT RAISE(ABORT, 'a generation never falls'); END;
    `,
    `
    -- The heads cosigned last, newest first by size: what an upload to the mirror may lead to.
    CREATE TABLE pending (
      origin TEXT NOT NULL,
      size   BLOB NOT NULL CHECK (length(size) = 8),
      root   BLOB NOT NULL CHECK (length(root) = 32),
      note   BLOB NOT NULL,
      PRIMARY KEY (origin, size)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO pending (origin, size, root, note) SELECT origin, size, root, note FROM heads;

    -- The mirror checkpoint of a log, as a note with the log's signatures and the mirror's; below which the mirror cosigns nothing.
    CREATE TABLE mirrors (
      origin    TEXT PRIMARY KEY,
      size      BLOB NOT NULL CHECK (length(size) = 8),
      root      BLOB NOT NULL CHECK (length(root) = 32),
      time      INTEGER NOT NULL CHECK (time > 0),
      note      BLOB NOT NULL,
      -- Why the copy is not what was cosigned; and whether the operator knows, so that it may be filled again.
      lost      TEXT,
      refilling INTEGER NOT NULL DEFAULT 0 CHECK (refilling IN (0, 1))
    ) STRICT;

    CREATE TRIGGER pending_heads_agree BEFORE UPDATE ON pending
    WHEN NEW.origin <> OLD.origin OR NEW.size <> OLD.size OR NEW.root <> OLD.root
    BEGIN SELECT RAISE(ABORT, 'a size has one root'); END;
    CREATE TRIGGER mirrors_stay BEFORE DELETE ON mirrors BEGIN SELECT RAISE(ABORT, 'mirror checkpoints are never removed'); END;
    CREATE TRIGGER mirrors_grow BEFORE UPDATE ON mirrors
    WHEN NEW.origin <> OLD.origin OR NEW.size < OLD.size OR (NEW.size = OLD.size AND NEW.root <> OLD.root) OR NEW.time < OLD.time
    BEGIN SELECT RAISE(ABORT, 'a mirror checkpoint never shrinks'); END;
    `,
  ],
};
