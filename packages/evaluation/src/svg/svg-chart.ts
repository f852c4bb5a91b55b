import { parse, type Spec, View } from 'vega';
import { metricLabel, toleranceInWords } from '../tolerance.js';
import { rangeOf, type Trend } from '../trend.js';

const WIDTH = 640;
const HEIGHT = 160;
/** Milliseconds: what took less is shown with its seconds. */
const HOUR = 3_600_000;
/** Trends in one picture at most: more are no picture any more. */
const MOST_TRENDS = 16;
const COLOURS = { value: '#1f4e79', interval: '#7a9cc0', tolerated: '#e4f0e0', bound: '#5b8c4f', drift: '#b3261e' } as const;

/**
 * Trends as an SVG picture, below each other: the value over time, its interval as whiskers, what is tolerated as a band, in
 * red what lies outside of it as a whole. The same trends give the same text.
 */
export async function svgChart(title: string, trends: readonly Trend[]): Promise<string> {
  const shown = trends.filter(({ points }) => points.length > 0).slice(0, MOST_TRENDS);
  const view = new View(parse(pictureOf(title, shown)), { renderer: 'none' });
  try {
    return `${await view.toSVG()}\n`;
  } finally {
    view.finalize();
  }
}

function pictureOf(title: string, trends: readonly Trend[]): Spec {
  const times = trends.flatMap(({ points }) => points.map(({ at }) => at));
  const [first, last] = times.length === 0 ? [0, 1] : [Math.min(...times), Math.max(...times)];
  const room = (last - first) * 0.04 || 60_000;
  return {
    $schema: 'https://vega.github.io/schema/vega/v6.json',
    background: 'white',
    padding: 8,
    title: { text: title, anchor: 'start', fontSize: 14 },
    layout: { columns: 1, padding: 28 },
    data: trends.map((trend, i) => ({ name: `trend_${i}`, values: pointsOf(trend, first - room, last + room) })),
    scales: [{ name: 'time', type: 'utc', domain: [first - room, last + room], range: [0, WIDTH] }],
    marks: trends.map((trend, i) => panelOf(trend, i, last - first < HOUR ? '%m-%d %H:%M:%S' : '%Y-%m-%d %H:%M')),
  };
}

/** Points with what is tolerated from them on, until the next one. */
function pointsOf(trend: Trend, begin: number, end: number): object[] {
  const [low, high] = rangeOf(trend);
  return trend.points.map(({ at, value, interval, min, max }, i) => ({
    at,
    from: i === 0 ? begin : at,
    until: trend.points[i + 1]?.at ?? end,
    value,
    low: interval?.[0] ?? value,
    high: interval?.[1] ?? value,
    tolerated: min !== undefined || max !== undefined,
    min: min ?? low,
    max: max ?? high,
    has_min: min !== undefined,
    has_max: max !== undefined,
    outside: (min !== undefined && (interval?.[1] ?? value) < min) || (max !== undefined && (interval?.[0] ?? value) > max),
  }));
}

function panelOf(trend: Trend, i: number, format: string): NonNullable<Spec['marks']>[number] {
  const from = { data: `trend_${i}` };
  const at = { scale: 'time', field: 'at' };
  const scaled = (field: string) => ({ scale: 'level', field });
  const span = { x: { scale: 'time', field: 'from' }, x2: { scale: 'time', field: 'until' } };
  const bound = (field: 'min' | 'max') => ({
    type: 'rule' as const,
    from,
    encode: {
      enter: {
        ...span,
        y: scaled(field),
        stroke: { value: COLOURS.bound },
        strokeDash: { value: [4, 3] },
        opacity: { signal: `datum.has_${field} ? 1 : 0` },
      },
    },
  });
  const newest = trend.points[trend.points.length - 1];
  const tolerated = newest.min === undefined && newest.max === undefined ? 'no tolerance' : `tolerated ${words(newest)}`;
  const name = `${metricLabel(trend.metric, trend.slice)}${trend.unit === undefined ? '' : ` (${trend.unit})`}`;
  return {
    type: 'group',
    encode: { enter: { width: { value: WIDTH }, height: { value: HEIGHT } } },
    title: { text: `${name}, ${tolerated}`, anchor: 'start', fontSize: 12, fontWeight: 'normal' },
    scales: [{ name: 'level', type: 'linear', domain: rangeOf(trend), range: [HEIGHT, 0], zero: false }],
    axes: [
      { orient: 'bottom', scale: 'time', tickCount: 6, format, labelOverlap: true },
      { orient: 'left', scale: 'level', tickCount: 5, grid: true, gridColor: '#eeeeee' },
    ],
    marks: [
      {
        type: 'rect',
        from,
        encode: {
          enter: {
            ...span,
            y: scaled('max'),
            y2: scaled('min'),
            fill: { value: COLOURS.tolerated },
            opacity: { signal: 'datum.tolerated ? 0.8 : 0' },
          },
        },
      },
      bound('min'),
      bound('max'),
      {
        type: 'rule',
        from,
        encode: {
          enter: {
            x: at,
            y: scaled('low'),
            y2: scaled('high'),
            stroke: { value: COLOURS.interval },
            strokeWidth: { value: 3 },
          },
        },
      },
      {
        type: 'line',
        from,
        encode: { enter: { x: at, y: scaled('value'), stroke: { value: COLOURS.value }, strokeWidth: { value: 1.5 } } },
      },
      {
        type: 'symbol',
        from,
        encode: {
          enter: {
            x: at,
            y: scaled('value'),
            size: { value: 50 },
            fill: { signal: `datum.outside ? '${COLOURS.drift}' : '${COLOURS.value}'` },
            stroke: { value: 'white' },
          },
        },
      },
    ],
  };
}

function words({ min, max }: { readonly min?: number; readonly max?: number }): string {
  return toleranceInWords({
    metric: '',
    ...(min === undefined ? {} : { min: String(min) }),
    ...(max === undefined ? {} : { max: String(max) }),
  });
}
