import Database from 'better-sqlite3';

/**
 * What any log on SQLite has to do at least: rows with a number and bytes, durable at each commit (WAL, synchronous=FULL), and
 * nothing else: no hashes, no index, no tiles, no signature, no proof.
 */
export function insertRows(path: string, rows: readonly Uint8Array[], batch: number): void {
  const db = new Database(path);
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = FULL');
  db.exec('CREATE TABLE entries (idx INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT');
  const insert = db.prepare('INSERT INTO entries (idx, bytes) VALUES (?, ?)');
  const insertBatch = db.transaction((start: number) => {
    for (let i = start; i < Math.min(start + batch, rows.length); i++) insert.run(i, rows[i]);
  });
  for (let start = 0; start < rows.length; start += batch) insertBatch.immediate(start);
  db.close();
}
