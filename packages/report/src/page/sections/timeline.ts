import { type ReportEntry, signedAt } from '../../model/content.js';
import type { Period } from '../../model/services.js';
import { timeTicks } from '../../model/time-axis.js';
import { momentWords } from '../../model/time-words.js';
import { clusters, type Timeline, timelineOf } from '../../model/timeline.js';
import { type Child, element, shape } from '../element.js';
import { details, entryLink, moment, paragraph, section, table, type View } from '../view.js';
import { entryTitle } from './records.js';

const WIDTH = 920;
const LEFT = 138;
const RIGHT = 16;
const ROW = 38;
const BAR = 24;
/** Bars of one service, the newest; the table has the others. */
const MOST_BARS = 300;
/** About how wide a character of the drawing is. */
const CHARACTER = 6.6;

/** What happened when, drawn and as a table. */
export function timelineSection(view: View): HTMLElement {
  const timeline = timelineOf(view.content);
  if (timeline === undefined)
    return section('timeline', 'Timeline', paragraph('There is no change, deployment or incident in the file.'));
  const row = (entry: ReportEntry): Child[] => [
    moment(signedAt(entry)),
    entryTitle(entry),
    entry.record?.subject,
    entryLink(view, entry.index),
  ];
  return section(
    'timeline',
    'Timeline',
    paragraph('By the times at which the records were signed, as their signers say. Bars are what was in service.'),
    element('div', { class: 'scroll' }, drawing(timeline)),
    details('The timeline as a table', table('Timeline', ['Signed at', 'What', 'Subject', 'Entry'], timeline.events, row)),
  );
}

function drawing({ from, to, services, lanes }: Timeline): SVGElement {
  const rows = services.length + lanes.length;
  const height = rows * ROW + 34;
  const margin = (to - from) * 0.02;
  const scale = (WIDTH - LEFT - RIGHT) / (to - from + 2 * margin);
  const x = (at: number): number => Math.round((LEFT + (at - from + margin) * scale) * 10) / 10;
  const ticks = timeTicks(from - margin, to + margin, 7);
  const bottom = rows * ROW + 6;
  const words = `Timeline from ${momentWords(from)} to ${momentWords(to)}; a table with everything in it follows`;
  return shape(
    'svg',
    { viewBox: `0 0 ${WIDTH} ${height}`, class: 'chart wide', role: 'img', 'aria-label': words },
    ticks.map(({ at, label }) => [
      shape('line', { class: 'grid', x1: x(at), x2: x(at), y1: 0, y2: bottom }),
      shape('text', { class: 'tick', x: x(at), y: bottom + 18, 'text-anchor': 'middle' }, label),
    ]),
    services.map(({ name, environment, periods }, row) => [
      laneLabel(row, `${name}, ${environment}`),
      periods.slice(-MOST_BARS).map((period, i) => bar(period, row, i, x, x(to + margin))),
    ]),
    lanes.map(({ label, entries }, i) => {
      const row = services.length + i;
      const y = row * ROW + ROW / 2;
      return [
        shape('line', { class: 'lane', x1: LEFT, x2: WIDTH - RIGHT, y1: y, y2: y }),
        laneLabel(row, label),
        clusters(entries, x, 17).map((cluster) => mark(cluster.entries, cluster.x, y, label)),
      ];
    }),
  );
}

function laneLabel(row: number, text: string): SVGElement {
  const short = text.length > 19 ? `${text.slice(0, 18)}…` : text;
  return shape('text', { class: 'lane-label', x: 0, y: row * ROW + ROW / 2 + 4 }, short);
}

function bar(period: Period, row: number, i: number, x: (at: number) => number, end: number): Child {
  const [left, right] = [x(period.from), period.until === undefined ? end : x(period.until)];
  const width = Math.max(right - left, 2);
  const text = `model ${version(period.model)} · configuration ${version(period.config)}`;
  const short = `${version(period.model)} · ${version(period.config)}`;
  const fitting = [text, short].find((words) => words.length * CHARACTER + 12 < width);
  const until = period.until === undefined ? 'with no end in the file' : `to ${momentWords(period.until)}`;
  const y = row * ROW + (ROW - BAR) / 2;
  return shape(
    'g',
    {},
    shape('title', {}, `${text}, from ${momentWords(period.from)} ${until}`),
    shape('rect', { class: i % 2 === 0 ? 'bar' : 'bar other', x: left, y, width, height: BAR, rx: 2 }),
    fitting === undefined ? undefined : shape('text', { class: 'bar-label', x: left + 7, y: y + 16 }, fitting),
  );
}

function version(part: { readonly record: { readonly version: string } } | undefined): string {
  return part === undefined ? 'not in the file' : part.record.version;
}

/** One mark for records that lie close together; several are counted. */
function mark(entries: readonly ReportEntry[], x: number, y: number, label: string): Child {
  const words = entries.slice(0, 12).map((entry) => `${entryTitle(entry)} (entry ${entry.index})`);
  const more = entries.length > 12 ? [`and ${entries.length - 12} more`] : [];
  const form = label === 'Incidents' ? 'mark bad' : 'mark';
  return shape(
    'g',
    {},
    shape('title', {}, [...words, ...more].join('; ')),
    shape('circle', { class: form, cx: x, cy: y, r: entries.length > 1 ? 9 : 6 }),
    entries.length > 1
      ? shape('text', { class: 'mark-count', x, y: y + 4, 'text-anchor': 'middle' }, String(entries.length))
      : undefined,
  );
}
