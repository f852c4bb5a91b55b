import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compareDecimals, toDecimal } from '../src/decimal.js';
import { measure } from '../src/measure.js';
import { sampleOf, seededRandom } from '../src/random.js';
import { answersOf } from './answers.js';

const dataset = { digest: new Uint8Array(32).fill(7), kind: 'label' } as const;
const pairs = (right: number, wrong: number) => [
  ...Array.from({ length: right }, () => ['a', 'a'] as const),
  ...Array.from({ length: wrong }, () => ['a', 'b'] as const),
];

test('the same answers have the same intervals, other answers and other data sets have others', () => {
  const answered = answersOf(pairs(80, 20));
  const first = measure(dataset, { answered });
  assert.equal(measure(dataset, { answered }), first);
  const later = answered.map((answer) => ({ ...answer, latency: answer.latency + 5 }));
  assert.equal(measure(dataset, { answered: later }).seed, first.seed);
  assert.not.equal(measure({ ...dataset, digest: new Uint8Array(32) }, { answered }).seed, first.seed);
  assert.not.equal(measure(dataset, { answered: answersOf(pairs(79, 21)) }).seed, first.seed);
});

test('the interval of a share is close to the one that the binomial distribution gives', () => {
  const [accuracy] = measure(dataset, { answered: answersOf(pairs(320, 80)) }).metrics;
  assert.equal([accuracy.name, accuracy.value, accuracy.answers], ['accuracy', '0.8', 400]);
  const [low, high] = (accuracy.interval ?? []).map(Number);
  // The standard error of 0.8 over 400 answers is 0.02.
  assert.ok(Math.abs(low - (0.8 - 1.96 * 0.02)) < 0.006, String(low));
  assert.ok(Math.abs(high - (0.8 + 1.96 * 0.02)) < 0.006, String(high));
});

test('nineteen of twenty intervals hold the true share', () => {
  const random = seededRandom(new Uint8Array(32), 'coverage');
  const trials = 200;
  let held = 0;
  for (let trial = 0; trial < trials; trial++) {
    const answered = answersOf(Array.from({ length: 150 }, () => ['a', random.below(10) < 7 ? 'a' : 'b'] as const));
    const digest = new Uint8Array(32).fill(trial);
    const [low, high] = (measure({ digest, kind: 'label' }, { answered }, undefined, 300).metrics[0].interval ?? []).map(
      Number,
    );
    if (low <= 0.7 && 0.7 <= high) held++;
  }
  assert.ok(held >= 0.9 * trials && held <= 0.995 * trials, `${held} of ${trials}`);
});

test('every slice is measured for itself', () => {
  const answered = [...answersOf(pairs(30, 10), ['day']), ...answersOf(pairs(10, 30), ['night', 'ward'])].map((answer, i) => ({
    ...answer,
    example: { ...answer.example, id: String(i) },
  }));
  const accuracy = measure(dataset, { answered }).metrics.filter(({ name }) => name === 'accuracy');
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

test('a metric that resamples do not define has no interval', () => {
  // One of thirty expects the positive label: about every third resample has none.
  const answered = answersOf([['spam', 'spam'], ...Array.from({ length: 29 }, () => ['ham', 'ham'] as const)]);
  const recall = measure(dataset, { answered }, 'spam').metrics.find(({ name }) => name === 'recall');
  assert.equal([recall?.value, recall?.interval], ['1', undefined]);
  assert.equal(measure(dataset, { answered: [] }).metrics, []);
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
  for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY, 1e21]) assert.throws(() => toDecimal(wrong, 6));
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
