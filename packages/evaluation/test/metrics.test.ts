import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Answersheet, labelSheet, numberSheet } from '../src/metrics.js';
import { answersOf } from './answers.js';

const all = ({ size }: Answersheet): number[] => Array.from({ length: size }, (_, i) => i);
/** What a sheet measures of answers, means over labels included. */
const of = (sheet: Answersheet, positions: readonly number[]): Map<string, number> =>
  new Map([...sheet.measure(positions), ...(sheet.byLabel?.measure(positions) ?? [])]);
const close = (actual: number | undefined, expected: number): void =>
  assert.ok(actual !== undefined && Math.abs(actual - expected) < 1e-9, `${actual} is not ${expected}`);

test('known values: the confusion matrix 6, 2, 1, 3 of a positive label', () => {
  const pairs = [
    ...Array.from({ length: 6 }, () => ['spam', 'spam'] as const),
    ...Array.from({ length: 2 }, () => ['ham', 'spam'] as const),
    ...Array.from({ length: 1 }, () => ['spam', 'ham'] as const),
    ...Array.from({ length: 3 }, () => ['ham', 'ham'] as const),
  ];
  const sheet = labelSheet(answersOf(pairs), 'spam');
  const metrics = sheet.measure(all(sheet));
  close(metrics.get('accuracy'), 0.75);
  close(metrics.get('precision'), 0.75);
  close(metrics.get('recall'), 6 / 7);
  close(metrics.get('f1'), 0.8);
  const macro = of(labelSheet(answersOf(pairs)), all(sheet));
  close(macro.get('precision'), (0.75 + 0.75) / 2);
  close(macro.get('recall'), (6 / 7 + 3 / 5) / 2);
  close(macro.get('f1'), (0.8 + 6 / 9) / 2);
});

test('texts match in another composition of Unicode and with other white space, labels do not', () => {
  const sheet = labelSheet(answersOf([['caf\u00e9  au lait', ' cafe\u0301 au\nlait ']]));
  const metrics = sheet.measure([0]);
  assert.equal([metrics.get('accuracy'), metrics.get('exact_match')], [0, 1]);
  assert.is(
    labelSheet(answersOf([['Yes', 'yes']]))
      .measure([0])
      .get('exact_match'),
    0,
  );
});

test('what the answers do not define is not there', () => {
  const none = labelSheet(answersOf([['ham', 'ham']]), 'spam').measure([0]);
  assert.equal([none.has('precision'), none.has('recall'), none.has('f1'), none.get('accuracy')], [false, false, false, 1]);
  assert.is(
    labelSheet(answersOf([['spam', 'ham']]), 'spam')
      .measure([0])
      .get('precision'),
    0,
  );
  assert.is(labelSheet(answersOf([])).measure([]).size, 0);
  assert.is(numberSheet(answersOf([])).measure([]).size, 0);
  const many = answersOf(Array.from({ length: 51 }, (_, i) => [`text ${i}`, `text ${i}`] as const));
  assert.is(labelSheet(many).byLabel, undefined);
  assert.is(
    of(
      labelSheet(many.slice(0, 50)),
      Array.from({ length: 50 }, (_, i) => i),
    ).has('f1'),
    true,
  );
  // Where a label is missing, the mean would be over others: it is another statistic.
  assert.is(
    of(
      labelSheet(many.slice(0, 50)),
      Array.from({ length: 49 }, (_, i) => i),
    ).has('f1'),
    false,
  );
});

test('the mean of the errors, and the latencies of an odd number of answers', () => {
  const sheet = numberSheet(
    answersOf([
      [1, 2],
      [10, 7],
      [0, -0.5],
    ]),
  );
  const metrics = sheet.measure(all(sheet));
  close(metrics.get('mean_absolute_error'), 1.5);
  // The latencies are 0, 7 and 3; between two of them it is interpolated.
  close(metrics.get('latency_p50'), 3);
  close(metrics.get('latency_p95'), 6.6);
});

/** Straight from the definitions, one label at a time. */
function naive(
  pairs: readonly (readonly [string, string])[],
  all: readonly (readonly [string, string])[],
  positive: string | undefined,
): Map<string, number> {
  const out = new Map<string, number>();
  out.set('accuracy', pairs.filter(([e, p]) => e === p).length / pairs.length);
  const labels = positive === undefined ? [...new Set(all.map(([e]) => e))] : [positive];
  if (labels.some((label) => pairs.every(([e]) => e !== label))) return out;
  const per = labels.map((label) => {
    const tp = pairs.filter(([e, p]) => e === label && p === label).length;
    const fp = pairs.filter(([e, p]) => e !== label && p === label).length;
    const fn = pairs.filter(([e, p]) => e === label && p !== label).length;
    const precision = tp + fp === 0 ? 0 : tp / (tp + fp);
    const recall = tp / (tp + fn);
    return { precision, recall, f1: precision + recall === 0 ? 0 : (2 * precision * recall) / (precision + recall) };
  });
  for (const name of ['precision', 'recall', 'f1'] as const)
    out.set(name, per.reduce((sum, one) => sum + one[name], 0) / per.length);
  return out;
}

const label = fc.constantFrom('a', 'b', 'c', 'd');

test('labels are measured as the definitions say, in any selection with repetitions', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(label, label), { minLength: 1, maxLength: 40 }),
      fc.option(label, { nil: undefined }),
      fc.array(fc.nat(), { minLength: 1, maxLength: 60 }),
      (pairs, positive, picks) => {
        const positions = picks.map((pick) => pick % pairs.length);
        const metrics = of(labelSheet(answersOf(pairs), positive), positions);
        const expected = naive(
          positions.map((at) => pairs[at]),
          pairs,
          positive,
        );
        for (const name of ['accuracy', 'precision', 'recall', 'f1'] as const) {
          assert.is(metrics.has(name), expected.has(name), name);
          if (expected.has(name)) close(metrics.get(name), expected.get(name) as number);
        }
      },
    ),
  );
});

test('latencies of a selection are those of its sorted list', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 40 }),
      fc.array(fc.nat(), { minLength: 1, maxLength: 61 }),
      (latencies, picks) => {
        const answers = latencies.map((latency, i) => ({ ...answersOf([[1, 1]])[0], latency, id: i }));
        const positions = picks.map((pick) => pick % latencies.length);
        const drawn = positions.map((at) => latencies[at]).sort((a, b) => a - b);
        const metrics = numberSheet(answers).measure(positions);
        for (const [name, share] of [
          ['latency_p50', 0.5],
          ['latency_p95', 0.95],
        ] as const) {
          const place = (drawn.length - 1) * share;
          const [below, above] = [drawn[Math.floor(place)], drawn[Math.ceil(place)]];
          const expected = below + (above - below) * (place - Math.floor(place));
          assert.ok(Math.abs((metrics.get(name) as number) - expected) <= 1e-9 * (1 + expected), name);
        }
      },
    ),
  );
});

test.run();
