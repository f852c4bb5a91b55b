import { timeText } from '@treering/evidence';
import { printable } from '@treering/record';
import { UsageError } from './exit.js';

/**
 * Milliseconds since the epoch of a time in UTC, such as 2027-12-02T12:00:00Z; a day alone is its beginning.
 * @throws UsageError for everything else, also for days that no calendar has
 */
export function parseUtc(text: string): number {
  const known = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?Z)?$/.test(text);
  const time = known ? Date.parse(text) : Number.NaN;
  // The calendar is lenient: it takes the 30th of February for the 2nd of March.
  if (Number.isNaN(time) || !new Date(time).toISOString().startsWith(text.slice(0, 10)))
    throw new UsageError(`${printable(text)} is no time in UTC such as 2027-12-02T12:00:00Z, and no day such as 2027-12-02`);
  return time;
}

/** A time for people, to the second. @param milliseconds since the epoch */
export function utcText(milliseconds: number): string {
  return timeText(Math.floor(milliseconds / 1000));
}

/** A span for people, in the largest unit that fits it twice, rounded down. */
export function spanText(milliseconds: number): string {
  const minutes = Math.floor(milliseconds / 60_000);
  const [count, unit] =
    minutes >= 2880 ? [minutes / 1440, 'days'] : minutes >= 120 ? [minutes / 60, 'hours'] : [minutes, 'minutes'];
  return Math.floor(count) === 1 ? `1 ${unit.slice(0, -1)}` : `${Math.floor(count)} ${unit}`;
}
