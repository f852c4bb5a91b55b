import type { EntryInfo, StoredHead } from '@treering/storage';

/** A head as it stands in the tables of heads. */
export interface HeadRow {
  readonly size: number;
  readonly root: Uint8Array;
  readonly time: number;
  readonly note: Uint8Array;
}

/** What the table of entries holds besides the bytes. */
export interface InfoRow {
  readonly idx: number;
  readonly leaf: Uint8Array;
  readonly topic: string;
}

/** better-sqlite3 returns Buffers; the contract speaks of plain byte arrays. */
export function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** A row of entries as the contract has it. */
export function toInfo({ idx, leaf, topic }: InfoRow): EntryInfo {
  return { index: idx, leafHash: plain(leaf), topic };
}

/** A row of heads as the contract has it. */
export function toHead({ size, root, time, note }: HeadRow): StoredHead {
  return { size, root: plain(root), time, note: plain(note) };
}

/** The same for a row that may not be there. */
export function toHeadOrNull(row: HeadRow | undefined): StoredHead | null {
  return row === undefined ? null : toHead(row);
}
