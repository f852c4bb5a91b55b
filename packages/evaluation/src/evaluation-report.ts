import { bytesToHex } from '@noble/hashes/utils.js';
import type { Answers } from './ask.js';
import type { Dataset } from './dataset.js';
import type { Decision } from './decide.js';
import { LEVEL, type Measurements } from './measure.js';

/** What a report says besides what was measured. */
export interface ReportContext {
  readonly dataset: Pick<Dataset, 'digest' | 'kind' | 'examples'>;
  readonly answers: Answers;
  readonly measurements: Measurements;
  readonly decision: Decision;
  readonly resamples: number;
  readonly mostUnanswered: number;
  readonly positive?: string | undefined;
  /** The seed of the sample, when not every example was asked. 32 bytes. */
  readonly sampleSeed?: Uint8Array | undefined;
  /** What was asked, without where it is and without secrets. */
  readonly endpoint: Readonly<Record<string, string>>;
  /** What a reader has to know besides, such as that the baseline is younger than the deployment. */
  readonly remark?: string | undefined;
}

/** Reasons listed in a report; the others are counted together. */
const MOST_REASONS = 20;

/**
 * The report of an evaluation, in JSON: counts and statistics, from which somebody with the data set can compute the metrics again.
 * It holds no input, no answer and no address.
 */
export function formatReport(context: ReportContext): Uint8Array {
  const { dataset, answers, measurements, decision, resamples, mostUnanswered, positive, sampleSeed, endpoint, remark } =
    context;
  const { answered, unanswered } = answers;
  const reasons = new Map<string, number>();
  for (const { reason } of unanswered) {
    const key = reasons.has(reason) || reasons.size < MOST_REASONS ? reason : 'other reasons';
    reasons.set(key, (reasons.get(key) ?? 0) + 1);
  }
  const report = {
    v: 1,
    dataset: { sha256: bytesToHex(dataset.digest), kind: dataset.kind, examples: dataset.examples.length },
    endpoint,
    counts: {
      asked: answered.length + unanswered.length,
      answered: answered.length,
      unanswered: unanswered.length,
      reasons: Object.fromEntries(reasons),
    },
    most_unanswered: String(mostUnanswered),
    ...(positive === undefined ? {} : { positive }),
    ...(sampleSeed === undefined ? {} : { sample_seed: bytesToHex(sampleSeed) }),
    bootstrap: { method: 'percentile', level: String(LEVEL), resamples, seed: bytesToHex(measurements.seed) },
    metrics: measurements.metrics,
    verdict: decision.verdict,
    because: decision.because,
    ...(remark === undefined ? {} : { remark }),
    findings: decision.findings,
  };
  return new TextEncoder().encode(`${JSON.stringify(report, null, 2)}\n`);
}

/**
 * The positive label that a report names.
 * @throws SyntaxError or TypeError for what is no report
 */
export function positiveOf(report: Uint8Array): string | undefined {
  const { positive } = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(report)) as { positive?: unknown };
  if (positive !== undefined && typeof positive !== 'string') throw new TypeError('the positive label of a report is a text');
  return positive;
}
