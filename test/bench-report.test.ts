import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BENCHMARKS } from '../bench/benchmarks.js';
import { README_ROWS } from '../bench/readme-rows.js';
import { performanceText, threeDigits } from '../bench/report.js';
import { documents, type Measured, readResults } from '../bench/results.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

const measured: Measured = {
  name: 'sorting',
  title: 'numbers sorted',
  date: '2026-02-03',
  commit: '0123456789ab',
  quick: false,
  machine: { cpu: 'Abacus', cores: 2, memory: '1 GiB', node: 'v20.20.2', os: 'Linux 6 x64' },
  results: [
    {
      subject: 'ours',
      figure: 'numbers/s',
      trials: 3,
      median: 12_345.6,
      min: 9876,
      max: 23_456,
      rival: 'theirs',
      ratio: 0.51239,
    },
    { subject: 'ours', figure: 'p99 ms', trials: 3, median: 0.01234, min: 0.01, max: 0.02 },
    { subject: 'theirs', figure: 'numbers/s', trials: 1, median: 24_090, min: 24_090, max: 24_090 },
  ],
  skipped: [{ subject: 'Go', reason: 'there is no Go here' }],
};

const page = (name: string): string =>
  `Before.\n\n<!-- bench:${name} -->\n\nold\n\n<!-- /bench:${name} -->\n\nBetween.\n\n<!-- bench:others -->\n<!-- /bench:others -->\n`;

test('the tables of the documents are what the stored results make of them', () => {
  for (const { path, text } of documents(readResults())) assert.is(readFileSync(`${ROOT}${path}`, 'utf8'), text, path);
});

test('stored results are of benchmarks that there are, and name machine, date and commit', () => {
  for (const { name, date, commit, machine, results } of readResults()) {
    assert.ok(Object.hasOwn(BENCHMARKS, name), name);
    assert.match(date, /^\d{4}-\d\d-\d\d$/, name);
    assert.match(commit, /^[0-9a-f]{12}\+?$/, name);
    for (const what of ['cpu', 'memory', 'node', 'os'] as const) assert.ok(machine[what].length > 0, `${name}: ${what}`);
    assert.ok(results.length > 0, name);
  }
});

test('each row of the README names a subject that is measured', async () => {
  for (const { benchmark, subject } of README_ROWS) {
    const { subjects } = await BENCHMARKS[benchmark]();
    assert.ok(
      subjects.some(({ name }) => name === subject),
      `${benchmark} has no subject ${subject}`,
    );
  }
});

test('a section has the table, the machine, and what could not be measured', () => {
  const text = performanceText(page('sorting'), [measured]);
  assert.is(
    text,
    `Before.

<!-- bench:sorting -->

Numbers sorted.

|        | numbers/s             | p99 ms             | ratio          |
| ------ | --------------------- | ------------------ | -------------- |
| ours   | 12,300 (9,880–23,500) | 0.0123 (0.01–0.02) | 0.512 × theirs |
| theirs | 24,100                |                    |                |

Medians of 3 trials, minimum and maximum in brackets; what has none was measured once; Abacus, 2 cores, 1 GiB, Node 20.20.2, Linux 6 x64; 2026-02-03, commit 0123456789ab.
Not measured: Go, because there is no Go here.

<!-- /bench:sorting -->

Between.

<!-- bench:others -->

<!-- /bench:others -->
`,
  );
  assert.is(performanceText(text, [measured]), text, 'a second time changes nothing');
});

test('what a quick run measured is marked so', () => {
  assert.match(performanceText(page('sorting'), [{ ...measured, quick: true }]), /its figures mean nothing/);
});

test('a benchmark without a place of its own comes last, under its name', () => {
  const text = performanceText(page('searching'), [measured]);
  assert.match(text, /<!-- bench:searching -->\n\nNot measured yet\./);
  assert.match(text, /<!-- bench:others -->\n\n## sorting\n\nNumbers sorted\./);
});

test('subjects with many figures are columns, and each figure has its ratio', () => {
  const figures = ['a', 'b', 'c', 'd', 'e', 'f'].map((figure, i) => ({ figure, trials: 1, median: i, min: i, max: i }));
  const results = [
    ...figures.map((figure) => ({ subject: 'ours', ...figure, rival: 'theirs', ratio: 2 })),
    ...figures.map((figure) => ({ subject: 'theirs', ...figure })),
  ];
  const text = performanceText(page('sorting'), [{ ...measured, results }]);
  assert.match(text, /\| {5}\| ours \| theirs \| ratio of ours \|\n.*\n\| a {3}\| 0 {4}\| 0 {6}\| 2 × theirs {4}\|/);
});

test('a page whose marks are lost is refused', () => {
  assert.throws(() => performanceText(page('sorting').replace('<!-- /bench:sorting -->', ''), [measured]), /bench:sorting/);
  assert.throws(() => performanceText('nothing', [measured]), /bench:others/);
});

test('figures have three digits', () => {
  assert.equal([1_234_567, 1005, 99.96, 0.012345, 0].map(threeDigits), ['1,230,000', '1,010', '100', '0.0123', '0']);
});

test.run();
