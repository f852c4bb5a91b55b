import type { Tolerance } from './tolerance.js';

/** What a record says that was measured at some time. */
export interface TrendRecord {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Index of its entry. */
  readonly index: number;
  /** pass, fail, match, drift, inconclusive: the word of the record. */
  readonly verdict: string;
  readonly metrics: readonly {
    readonly name: string;
    readonly slice?: string | undefined;
    readonly value: string;
    readonly unit?: string | undefined;
    readonly interval?: readonly [string, string] | undefined;
  }[];
  readonly tolerances: readonly Tolerance[];
}

/** A metric at some time. Numbers are for drawing; what counts is in the records. */
export interface TrendPoint {
  readonly at: number;
  readonly index: number;
  readonly verdict: string;
  readonly value: number;
  readonly interval?: readonly [number, number];
  readonly min?: number;
  readonly max?: number;
}

/** How a metric went, oldest first. */
export interface Trend {
  readonly metric: string;
  readonly slice?: string;
  readonly unit?: string;
  readonly points: readonly TrendPoint[];
}

/** The metrics of records as they went, those first that a tolerance is about. */
export function trendsOf(records: readonly TrendRecord[]): Trend[] {
  const trends = new Map<string, Trend & { points: TrendPoint[]; tolerated: boolean }>();
  for (const { at, index, verdict, metrics, tolerances } of [...records].sort((a, b) => a.index - b.index)) {
    for (const { name, slice, unit, value, interval } of metrics) {
      const key = JSON.stringify([name, slice]);
      const about = { metric: name, ...(slice === undefined ? {} : { slice }), ...(unit === undefined ? {} : { unit }) };
      const trend = trends.get(key) ?? { ...about, points: [], tolerated: false };
      trends.set(key, trend);
      const tolerance = tolerances.find((one) => one.metric === name && one.slice === slice);
      trend.tolerated ||= tolerance !== undefined;
      trend.points.push({
        at,
        index,
        verdict,
        value: Number(value),
        ...(interval === undefined ? {} : { interval: [Number(interval[0]), Number(interval[1])] as const }),
        ...(tolerance?.min === undefined ? {} : { min: Number(tolerance.min) }),
        ...(tolerance?.max === undefined ? {} : { max: Number(tolerance.max) }),
      });
    }
  }
  return [...trends.values()]
    .sort((a, b) => Number(b.tolerated) - Number(a.tolerated))
    .map(({ tolerated: _, ...trend }) => trend);
}

/** The values between which a trend is drawn, with some room. */
export function rangeOf({ points }: Pick<Trend, 'points'>): [number, number] {
  const all = points.flatMap(({ value, interval, min, max }) => [value, ...(interval ?? []), min, max]);
  const known = all.filter((value) => value !== undefined);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const room = (high - low) * 0.1 || Math.abs(high) * 0.1 || 1;
  return [low - room, high + room];
}
