import asciichart from 'asciichart';
import { metricLabel } from './tolerance.js';
import { rangeOf, type Trend, type TrendPoint } from './trend.js';

/** How a chart is drawn in a terminal. */
export interface TextChartOptions {
  /** Columns and rows of the drawing itself. */
  readonly columns: number;
  readonly rows: number;
}

/** Points below each other: when, the value with its interval, the verdict. The newest ones, when there are more. */
const MOST_LISTED = 12;

/** With what lines are drawn, in the order that the plotter names: so that they can be told apart without colours. */
const SYMBOLS = {
  tolerated: ['┼', '┤', '=', '=', '=', '=', '=', '=', '=', '|'],
  interval: ['┼', '┤', '.', '.', '.', '.', '.', '.', '.', ':'],
  value: ['┼', '┤', '╶', '╴', '─', '╰', '╭', '╮', '╯', '│'],
} as const;

/**
 * A trend as lines of text: the metric, the ends of its interval and the bounds that are tolerated, each point as wide as the others,
 * and below it the newest points in words. What not every point has is left out of the drawing.
 */
export function textChart(trend: Trend, { columns, rows }: TextChartOptions): string[] {
  const { points, metric, slice, unit } = trend;
  const shown = points.slice(-columns);
  if (shown.length === 0) return [];
  const wide = Math.max(1, Math.floor(columns / shown.length));
  const [min, max] = rangeOf({ points: shown });
  const digits = Math.max(0, Math.min(6, 3 - Math.floor(Math.log10(max - min))));
  const width = Math.max(...[min, max].map((end) => end.toFixed(digits).length));
  const draw = (kind: keyof typeof SYMBOLS, of: (point: TrendPoint) => number | undefined): string[] => {
    const values = shown.map(of).filter((value) => value !== undefined);
    if (values.length < shown.length) return [];
    return asciichart
      .plot(
        values.flatMap((value) => Array.from({ length: wide }, () => value)),
        {
          height: rows,
          min,
          max,
          offset: width + 2,
          format: (x) => x.toFixed(digits).padStart(width),
          symbols: [...SYMBOLS[kind]],
        },
      )
      .split('\n');
  };
  const layers = [
    draw('tolerated', (point) => point.min),
    draw('tolerated', (point) => point.max),
    draw('interval', ({ interval }) => interval?.[0]),
    draw('interval', ({ interval }) => interval?.[1]),
    draw('value', ({ value }) => value),
  ];
  return [
    `${metricLabel(metric, slice)}${unit === undefined ? '' : ` in ${unit}`}, ${minute(shown[0])} to ${minute(shown[shown.length - 1])} UTC`,
    ...overlay(layers.filter((layer) => layer.length > 0)).map((row) => row.trimEnd()),
    `${' '.repeat(width + 2)}─ value   . its interval   = tolerated`,
    ...points.slice(-MOST_LISTED).map(inWords),
  ];
}

/** Drawings of one size on top of each other, the last one uppermost. */
function overlay(layers: readonly string[][]): string[] {
  return layers.reduce((below, above) =>
    below.map((row, y) =>
      Array.from(row, (cell, x) => (above[y][x] === ' ' || above[y][x] === '┤' ? cell : above[y][x])).join(''),
    ),
  );
}

function inWords({ at, index, value, interval, min, max, verdict }: TrendPoint): string {
  const bounds = [...(min === undefined ? [] : [`min ${min}`]), ...(max === undefined ? [] : [`max ${max}`])].join(', ');
  const within = interval === undefined ? '' : ` [${interval[0]}, ${interval[1]}]`;
  return `  ${new Date(at).toISOString()}  entry ${index}  ${value}${within}  ${bounds === '' ? '' : `${bounds}  `}${verdict}`;
}

function minute({ at }: TrendPoint): string {
  return new Date(at).toISOString().slice(0, 16).replace('T', ' ');
}
