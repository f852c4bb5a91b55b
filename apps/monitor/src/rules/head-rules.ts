import type { Finding } from '../alarm-book.js';

/** What a monitor knows about the heads of a log after a poll. Times are in seconds. */
export interface HeadView {
  readonly now: number;
  /** What the log gave out in this poll; undefined when it could not be read. */
  readonly served: { readonly size: number; readonly met: boolean; readonly missing: string } | undefined;
  /** The largest head that the log ever gave out. */
  readonly largest: { readonly size: number } | undefined;
  /** In how many polls one after the other the log gave out less than that. */
  readonly smallerPolls: number;
  /** The newest time at which a head that the log gave out was signed, or when it was first seen. */
  readonly signedAt: number | undefined;
  /** The largest head, signed by the log and cosigned by the quorum, that others showed before the log was asked. */
  readonly hidden: { readonly size: number; readonly source: string } | undefined;
  /** In how many polls one after the other the log gave out less than that. */
  readonly hiddenPolls: number;
  /** Seconds after which a head is old. */
  readonly staleAfter: number;
}

/** Decides from the heads of one log, without side effects: a finding, or undefined when there is no reason (any more). */
export type HeadRule = (view: HeadView) => Finding | undefined;

/** Caches may give out a head for a little while after its successor; twice in a row is no cache. */
const PATIENCE = 2;

/** The log gives out a smaller tree than before. */
export const rollback: HeadRule = ({ served, largest, smallerPolls }) => {
  if (served === undefined || largest === undefined || served.size >= largest.size || smallerPolls < PATIENCE) return undefined;
  return {
    kind: 'rollback',
    about: '',
    message: `the log gives out a head of ${served.size} entries after one of ${largest.size}`,
  };
};

/** What the log gives out is old, or it cannot be read at all. */
export const stale: HeadRule = ({ now, served, signedAt, staleAfter }) => {
  if (signedAt === undefined || now - signedAt <= staleAfter) return undefined;
  const what = served === undefined ? 'the log cannot be read, and its last head' : 'the head that the log gives out';
  return { kind: 'stale', about: 'old', message: `${what} was signed ${now - signedAt} seconds ago; it may be ${staleAfter}` };
};

/** Witnesses have cosigned a newer head, and the log does not give it out. */
export const hidden: HeadRule = ({ served, hidden: newer, hiddenPolls }) => {
  if (served === undefined || newer === undefined || served.size >= newer.size || hiddenPolls < PATIENCE) return undefined;
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
