import { type MetricPoint, type MetricSeries, metricsIn } from '../../model/metrics.js';
import { type Child, element, shape } from '../element.js';
import { entryLink, moment, paragraph, rest, section, table, type View } from '../view.js';

const WIDTH = 430;
const HEIGHT = 190;
const LEFT = 52;
const RIGHT = 14;
const TOP = 12;
const BOTTOM = 34;
/** Charts that are drawn; the table has everything. */
const MOST_CHARTS = 24;
/** Points of one chart, the newest. */
const MOST_POINTS = 60;

/** What evaluations measured, version by version. */
export function metricsSection(view: View): HTMLElement {
  const all = metricsIn(view.content);
  if (all.length === 0) return section('metrics', 'Evaluations', paragraph('There is no evaluation in the file.'));
  const charts = all
    .slice(0, MOST_CHARTS)
    .map((series) =>
      element(
        'figure',
        {},
        element('figcaption', {}, element('strong', {}, nameOf(series)), `, ${series.suite}`),
        chart({ ...series, points: series.points.slice(-MOST_POINTS) }),
      ),
    );
  const points = all.flatMap((series) => series.points.map((point) => ({ series, point })));
  const headers = ['Metric', 'Value', 'Tolerance', 'Model', 'Configuration', 'Verdict', 'Signed at', 'Entry'];
  return section(
    'metrics',
    'Evaluations',
    element('div', { class: 'charts' }, ...charts),
    rest(all.length - charts.length, 'metrics'),
    table('Evaluations', headers, points, ({ series, point }) => row(view, series, point)),
  );
}

function nameOf({ name, slice, unit }: MetricSeries): string {
  return `${name}${slice === undefined ? '' : `, ${slice}`}${unit === undefined ? '' : ` (${unit})`}`;
}

function row(view: View, series: MetricSeries, point: MetricPoint): Child[] {
  const { metric, model, config, verdict, at, index } = point;
  const interval = metric.interval === undefined ? '' : ` (${metric.interval[0]} to ${metric.interval[1]})`;
  return [
    [nameOf(series), ', ', series.suite],
    metric.value + interval,
    tolerance(series),
    model === undefined ? 'not in the file' : model.record.version,
    config === undefined ? 'not in the file' : config.record.version,
    verdict === 'pass' ? '✓ pass' : '✗ fail',
    moment(at),
    entryLink(view, index),
  ];
}

function tolerance({ least, most }: MetricSeries): string {
  const parts = [least === undefined ? '' : `at least ${least}`, most === undefined ? '' : `at most ${most}`];
  return parts.filter((part) => part !== '').join(', ') || 'none';
}

function chart(series: MetricSeries): SVGElement {
  const { points, least, most } = series;
  const values = [...points.map(({ value }) => value), least, most].filter((value) => value !== undefined);
  const [low, high] = range(values);
  const y = (value: number): number => round(TOP + ((high - value) / (high - low)) * (HEIGHT - TOP - BOTTOM));
  const step = (WIDTH - LEFT - RIGHT) / Math.max(points.length, 1);
  const x = (i: number): number => round(LEFT + step * (i + 0.5));
  const every = Math.ceil(points.length / 6);
  return shape(
    'svg',
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: 'chart', role: 'img', 'aria-label': chartWords(series) },
    [low, (low + high) / 2, high].map((value) => [
      shape('line', { class: 'grid', x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value) }),
      shape('text', { class: 'tick', x: LEFT - 7, y: y(value) + 4, 'text-anchor': 'end' }, short(value)),
    ]),
    [least, most].map((limit) =>
      limit === undefined
        ? undefined
        : shape(
            'line',
            { class: 'limit', x1: LEFT, x2: WIDTH - RIGHT, y1: y(limit), y2: y(limit) },
            shape('title', {}, `tolerance ${limit}`),
          ),
    ),
    points.length > 1
      ? shape('polyline', { class: 'curve', points: points.map(({ value }, i) => `${x(i)},${y(value)}`).join(' ') })
      : undefined,
    points.map((point, i) => [
      dot(point, x(i), y(point.value)),
      i % every === 0
        ? shape('text', { class: 'tick', x: x(i), y: HEIGHT - 12, 'text-anchor': 'middle' }, label(point))
        : undefined,
    ]),
  );
}

/** A failed evaluation is hollow and square, so that colour alone tells nothing. */
function dot({ metric, verdict, index }: MetricPoint, x: number, y: number): SVGElement {
  const title = shape('title', {}, `${metric.value}, ${verdict}, entry ${index}`);
  if (verdict === 'pass') return shape('circle', { class: 'dot', cx: x, cy: y, r: 4.5 }, title);
  return shape('rect', { class: 'dot bad', x: x - 5, y: y - 5, width: 10, height: 10 }, title);
}

function label({ model, config, index }: MetricPoint): string {
  const words =
    model === undefined
      ? `entry ${index}`
      : `${model.record.version}${config === undefined ? '' : ` · ${config.record.version}`}`;
  return words.length > 14 ? `${words.slice(0, 13)}…` : words;
}

function chartWords(series: MetricSeries): string {
  const { points } = series;
  const [first, last] = [points[0], points[points.length - 1]];
  const change =
    first === last
      ? `${last.metric.value}`
      : `from ${first.metric.value} to ${last.metric.value} in ${points.length} evaluations`;
  return `${nameOf(series)}: ${change}, tolerance ${tolerance(series)}; the values are in the table below`;
}

function range(values: readonly number[]): [number, number] {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const space = (high - low) * 0.15 || Math.abs(high) * 0.1 || 1;
  return [low - space, high + space];
}

function short(value: number): string {
  return Number(value.toPrecision(3)).toString();
}

function round(n: number): number {
  return Math.round(n * 10) / 10;
}
