import { createHash } from 'node:crypto';
import type { Damage, StoredHead } from '@treering/storage';
import type Database from 'better-sqlite3';

/** The schema that brought the sums. */
export const SUMS_SCHEMA = 3;

/** Bytes of a sum: against bits that change by themselves, not against somebody who can also write a new sum. */
const SUM_SIZE = 8;

type SummedRow = StoredHead & { readonly kind: string; readonly sum: Uint8Array | null };

/**
 * What stands beside a head so that every bit of its row can be checked: SHA-256 over all of it, cut to 8 bytes. The signatures
 * cover neither the time of the row nor the lines of witnesses whose keys the log does not know.
 */
export function sumOf({ size, root, time, note }: StoredHead): Uint8Array {
  const hash = createHash('sha256').update(`${size} ${time}\n`).update(root).update(note);
  return hash.digest().subarray(0, SUM_SIZE);
}

/** The heads whose rows are not as they were written. Rows from before there were sums have none, and are passed over. */
export function checkSums(db: Database.Database): Damage[] {
  if ((db.pragma('user_version', { simple: true }) as number) < SUMS_SCHEMA) return [];
  const rows = db.prepare<[], SummedRow>(
    `SELECT kind, size, root, time, note, sum FROM heads
     UNION ALL SELECT 'kept', size, root, time, note, sum FROM kept_first
     UNION ALL SELECT 'kept', size, root, time, note, sum FROM kept_newest`,
  );
  const found: Damage[] = [];
  for (const row of rows.iterate()) {
    if (row.sum === null || Buffer.compare(row.sum, sumOf(row)) === 0) continue;
    found.push({ where: placeOf(row), what: 'its row is not as it was written' });
  }
  return found;
}

function placeOf({ kind, size }: SummedRow): string {
  if (kind === 'committed') return 'committed head';
  return kind === 'published' ? 'published checkpoint' : `kept head ${size}`;
}
