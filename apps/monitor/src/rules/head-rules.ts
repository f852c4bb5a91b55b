import type { Finding } from '../alarm-book.js';

/** What a monitor knows about the heads of a log after a poll. Times are in seconds. */
export interface HeadView {
  readonly now: number;
  /** What the log gave out in this poll; undefined when it could not be read. */
  readonly served: { readonly size: number; readonly met: boolean; readonly missing: string } | undefined;
  /** The largest head that the log ever gave out. */
  readonly largest: { readonly size: number } | undefined;
  /** Points for giving out less than that lately. */
  readonly smaller: number;
  /** Whether the log itself dates the smaller head later than the larger one. */
  readonly signedLater: boolean;
  /** The newest time at which a head that the log gave out was signed, or when it was first seen. */
  readonly signedAt: number | undefined;
  /** When the log was first looked at. */
  readonly since: number;
  /** The largest head, signed by the log and cosigned by the quorum, that others showed before the log was asked. */
  readonly hidden: { readonly size: number; readonly source: string } | undefined;
  /** Points for giving out less than that lately. */
  readonly hiding: number;
  /** Entries that were read, when that were last more than before or all, and how far behind; undefined when entries are not read. */
  readonly read: { readonly size: number; readonly advanced: number; readonly lag: number } | undefined;
  /** A head that somebody else shows and that is not larger than what was followed, and since when it could not be compared. */
  readonly uncompared: { readonly size: number; readonly source: string; readonly since: number } | undefined;
  /** Seconds after which a head is old. */
  readonly staleAfter: number;
}

/** Decides from the heads of one log, without side effects: a finding, or undefined when there is no reason (any more). */
export type HeadRule = (view: HeadView) => Finding | undefined;

/** Points for a head that should have been larger; each one that is as it should be takes one off. */
const STEP = 3;
/** Caches may give out a head for a little while after its successor; twice in a row, or again and again, is no cache. */
const PATIENCE = 2 * STEP;
const MOST = 4 * STEP;

/** The points after another poll. */
export function points(before: number, wrong: boolean): number {
  return wrong ? Math.min(before + STEP, MOST) : Math.max(before - 1, 0);
}

/** How far reading is behind what a log has promised. */
export interface Pace {
  /** Seconds for which the log has kept the monitor from its newest entries, since all were read. */
  readonly lag: number;
  /** The fewest entries that were left after a poll since then; null when none are. */
  readonly least: number | null;
}

/** What one poll read. */
export interface Reading {
  /** Entries of the largest head that are not read. */
  readonly left: number;
  /** Whether it was broken off only because it takes long. */
  readonly broken: boolean;
  /** Whether it began again, so that more may be left than after the poll before. */
  readonly again: boolean;
  /** Seconds since the poll before. */
  readonly passed: number;
}

/** Entries by which what is left has to become fewer in a poll that was broken off by its limit: a bundle. */
const BUNDLE = 256;
/** How many times as long as `staleAfter` a log that delivers something may keep the newest entries back. */
const LONGEST_LAG = 4;

/**
 * The pace after another poll. A large log takes hours when it is read for the first time, and that is no fault of it: a poll that
 * ends only because it took long costs nothing while less and less is left. A poll that ends because the log does not deliver counts
 * with the time since the poll before, whatever came.
 */
export function paced({ lag, least }: Pace, { left, broken, again, passed }: Reading): Pace {
  if (left <= 0) return { lag: 0, least: null };
  if (least === null) return { lag: 0, least: left };
  const goesOn = broken && (again || left <= least - BUNDLE);
  return { lag: goesOn ? lag : lag + Math.max(passed, 0), least: again ? left : Math.min(left, least) };
}

/** The log gives out a smaller tree than before. */
export const rollback: HeadRule = ({ served, largest, smaller, signedLater }) => {
  if (served === undefined || largest === undefined || served.size >= largest.size) return undefined;
  if (smaller < PATIENCE && !signedLater) return undefined;
  return {
    kind: 'rollback',
    about: '',
    message: `the log gives out a head of ${served.size} entries after one of ${largest.size}`,
  };
};

/** What the log gives out is old, or it cannot be read at all. */
export const stale: HeadRule = ({ now, served, signedAt, since, staleAfter }) => {
  const from = signedAt ?? since;
  if (now - from <= staleAfter) return undefined;
  if (signedAt === undefined)
    return {
      kind: 'stale',
      about: 'old',
      message: `the log cannot be read, for ${now - since} seconds; it may be ${staleAfter}`,
    };
  const what = served === undefined ? 'the log cannot be read, and its last head' : 'the head that the log gives out';
  return { kind: 'stale', about: 'old', message: `${what} was signed ${now - from} seconds ago; it may be ${staleAfter}` };
};

/** The log gives out heads, and not the entries below them, or fewer than it grows by. */
export const withheld: HeadRule = ({ now, served, read, staleAfter }) => {
  if (served === undefined || read === undefined || served.size <= read.size) return undefined;
  const head = `the log gives out a head of ${served.size} entries`;
  const without = now - read.advanced;
  if (without > staleAfter)
    return { kind: 'stale', about: 'entries', message: `${head}, and for ${without} seconds none from entry ${read.size} on` };
  if (read.lag <= LONGEST_LAG * staleAfter) return undefined;
  return {
    kind: 'stale',
    about: 'entries',
    message: `${head}, and has kept back some of its entries for ${read.lag} seconds, now those from entry ${read.size} on`,
  };
};

/** Somebody shows a head that the log signed, and the log does not give out what would tell whether it is of the same history. */
export const uncompared: HeadRule = ({ now, uncompared: head, staleAfter }) => {
  if (head === undefined || now - head.since <= staleAfter) return undefined;
  return {
    kind: 'stale',
    about: 'compare',
    message: `for ${now - head.since} seconds the log does not give out what tells whether its tree contains the head of ${head.size} entries that ${head.source} shows`,
  };
};

/** Witnesses have cosigned a newer head, and the log does not give it out. */
export const hidden: HeadRule = ({ served, hidden: newer, hiding }) => {
  if (served === undefined || newer === undefined || served.size >= newer.size || hiding < PATIENCE) return undefined;
  return {
    kind: 'stale',
    about: 'hidden',
    message: `the log gives out a head of ${served.size} entries and hides one of ${newer.size}, which ${newer.source} shows`,
  };
};

/** The log gives out a head without the quorum of the policy. */
export const unwitnessed: HeadRule = ({ served }) => {
  if (served === undefined || served.met) return undefined;
  return {
    kind: 'unwitnessed',
    about: '',
    message: `the head of ${served.size} entries lacks cosignatures: ${served.missing}`,
  };
};
