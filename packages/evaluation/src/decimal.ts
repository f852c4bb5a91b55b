/** Decimal numbers as text, as records carry them (formats.md section 5): no floats, no exponent. */

/**
 * The greatest number that a record can carry: it has 31 digits before the point, and this is the double next below 10^31. What is
 * greater is carried as this one.
 */
export const GREATEST = 1e31;

/**
 * A number as decimal text, rounded, without zeros that say nothing. What is beyond GREATEST, on either side, becomes GREATEST.
 * @param digits digits behind the point, at most 30
 * @throws RangeError for what is no number
 */
export function toDecimal(value: number, digits: number): string {
  if (Number.isNaN(value)) throw new RangeError(`${value} is no number that a record can carry`);
  const carried = Math.max(-GREATEST, Math.min(GREATEST, value));
  // From 10^21 on, toFixed writes an exponent; all doubles of that size are whole.
  const text = Math.abs(carried) >= 1e21 ? BigInt(carried).toString() : carried.toFixed(digits);
  const short = text.includes('.') ? text.replace(/\.?0+$/, '') : text;
  return short === '-0' ? '0' : short;
}

/**
 * Compares two decimals of a record exactly, however many digits they have.
 * @returns a negative number, 0 or a positive one, as a is less than, equal to or greater than b
 */
export function compareDecimals(a: string, b: string): number {
  const digits = Math.max(fraction(a).length, fraction(b).length);
  const [first, second] = [scaled(a, digits), scaled(b, digits)];
  return first < second ? -1 : first > second ? 1 : 0;
}

function fraction(text: string): string {
  return text.split('.')[1] ?? '';
}

function scaled(text: string, digits: number): bigint {
  return BigInt(text.split('.')[0].replace('-', '') + fraction(text).padEnd(digits, '0')) * (text.startsWith('-') ? -1n : 1n);
}
