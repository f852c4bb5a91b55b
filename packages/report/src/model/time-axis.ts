/** Lengths between ticks, in seconds; above a day, months decide. */
const STEPS = [1, 5, 15, 60, 300, 900, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86_400, 2 * 86_400, 7 * 86_400];
const MONTH = 30 * 86_400;
const MONTH_STEPS = [1, 2, 3, 6, 12, 24, 60, 120, 600, 1200];

/** A mark on a time axis. */
export interface Tick {
  /** Seconds since the epoch. */
  readonly at: number;
  readonly label: string;
}

/** At most so many ticks between two times, at round moments in UTC. */
export function timeTicks(from: number, to: number, most: number): Tick[] {
  const span = Math.max(to - from, 1);
  const step = STEPS.find((seconds) => span / seconds <= most);
  if (step !== undefined) {
    const ticks: Tick[] = [];
    for (let at = Math.ceil(from / step) * step; at <= to; at += step) ticks.push({ at, label: label(at, step) });
    return ticks;
  }
  const months = MONTH_STEPS.find((count) => span / (count * MONTH) <= most) ?? MONTH_STEPS[MONTH_STEPS.length - 1];
  const ticks: Tick[] = [];
  const start = new Date(from * 1000);
  for (let month = Math.floor(start.getUTCMonth() / months) * months; ; month += months) {
    const at = Date.UTC(start.getUTCFullYear(), month) / 1000;
    if (!(at <= to) || ticks.length > most) return ticks;
    if (at >= from) ticks.push({ at, label: new Date(at * 1000).toISOString().slice(0, months >= 12 ? 4 : 7) });
  }
}

function label(at: number, step: number): string {
  const text = new Date(at * 1000).toISOString();
  if (step >= 86_400) return text.slice(0, 10);
  return step >= 60 ? `${text.slice(5, 10)} ${text.slice(11, 16)}` : text.slice(11, 19);
}
