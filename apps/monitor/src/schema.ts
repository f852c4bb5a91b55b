import type { Schema } from '@treering/storage-sqlite';

/** The store of a monitor: how far it has followed each log, every head that still matters, and the alarms. */
export const MONITOR_SCHEMA: Schema = {
  applicationId: 0x4d4f4e49,
  what: 'monitor',
  origin: '"treering monitor serve" makes a new one in an empty folder',
  steps: [
    `
    -- Where the audit of a log goes on after a restart: a compact range, and what the entries up to there amount to.
    CREATE TABLE progress (
      origin   TEXT PRIMARY KEY,
      position BLOB NOT NULL,
      state    BLOB NOT NULL,
      intents  BLOB NOT NULL
    ) STRICT;

    -- Hashes of the trees that were followed, at every eighth level, so that what they contain is proved without asking the log.
    CREATE TABLE tiles (
      origin TEXT NOT NULL,
      level  INTEGER NOT NULL,
      idx    INTEGER NOT NULL,
      hashes BLOB NOT NULL,
      PRIMARY KEY (origin, level, idx)
    ) STRICT, WITHOUT ROWID;

    -- followed: the newest head whose tree was followed to its end; served: the largest that the log gave out;
    -- shown: signed by the log and shown by somebody else, not compared yet.
    CREATE TABLE heads (
      origin TEXT NOT NULL,
      role   TEXT NOT NULL CHECK (role IN ('followed', 'served', 'shown')),
      size   INTEGER NOT NULL,
      root   BLOB NOT NULL CHECK (length(root) = 32),
      note   BLOB NOT NULL,
      seen   INTEGER NOT NULL,
      source TEXT NOT NULL,
      PRIMARY KEY (origin, role, size, root)
    ) STRICT, WITHOUT ROWID;

    -- Entries that make rules: what a proof of an entry against them needs.
    CREATE TABLE governing (
      origin TEXT NOT NULL,
      idx    INTEGER NOT NULL,
      entry  BLOB NOT NULL,
      PRIMARY KEY (origin, idx)
    ) STRICT, WITHOUT ROWID;

    -- How a log has behaved so far. judged: entries that were decided once, and whose alarms were raised if there was reason to.
    -- smaller, hidden: how often it lately gave out less than it had to. since: the first look at it. advanced: when its entries
    -- were last read as far as its head, or further than before. Times are in seconds.
    CREATE TABLE standing (
      origin   TEXT PRIMARY KEY,
      judged   INTEGER NOT NULL,
      smaller  INTEGER NOT NULL,
      hidden   INTEGER NOT NULL,
      since    INTEGER NOT NULL,
      advanced INTEGER NOT NULL
    ) STRICT;

    -- pending: what the proof is made of, until it is made.
    CREATE TABLE alarms (
      id      INTEGER PRIMARY KEY,
      origin  TEXT NOT NULL,
      kind    TEXT NOT NULL,
      about   TEXT NOT NULL,
      message TEXT NOT NULL,
      raised  INTEGER NOT NULL,
      cleared INTEGER,
      pending BLOB,
      tries   INTEGER NOT NULL DEFAULT 0,
      proof   BLOB
    ) STRICT;
    -- An alarm is raised once until it clears.
    CREATE UNIQUE INDEX open_alarms ON alarms (origin, kind, about) WHERE cleared IS NULL;
    CREATE INDEX unproved_alarms ON alarms (origin, tries, id) WHERE pending IS NOT NULL;

    -- What webhooks still have to be told.
    CREATE TABLE deliveries (
      id       INTEGER PRIMARY KEY,
      alarm    INTEGER NOT NULL REFERENCES alarms (id),
      event    TEXT NOT NULL CHECK (event IN ('raised', 'cleared')),
      url      TEXT NOT NULL,
      attempts INTEGER NOT NULL DEFAULT 0,
      due      INTEGER NOT NULL
    ) STRICT;
    `,
    `
    -- rank: which are told first. topic: what the alarm is about, with its log and kind. attempts: those that were begun.
    ALTER TABLE deliveries ADD COLUMN rank INTEGER NOT NULL DEFAULT 6;
    ALTER TABLE deliveries ADD COLUMN topic TEXT NOT NULL DEFAULT '';
    UPDATE deliveries SET rank = (
      SELECT CASE kind WHEN 'fork' THEN 0 WHEN 'rollback' THEN 1 WHEN 'unauthorised' THEN 2 WHEN 'bad-entry' THEN 3
        WHEN 'unwitnessed' THEN 4 WHEN 'stale' THEN 5 ELSE 6 END
      FROM alarms WHERE alarms.id = alarm);
    CREATE INDEX deliveries_in_turn ON deliveries (url, rank, id, due);
    CREATE INDEX deliveries_by_topic ON deliveries (topic, url, event, attempts) WHERE topic <> '';
    CREATE INDEX deliveries_by_alarm ON deliveries (alarm);
    -- lag: seconds for which a log has kept its newest entries back since all were read. least: the fewest that were left meanwhile.
    -- looked: when it was looked at last. uncompared: since when a head that is shown cannot be compared with what was followed.
    ALTER TABLE standing ADD COLUMN lag INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE standing ADD COLUMN least INTEGER;
    ALTER TABLE standing ADD COLUMN looked INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE standing ADD COLUMN uncompared INTEGER;
    `,
  ],
};
