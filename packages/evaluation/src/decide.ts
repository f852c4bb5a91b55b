import type { Answers } from './ask.js';
import { LEVEL, type Measured } from './measure.js';
import { metricLabel, sideOf, type Tolerance, toleranceInWords } from './tolerance.js';

/** What is said about a tolerance, and about all of them. */
export type DriftVerdict = 'within' | 'drift' | 'inconclusive';

/** Fewer answers than these decide nothing: resamples of a handful of answers are no measure of what others would be. */
const FEWEST_ANSWERS = 30;

/** What came of one tolerance. */
export interface Finding {
  readonly tolerance: Tolerance;
  readonly verdict: DriftVerdict;
  /** Why, with the statistics. */
  readonly because: string;
}

/** What came of all of them. */
export interface Decision {
  readonly verdict: DriftVerdict;
  readonly because: string;
  readonly findings: readonly Finding[];
}

/** What is needed besides the metrics. */
export interface DecideOptions {
  readonly answers: Answers;
  /** The share of examples that may stay unanswered, from 0 to 1, over all and in each slice that is decided about. */
  readonly mostUnanswered: number;
  readonly resamples: number;
  /** What is measured when every unanswered example counts as answered rightly; needed when too many are unanswered. */
  readonly bestCase?: readonly Measured[];
}

/**
 * Compares what was measured with tolerances. A metric has drifted when its whole interval lies on one side outside, and is within
 * when the whole interval lies inside; everything else is inconclusive: an interval across a bound, a metric that is missing, too few
 * answers, too many examples unanswered. Even then a metric has drifted when it misses its bound with every unanswered example counted
 * as right. One drift makes the whole drift, after that anything inconclusive the whole inconclusive, and with too many examples
 * unanswered nothing makes it within.
 */
export function decide(
  metrics: readonly Measured[],
  tolerances: readonly Tolerance[],
  { answers, mostUnanswered, resamples, bestCase = [] }: DecideOptions,
): Decision {
  const findings = tolerances.map((tolerance): Finding => {
    const gap = gapOf(answers, tolerance.slice, mostUnanswered);
    const what = metricLabel(tolerance.metric, tolerance.slice);
    const of = ({ name, slice }: Measured): boolean => name === tolerance.metric && slice === tolerance.slice;
    if (gap === undefined) return { tolerance, ...judge(what, metrics.find(of), tolerance, resamples) };
    const missed = missedAnyway(answers, bestCase.find(of), tolerance);
    return missed === undefined
      ? { tolerance, verdict: 'inconclusive', because: `${what}: ${gap}` }
      : { tolerance, verdict: 'drift', because: `${what}: ${gap}; ${missed}` };
  });
  const count = (verdict: DriftVerdict): number => findings.filter((finding) => finding.verdict === verdict).length;
  const all = `${findings.length} ${findings.length === 1 ? 'tolerance' : 'tolerances'}`;
  const gap = gapOf(answers, undefined, mostUnanswered);
  if (findings.length === 0) return { verdict: 'inconclusive', because: 'there is no tolerance to compare with', findings };
  if (count('drift') > 0)
    return {
      verdict: 'drift',
      because: `${gap === undefined ? '' : `${gap}; even so, `}${count('drift')} of ${all} ${count('drift') === 1 ? 'is' : 'are'} left for certain`,
      findings,
    };
  if (gap !== undefined) return { verdict: 'inconclusive', because: gap, findings };
  if (count('inconclusive') > 0)
    return { verdict: 'inconclusive', because: `of ${all}, ${count('inconclusive')} cannot be decided`, findings };
  return { verdict: 'within', because: `everything measured lies within ${all}`, findings };
}

/** Whether more examples are unanswered than may be, over all or in the slice of a tolerance: what the best case is needed for. */
export function hasGap(answers: Answers, tolerances: readonly Tolerance[], mostUnanswered: number): boolean {
  return [undefined, ...tolerances.map(({ slice }) => slice)].some(
    (slice) => gapOf(answers, slice, mostUnanswered) !== undefined,
  );
}

/** What there is to say when the bound that rightness is measured by is missed with every unanswered example counted as right. */
function missedAnyway({ answered }: Answers, best: Measured | undefined, tolerance: Tolerance): string | undefined {
  const { slice, metric } = tolerance;
  const known = answered.filter(({ example }) => slice === undefined || example.slices.includes(slice)).length;
  if (best?.interval === undefined || known < FEWEST_ANSWERS) return undefined;
  // An error can only be too great in the best case, a share only too small.
  const bound = metric === 'mean_absolute_error' ? 'above' : 'below';
  if (best.interval.some((end) => sideOf(tolerance, end) !== bound)) return undefined;
  return `even if every unanswered example counted as right, it would be ${best.value}, ${LEVEL * 100} % interval ${best.interval[0]} to ${best.interval[1]}, which lies outside what is tolerated: ${toleranceInWords(tolerance)}`;
}

function judge(
  what: string,
  measured: Measured | undefined,
  tolerance: Tolerance,
  resamples: number,
): Pick<Finding, 'verdict' | 'because'> {
  if (measured === undefined)
    return { verdict: 'inconclusive', because: `${what} is not measured: the answers do not define it` };
  const { value, unit, interval, answers } = measured;
  const inUnit = unit === undefined ? '' : ` ${unit}`;
  const of = `${what} is ${value}${inUnit} over ${answers} answers`;
  if (answers < FEWEST_ANSWERS)
    return { verdict: 'inconclusive', because: `${of}, and fewer than ${FEWEST_ANSWERS} decide nothing` };
  if (interval === undefined)
    return { verdict: 'inconclusive', because: `${of}, without an interval: most resamples do not define it` };
  const [low, high] = interval.map((end) => sideOf(tolerance, end));
  const verdict = low !== high ? 'inconclusive' : low === 'inside' ? 'within' : 'drift';
  const where = { within: 'lies inside', drift: 'lies outside', inconclusive: 'is not on one side of' }[verdict];
  const stated = `${LEVEL * 100} % interval ${interval[0]} to ${interval[1]}${inUnit} (percentile bootstrap, ${resamples} resamples)`;
  return { verdict, because: `${of}, ${stated}, which ${where} what is tolerated: ${toleranceInWords(tolerance)}${inUnit}` };
}

/** What there is to say when more examples are unanswered than may be. */
function gapOf({ answered, unanswered }: Answers, slice: string | undefined, most: number): string | undefined {
  const among = ({ example }: { example: { slices: readonly string[] } }): boolean =>
    slice === undefined || example.slices.includes(slice);
  const missing = unanswered.filter(among).length;
  const asked = missing + answered.filter(among).length;
  if (missing <= most * asked) return undefined;
  return `${missing} of ${asked} examples are unanswered, and at most ${percent(most)} may be`;
}

function percent(share: number): string {
  return `${Number((share * 100).toFixed(4))} %`;
}
