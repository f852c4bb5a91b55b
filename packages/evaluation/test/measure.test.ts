import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decide } from '../src/decide.js';
import { compareDecimals, toDecimal } from '../src/decimal.js';
import { type Measured, measure } from '../src/measure.js';
import { sampleOf, seededRandom } from '../src/random.js';
import { answersOf } from './answers.js';

const dataset = { digest: new Uint8Array(32).fill(7), kind: 'label' } as const;
const pairs = (right: number, wrong: number) => [
  ...Array.from({ length: right }, () => ['a', 'a'] as const),
  ...Array.from({ length: wrong }, () => ['a', 'b'] as const),
];

test('the same answers have the same intervals, other answers and other data sets have others', async () => {
  const answered = answersOf(pairs(80, 20));
  const first = await measure(dataset, { answered });
  assert.equal(await measure(dataset, { answered }), first);
  const later = answered.map((answer) => ({ ...answer, latency: answer.latency + 5 }));
  assert.equal((await measure(dataset, { answered: later })).seed, first.seed);
  assert.not.equal((await measure({ ...dataset, digest: new Uint8Array(32) }, { answered })).seed, first.seed);
  assert.not.equal((await measure(dataset, { answered: answersOf(pairs(79, 21)) })).seed, first.seed);
});

test('the interval of a share is close to the one that the binomial distribution gives', async () => {
  const [accuracy] = (await measure(dataset, { answered: answersOf(pairs(320, 80)) })).metrics;
  assert.equal([accuracy.name, accuracy.value, accuracy.answers], ['accuracy', '0.8', 400]);
  const [low, high] = (accuracy.interval ?? []).map(Number);
  // The standard error of 0.8 over 400 answers is 0.02.
  assert.ok(Math.abs(low - (0.8 - 1.96 * 0.02)) < 0.006, String(low));
  assert.ok(Math.abs(high - (0.8 + 1.96 * 0.02)) < 0.006, String(high));
});

test('nineteen of twenty intervals hold the true share', async () => {
  const random = seededRandom(new Uint8Array(32), 'coverage');
  const trials = 200;
  let held = 0;
  for (let trial = 0; trial < trials; trial++) {
    const answered = answersOf(Array.from({ length: 150 }, () => ['a', random.below(10) < 7 ? 'a' : 'b'] as const));
    const digest = new Uint8Array(32).fill(trial);
    const [low, high] = (
      (await measure({ digest, kind: 'label' }, { answered }, { resamples: 300 })).metrics[0].interval ?? []
    ).map(Number);
    if (low <= 0.7 && 0.7 <= high) held++;
  }
  assert.ok(held >= 0.9 * trials && held <= 0.995 * trials, `${held} of ${trials}`);
});

test('every slice is measured for itself', async () => {
  const answered = [...answersOf(pairs(30, 10), ['day']), ...answersOf(pairs(10, 30), ['night', 'ward'])].map((answer, i) => ({
    ...answer,
    example: { ...answer.example, id: String(i) },
  }));
  const accuracy = (await measure(dataset, { answered })).metrics.filter(({ name }) => name === 'accuracy');
  assert.equal(
    accuracy.map(({ slice, value, answers }) => [slice, value, answers]),
    [
      [undefined, '0.5', 80],
      ['day', '0.75', 40],
      ['night', '0.25', 40],
      ['ward', '0.25', 40],
    ],
  );
});

test('a metric that resamples do not define has no interval', async () => {
  // One of thirty expects the positive label: about every third resample has none.
  const answered = answersOf([['spam', 'spam'], ...Array.from({ length: 29 }, () => ['ham', 'ham'] as const)]);
  const recall = (await measure(dataset, { answered }, { positive: 'spam' })).metrics.find(({ name }) => name === 'recall');
  assert.equal([recall?.value, recall?.interval], ['1', undefined]);
  assert.equal((await measure(dataset, { answered: [] })).metrics, []);
});

test('a rare label that is always missed counts in every resample, so that its loss can be certain', async () => {
  const answered = answersOf(
    Array.from({ length: 60 }, (_, i) => (i === 0 ? ['rare', 'a'] : i % 2 ? ['a', 'a'] : ['b', 'b']) as [string, string]),
  );
  const { metrics } = await measure(dataset, { answered });
  const recall = metrics.find(({ name }) => name === 'recall');
  assert.equal([recall?.value, recall?.interval], ['0.666667', ['0.666667', '0.666667']]);
  const decision = decide(metrics, [{ metric: 'recall', min: '0.9' }], {
    answers: { answered, unanswered: [] },
    mostUnanswered: 0.02,
    resamples: 2000,
  });
  assert.is(decision.verdict, 'drift');
  // What is no mean over labels is drawn from all answers: its interval is as wide as chance makes it.
  const accuracy = metrics.find(({ name }) => name === 'accuracy');
  assert.ok(Number(accuracy?.interval?.[1]) === 1 && Number(accuracy?.interval?.[0]) < 0.96, String(accuracy?.interval));
});

test('a signal ends it between two resamples', async () => {
  const answered = answersOf(Array.from({ length: 20_000 }, (_, i) => ['a', i % 3 ? 'a' : 'b'] as [string, string]));
  const ending = new AbortController();
  const timer = setTimeout(() => ending.abort(new Error('told to end')), 1);
  const began = performance.now();
  await measure(dataset, { answered }, { signal: ending.signal, resamples: 100_000 }).then(
    () => assert.unreachable(),
    (error: Error) => assert.is(error.message, 'told to end'),
  );
  clearTimeout(timer);
  assert.ok(performance.now() - began < 10_000);
});

test('decimals are what records carry, and compare exactly', () => {
  const cases: [number, number, string][] = [
    [0.1 + 0.2, 6, '0.3'],
    [-0.0000001, 6, '0'],
    [100, 3, '100'],
    [1e20, 0, '100000000000000000000'],
    [-1.5, 1, '-1.5'],
  ];
  for (const [value, digits, text] of cases) assert.is(toDecimal(value, digits), text);
  assert.throws(() => toDecimal(Number.NaN, 6), RangeError);
  assert.is(toDecimal(1e23, 6), '99999999999999991611392');
  for (const beyond of [1e31, 1e300, Number.POSITIVE_INFINITY]) {
    assert.is(toDecimal(beyond, 6), '9999999999999999635896294965248');
    assert.is(toDecimal(-beyond, 6), '-9999999999999999635896294965248');
  }
  assert.ok(compareDecimals('0.9', '0.90000000000000000000000000001') < 0);
  assert.ok(compareDecimals('-0.5', '-0.25') < 0);
  assert.is(compareDecimals('1.0', '1'), 0);
  fc.assert(
    fc.property(
      fc.double({ min: -1e15, max: 1e15, noNaN: true }),
      fc.double({ min: -1e15, max: 1e15, noNaN: true }),
      (a, b) => {
        const [first, second] = [toDecimal(a, 6), toDecimal(b, 6)];
        assert.match(first, /^-?(?:0|[1-9][0-9]{0,30})(?:\.[0-9]{1,30})?$/);
        assert.is(Math.sign(compareDecimals(first, second)), Math.sign(Number(first) - Number(second)));
      },
    ),
  );
});

test('an answer of a size that no record can carry is wrong, and measured as the greatest one', async () => {
  const of = (predicted: readonly number[]) =>
    measure({ ...dataset, kind: 'number' }, { answered: answersOf(predicted.map((one) => [1, one])) });
  const value = (metrics: readonly Measured[]) => [metrics[0].name, metrics[0].value, metrics[0].interval];
  const most = '9999999999999999635896294965248';
  for (const huge of [1e300, -1e300, Number.MAX_VALUE]) {
    const { metrics } = await of(Array.from({ length: 60 }, () => huge));
    assert.equal(value(metrics), ['mean_absolute_error', most, [most, most]]);
    for (const { value: text, interval = [] } of metrics)
      for (const decimal of [text, ...interval]) assert.match(decimal, /^-?(?:0|[1-9][0-9]{0,30})(?:\.[0-9]{1,30})?$/);
    const answers = { answered: answersOf(Array.from({ length: 60 }, () => [1, huge])), unanswered: [] };
    const tolerances = [{ metric: 'mean_absolute_error', max: '1' }];
    assert.is(decide(metrics, tolerances, { answers, mostUnanswered: 0.02, resamples: 2000 }).verdict, 'drift');
  }
  const once = (await of([1e23, ...Array.from({ length: 59 }, () => 1)])).metrics;
  assert.match(String(value(once)[1]), /^1666666666666666\d{6}$/);
});

test('a sample is drawn without putting back, by its seed, in the order of the list', () => {
  const items = Array.from({ length: 100 }, (_, i) => i);
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.integer({ min: 0, max: 120 }), (seed, count) => {
      const sample = sampleOf(items, count, seed);
      assert.is(sample.length, Math.min(count, 100));
      assert.equal(
        sample,
        [...new Set(sample)].sort((a, b) => a - b),
      );
      assert.equal(sample, sampleOf(items, count, seed));
    }),
  );
  assert.not.equal(sampleOf(items, 10, new Uint8Array(32)), sampleOf(items, 10, new Uint8Array(32).fill(1)));
});

test.run();
