import type { Schema } from '@treering/storage-sqlite';

/** The store of a recorder: what came, what came of it, and what is on its way to the log. */
export const RECORDER_SCHEMA: Schema = {
  applicationId: 0x52454344,
  what: 'recorder',
  origin: '"treering recorder serve" makes a new one in an empty folder',
  steps: [
    `
    CREATE TABLE deliveries (
      id       INTEGER PRIMARY KEY,
      delivery TEXT NOT NULL UNIQUE,
      -- SHA-256 of the body: another body under the same id is another delivery.
      content  BLOB NOT NULL CHECK (length(content) = 32),
      received INTEGER NOT NULL,
      event    TEXT NOT NULL,
      body     BLOB NOT NULL,
      state    TEXT NOT NULL CHECK (state IN ('waiting', 'recorded', 'known', 'ignored', 'refused')),
      attempts INTEGER NOT NULL DEFAULT 0,
      -- When a waiting one is tried again, in milliseconds since the epoch.
      next_at  INTEGER NOT NULL DEFAULT 0,
      message  TEXT,
      leaf     BLOB CHECK (length(leaf) = 32)
    ) STRICT;
    CREATE INDEX deliveries_waiting ON deliveries (next_at, id) WHERE state = 'waiting';

    -- A statement is here from before it is sent until the log has answered: the same one is sent again.
    CREATE TABLE outbox (
      delivery  INTEGER PRIMARY KEY REFERENCES deliveries (id),
      statement BLOB NOT NULL
    ) STRICT;
    CREATE TABLE outbox_attachments (
      delivery INTEGER NOT NULL REFERENCES outbox (delivery) ON DELETE CASCADE,
      digest   TEXT NOT NULL CHECK (length(digest) = 64),
      blob     BLOB NOT NULL,
      PRIMARY KEY (delivery, digest)
    ) STRICT;

    -- Which name of the registry has a segment of a subject: the one that had it first.
    CREATE TABLE names (
      name    TEXT PRIMARY KEY,
      segment TEXT NOT NULL UNIQUE
    ) STRICT, WITHOUT ROWID;

    -- Where the files of a version are, for the events that do not say it.
    CREATE TABLE sources (
      name    TEXT NOT NULL,
      version TEXT NOT NULL,
      source  TEXT NOT NULL,
      PRIMARY KEY (name, version)
    ) STRICT, WITHOUT ROWID;

    CREATE TRIGGER names_stay BEFORE DELETE ON names BEGIN SELECT RAISE(ABORT, 'names are never removed'); END;
    CREATE TRIGGER names_keep_their_segments BEFORE UPDATE ON names BEGIN SELECT RAISE(ABORT, 'a name keeps its segment'); END;
    CREATE TRIGGER deliveries_stay BEFORE DELETE ON deliveries BEGIN SELECT RAISE(ABORT, 'deliveries are never removed'); END;
    `,
  ],
};
