import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { textChart } from '../src/chart-text.js';
import { svgChart } from '../src/svg/svg-chart.js';
import { type TrendRecord, trendsOf } from '../src/trend.js';

const HOUR = 3_600_000;
const records: TrendRecord[] = [0.97, 0.96, 0.84].map((value, i) => ({
  at: 1_700_000_000_000 + i * HOUR,
  index: 10 + i,
  verdict: ['pass', 'match', 'drift'][i],
  metrics: [
    { name: 'latency_p95', unit: 'ms', value: String(20 + i) },
    { name: 'accuracy', value: String(value), interval: [String(value - 0.02), String(value + 0.02)] },
    { name: 'recall', slice: 'ward <7> & "x"', value: '0.5' },
  ],
  tolerances: [{ metric: 'accuracy', min: '0.93' }],
}));

test('trends are in the order of the log, those first that a tolerance is about', () => {
  const trends = trendsOf([...records].reverse());
  assert.equal(
    trends.map(({ metric, slice, unit }) => [metric, slice, unit]),
    [
      ['accuracy', undefined, undefined],
      ['latency_p95', undefined, 'ms'],
      ['recall', 'ward <7> & "x"', undefined],
    ],
  );
  const [{ points }] = trends;
  assert.equal(
    points.map(({ index, value, min, max, verdict }) => [index, value, min, max, verdict]),
    [
      [10, 0.97, 0.93, undefined, 'pass'],
      [11, 0.96, 0.93, undefined, 'match'],
      [12, 0.84, 0.93, undefined, 'drift'],
    ],
  );
  assert.equal(trendsOf([]), []);
});

test('a chart in the terminal shows the value, its interval and what is tolerated', () => {
  const [trend] = trendsOf(records);
  const lines = textChart(trend, { columns: 30, rows: 8 });
  assert.is(lines[0], 'accuracy, 2023-11-14 22:13 to 2023-11-15 00:13 UTC');
  const rows = lines.slice(1, 10);
  assert.ok(
    rows.some((row) => /=+/.test(row)) && rows.some((row) => /\.{5}/.test(row)) && rows.some((row) => row.includes('╮')),
  );
  // The value begins in a row above what is tolerated, and ends in one below.
  const rowOf = (pattern: RegExp): number => rows.findIndex((row) => pattern.test(row));
  assert.ok(rowOf(/┼─/) < rowOf(/==/) && rowOf(/==/) < rowOf(/╰─/));
  assert.is(lines[lines.length - 1], '  2023-11-15T00:13:20.000Z  entry 12  0.84 [0.82, 0.86]  min 0.93  drift');
  assert.equal(textChart(trend, { columns: 30, rows: 8 }), lines);
  assert.equal(textChart({ metric: 'f1', points: [] }, { columns: 30, rows: 8 }), []);
});

test('one point, and points that are all the same, can be drawn', () => {
  const [one] = trendsOf(records.slice(0, 1));
  assert.ok(textChart(one, { columns: 20, rows: 5 }).length > 5);
  const flat = trendsOf(records).find(({ metric }) => metric === 'recall');
  assert.ok(flat !== undefined && textChart(flat, { columns: 20, rows: 5 })[0].startsWith('recall@ward <7>'));
});

test('a picture is the same text for the same trends, its texts escaped', async () => {
  const trends = trendsOf(records);
  const title = '<script>alert(1)</script> & co';
  const picture = await svgChart(title, trends);
  assert.is(await svgChart(title, trends), picture);
  assert.match(picture, /^<svg [^>]+>.*<\/svg>\n$/s);
  assert.not.match(picture, '<script');
  assert.match(picture, '&lt;script&gt;alert(1)&lt;/script&gt; &amp; co');
  assert.match(picture, 'accuracy, tolerated at least 0.93');
  assert.match(picture, 'recall@ward &lt;7&gt; &amp; ');
  assert.is(picture.split('#b3261e').length - 1, 1, 'one point has drifted');
  assert.match(await svgChart('nothing yet', []), /^<svg/);
});

test.run();
