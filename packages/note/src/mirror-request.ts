import { NoteError } from './errors.js';
import { concatBytes, decodeBase64, decodeUtf8, encodeBase64, encodeUtf8, parseDecimal, uint64 } from './text.js';

/*
 * https://c2sp.org/tlog-mirror, add-entries. The body begins with
 *
 *   +-------------+--------+--------------+------------+-------------+--------+
 *   | u16 BE size | origin | u64 BE start | u64 BE end | u16 BE size | ticket |
 *   +-------------+--------+--------------+------------+-------------+--------+
 *
 * and entry packages follow.
 */

/** The media type of what a mirror says of itself. */
export const MIRROR_INFO_TYPE = 'text/x.tlog.mirror-info';
/** The largest ticket, in bytes: its length is written in two. */
export const MAX_TICKET_SIZE = 65_535;

/** What an upload to a mirror begins with (https://c2sp.org/tlog-mirror, add-entries). */
export interface AddEntriesHeader {
  /** First line of the log's heads. */
  readonly origin: string;
  /** The entries [start, end); `end` is the size of a pending checkpoint. */
  readonly start: bigint;
  readonly end: bigint;
  /** Opaque, from the mirror; empty without one. */
  readonly ticket: Uint8Array;
}

/** Where a mirror stands, in the answers 202 and 409. */
export interface MirrorInfo {
  /** Tree size of a pending checkpoint. */
  readonly size: bigint;
  /** Index of the first entry that it does not have. */
  readonly next: bigint;
  /** Opaque: goes back with the next upload. */
  readonly ticket: Uint8Array;
}

/**
 * The bytes before the entry packages.
 * @throws NoteError (note/malformed) for an origin or ticket of more than 65,535 bytes
 */
export function formatAddEntriesHeader({ origin, start, end, ticket }: AddEntriesHeader): Uint8Array {
  return concatBytes(sized(encodeUtf8(origin)), uint64(start), uint64(end), sized(ticket));
}

/** Three lines. */
export function formatMirrorInfo({ size, next, ticket }: MirrorInfo): string {
  return `${size}\n${next}\n${encodeBase64(ticket)}\n`;
}

/** @throws NoteError (note/malformed) on anything but the one canonical spelling */
export function parseMirrorInfo(bytes: Uint8Array): MirrorInfo {
  const [size, next, ticket, end, ...more] = decodeUtf8(bytes).split('\n');
  if (end !== '' || more.length > 0)
    throw new NoteError('note/malformed', 'a mirror tells of itself in three lines: size, next entry, ticket');
  const info = {
    size: parseDecimal(size, 'the size'),
    next: parseDecimal(next, 'the next entry'),
    ticket: decodeBase64(ticket),
  };
  if (info.ticket.length > MAX_TICKET_SIZE)
    throw new NoteError('note/malformed', `a ticket has at most ${MAX_TICKET_SIZE} bytes, got ${info.ticket.length}`);
  return info;
}

function sized(bytes: Uint8Array): Uint8Array {
  if (bytes.length > 0xffff)
    throw new NoteError('note/malformed', `an origin and a ticket have at most 65535 bytes, got ${bytes.length}`);
  return concatBytes(Uint8Array.of(bytes.length >> 8, bytes.length & 0xff), bytes);
}
