import { InvalidArgumentError } from 'commander';

/** Seconds of the units in which a time span is given. */
const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** Days that a timer can wait. */
const LONGEST = 24;

/**
 * Reads the time span of an option: seconds, or a whole number with s, m, h or d behind it, such as 90, 90s, 15m, 12h or 7d.
 * @returns seconds, at least 1
 * @throws InvalidArgumentError
 */
export function timeSpan(text: string): number {
  const [, digits, unit = 's'] = /^([1-9][0-9]{0,8})([smhd])?$/.exec(text) ?? [];
  if (digits === undefined) throw new InvalidArgumentError('It takes a time such as 90s, 15m, 12h or 7d.');
  return Number(digits) * UNITS[unit];
}

/**
 * Reads a time span that a timer waits for, at most 24 days.
 * @returns seconds
 * @throws InvalidArgumentError
 */
export function timerSpan(text: string): number {
  const seconds = timeSpan(text);
  if (seconds > LONGEST * UNITS.d) throw new InvalidArgumentError(`It takes at most ${LONGEST} days.`);
  return seconds;
}
