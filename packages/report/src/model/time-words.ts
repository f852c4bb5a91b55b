const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];

/**
 * A moment in words, the same wherever the page is opened: "1 April 2026, 00:05:10 UTC".
 * @param seconds since the epoch; whoever signs can write any number
 */
export function momentWords(seconds: number): string {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return `${seconds} seconds after 1970`;
  return `${dayOf(date)}, ${date.toISOString().slice(11, 19)} UTC`;
}

/** A day in words: "1 April 2026". @param seconds since the epoch */
export function dayWords(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? `${seconds} seconds after 1970` : dayOf(date);
}

function dayOf(date: Date): string {
  return `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]} ${date.getUTCFullYear()}`;
}

/** A size in words, exact below 10,000 bytes. */
export function sizeWords(bytes: number): string {
  if (bytes < 10_000) return `${grouped(bytes)} ${bytes === 1 ? 'byte' : 'bytes'}`;
  const [unit, size] = bytes < 1024 * 1024 ? ['KiB', 1024] : (['MiB', 1024 * 1024] as const);
  return `${(bytes / Number(size)).toFixed(1)} ${unit} (${grouped(bytes)} bytes)`;
}

/** A number with commas between thousands. */
export function grouped(n: number): string {
  return String(n).replace(/\B(?=(?:[0-9]{3})+$)/g, ',');
}

/** "1 record", "2 records". */
export function counted(n: number, what: string, many = `${what}s`): string {
  return `${grouped(n)} ${n === 1 ? what : many}`;
}
