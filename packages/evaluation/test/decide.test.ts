import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Answers } from '../src/ask.js';
import { decide } from '../src/decide.js';
import { formatReport, positiveOf } from '../src/evaluation-report.js';
import { type Measured, measure, measureBestCase } from '../src/measure.js';
import { parseTolerance, type Tolerance } from '../src/tolerance.js';
import { answersOf, isError } from './answers.js';

/** As many answered and unanswered examples as wanted, some of them in a slice. */
function answers(answered: number, unanswered = 0, slice?: string): Answers {
  const slices = slice === undefined ? [] : [slice];
  const of = (count: number) =>
    answersOf(
      Array.from({ length: count }, () => ['a', 'a'] as const),
      slices,
    );
  return { answered: of(answered), unanswered: of(unanswered).map(({ example }) => ({ example, reason: 'no answer' })) };
}
const measured = (low: string, value: string, high: string, n = 100): Measured => ({
  name: 'accuracy',
  value,
  interval: [low, high],
  answers: n,
});
const options = (of: Answers) => ({ answers: of, mostUnanswered: 0.02, resamples: 2000 });
const between: Tolerance = { metric: 'accuracy', min: '0.5', max: '0.8' };

test('where the interval lies decides', () => {
  const cases: [string, string, string, string][] = [
    ['0.5', '0.6', '0.8', 'within'],
    ['0.55', '0.6', '0.7', 'within'],
    ['0.499999', '0.6', '0.7', 'inconclusive'],
    ['0.6', '0.7', '0.800001', 'inconclusive'],
    ['0.4', '0.45', '0.5', 'inconclusive'],
    ['0.4', '0.6', '0.9', 'inconclusive'],
    ['0.3', '0.4', '0.499999', 'drift'],
    ['0.800001', '0.9', '1', 'drift'],
  ];
  for (const [low, value, high, verdict] of cases) {
    const decision = decide([measured(low, value, high)], [between], options(answers(100)));
    assert.is(decision.verdict, verdict, `${low} to ${high}`);
    assert.is(decision.findings[0].verdict, verdict);
    assert.match(decision.findings[0].because, `accuracy is ${value} over 100 answers, 95 % interval ${low} to ${high}`);
    assert.match(decision.findings[0].because, '(percentile bootstrap, 2000 resamples)');
    assert.match(decision.findings[0].because, 'between 0.5 and 0.8');
  }
});

test('one bound is enough', () => {
  const only = (tolerance: Omit<Tolerance, 'metric'>) =>
    decide([measured('0.6', '0.7', '0.8')], [{ metric: 'accuracy', ...tolerance }], options(answers(100))).verdict;
  assert.equal(
    [only({ min: '0.6' }), only({ min: '0.9' }), only({ max: '0.5' }), only({ max: '0.7' })],
    ['within', 'drift', 'drift', 'inconclusive'],
  );
});

test('one drift is a drift, otherwise anything undecided leaves it open', () => {
  const metrics: Measured[] = [measured('0.6', '0.7', '0.8'), { ...measured('0.6', '0.7', '0.8'), name: 'recall' }];
  const of = (...tolerances: Tolerance[]) => decide(metrics, tolerances, options(answers(100))).verdict;
  const [good, open, bad] = ['0.5', '0.7', '0.9'].map((min): Tolerance => ({ metric: 'accuracy', min }));
  assert.is(of(good, { metric: 'recall', min: '0.1' }), 'within');
  assert.is(of(good, open), 'inconclusive');
  assert.is(of(good, open, bad), 'drift');
  assert.is(of(good, { metric: 'f1', min: '0.1' }), 'inconclusive');
  assert.is(of(good, { metric: 'accuracy', slice: 'night', min: '0.1' }), 'inconclusive');
  assert.is(of(), 'inconclusive');
});

test('too few answers, and a metric without an interval, decide nothing', () => {
  const good: Tolerance = { metric: 'accuracy', min: '0.5' };
  const verdict = (metric: Measured) => decide([metric], [good], options(answers(100))).verdict;
  assert.is(verdict(measured('0.6', '0.7', '0.8', 29)), 'inconclusive');
  assert.is(verdict(measured('0.6', '0.7', '0.8', 30)), 'within');
  assert.is(verdict(measured('0.1', '0.2', '0.3', 29)), 'inconclusive');
  assert.is(verdict({ name: 'accuracy', value: '0.7', answers: 100 }), 'inconclusive');
});

test('unanswered examples count, over all and in the slice that is meant', () => {
  const metrics = [measured('0.1', '0.2', '0.3'), { ...measured('0.1', '0.2', '0.3'), slice: 'night' }];
  const whole: Tolerance = { metric: 'accuracy', min: '0.5' };
  assert.is(decide(metrics, [whole], options(answers(98, 2))).verdict, 'drift');
  const gap = decide(metrics, [whole], options(answers(97, 3)));
  assert.is(gap.verdict, 'inconclusive');
  assert.match(gap.because, '3 of 100 examples are unanswered, and at most 2 % may be');
  const night = answers(40, 2, 'night');
  const both = { answered: [...answers(960).answered, ...night.answered], unanswered: night.unanswered };
  const sliced = decide(metrics, [{ ...whole, slice: 'night' }, whole], options(both));
  assert.equal(
    sliced.findings.map(({ verdict }) => verdict),
    ['inconclusive', 'drift'],
  );
});

test('a bound that is missed with every unanswered example counted as right is missed for certain', async () => {
  const of = (kind: 'label' | 'number', wrong: number, missing: number, slices: string[] = []): Answers => {
    const pair = (i: number) =>
      kind === 'number' ? ([1, 1000] as const) : i % 2 ? (['a', 'b'] as const) : (['b', 'a'] as const);
    const examples = answersOf(
      Array.from({ length: wrong + missing }, (_, i) => pair(i)),
      slices,
    );
    return {
      answered: examples.slice(0, wrong),
      unanswered: examples.slice(wrong).map(({ example }) => ({ example, reason: 'no answer' })),
    };
  };
  const decided = async (kind: 'label' | 'number', of: Answers, tolerance: Tolerance) => {
    const dataset = { digest: new Uint8Array(32), kind };
    const { metrics } = await measure(dataset, of);
    return decide(metrics, [tolerance], { ...options(of), bestCase: await measureBestCase(dataset, of) });
  };
  const few = of('label', 979, 21);
  for (const metric of ['accuracy', 'exact_match', 'precision', 'recall', 'f1']) {
    const { verdict, because, findings } = await decided('label', few, { metric, min: '0.9' });
    assert.is(verdict, 'drift', metric);
    assert.match(because, '21 of 1000 examples are unanswered, and at most 2 % may be; even so, 1 of 1 tolerance is left');
    assert.match(findings[0].because, /even if every unanswered example counted as right, it would be 0\.\d+, 95 % interval/);
  }
  const off = await decided('number', of('number', 970, 30), { metric: 'mean_absolute_error', max: '10' });
  assert.equal([off.verdict, off.findings[0].verdict], ['drift', 'drift']);
  const sliced = await decided('label', of('label', 70, 30, ['night']), { metric: 'accuracy', slice: 'night', min: '0.9' });
  assert.is(sliced.verdict, 'drift');
  // Neither what the unanswered ones could still make right, nor a handful of answers, nor a latency decides.
  assert.is((await decided('label', of('label', 50, 950), { metric: 'accuracy', min: '0.9' })).verdict, 'inconclusive');
  assert.is((await decided('label', of('label', 29, 5), { metric: 'accuracy', min: '0.9' })).verdict, 'inconclusive');
  assert.is((await decided('label', few, { metric: 'latency_p95', max: '0' })).verdict, 'inconclusive');
  assert.is((await decided('label', few, { metric: 'accuracy', max: '0.01' })).verdict, 'inconclusive');
});

test('tolerances are read strictly', () => {
  assert.equal(parseTolerance('accuracy:min=0.9'), { metric: 'accuracy', min: '0.9' });
  assert.equal(parseTolerance('recall@ward:7:min=0.8,max=1'), { metric: 'recall', slice: 'ward:7', min: '0.8', max: '1' });
  for (const [text, why] of [
    ['accuracy', /the metrics are/],
    ['acuracy:min=0.9', /the metrics are/],
    ['accuracy@:min=0.9', /no name/],
    ['accuracy:0.9', /a bound is/],
    ['accuracy:min=.9', /no decimal/],
    ['accuracy:min=0.9,min=0.8', /twice/],
    ['accuracy:min=1e-3', /no decimal/],
    ['accuracy:min=0.9,max=0.8', /least value is above/],
    ['accuracy:', /a bound is/],
  ] as const)
    assert.throws(() => parseTolerance(text), isError('evaluation/tolerance', why), text);
});

test('a report holds counts and statistics, and neither inputs nor answers', () => {
  const of = answers(97, 30);
  const dataset = {
    digest: new Uint8Array(32).fill(9),
    kind: 'label',
    examples: [...of.answered, ...of.unanswered].map((one) => one.example),
  } as const;
  const unanswered = of.unanswered.map(({ example }, i) => ({ example, reason: `reason ${i}` }));
  const bytes = formatReport({
    dataset,
    answers: { ...of, unanswered },
    measurements: { metrics: [measured('0.6', '0.7', '0.8')], seed: new Uint8Array(32).fill(1) },
    decision: decide([], [], options(of)),
    resamples: 2000,
    mostUnanswered: 0.02,
    positive: 'spam',
    sampleSeed: new Uint8Array(32).fill(2),
    endpoint: { kind: 'http' },
  });
  const report = JSON.parse(new TextDecoder().decode(bytes));
  assert.equal(report.dataset, { sha256: '09'.repeat(32), kind: 'label', examples: 127 });
  assert.equal([report.counts.asked, report.counts.answered, report.counts.unanswered], [127, 97, 30]);
  assert.is(report.counts.reasons['other reasons'], 10);
  assert.is(report.bootstrap.seed, '01'.repeat(32));
  assert.is(report.sample_seed, '02'.repeat(32));
  assert.not.ok('input' in report);
  assert.is(positiveOf(bytes), 'spam');
  assert.throws(() => positiveOf(new TextEncoder().encode('{"positive":1}')), /a text/);
});

test.run();
