import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import {
  type Answers,
  askAll,
  type Dataset,
  type Decision,
  decide,
  formatReport,
  hasGap,
  type Measured,
  measure,
  measureBestCase,
  parseDataset,
  RESAMPLES,
  sampleOf,
  type Tolerance,
} from '@treering/evaluation';
import { type Attachment, createAttachment } from '@treering/record';
import { type EndpointFlags, openEndpoint } from './endpoint.js';
import type { Session } from './session.js';

/** How a deployed model is asked about a data set. */
export interface QuestionFlags extends EndpointFlags {
  readonly dataset: string;
  readonly positive?: string;
  readonly sample?: number;
  readonly concurrency: number;
  /** Seconds for one answer. */
  readonly timeout: number;
  /** The share of examples that may stay unanswered. */
  readonly maxUnanswered: number;
}

/** What came of asking. */
export interface Questioned {
  readonly answers: Answers;
  readonly metrics: readonly Measured[];
  readonly decision: Decision;
  /** The report, which holds no input, no answer and no address. */
  readonly report: Uint8Array;
}

/** The data set of a file. @throws EvaluationError */
export async function readDataset({ cwd }: Session, path: string): Promise<Dataset> {
  return parseDataset(new Uint8Array(await readFile(resolve(cwd, path))));
}

/** What is known before the first question. */
export interface QuestionContext {
  readonly dataset: Dataset;
  readonly positive?: string | undefined;
  readonly tolerances: readonly Tolerance[];
  /** Of the deployed configuration. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** What a reader of the report has to know besides. */
  readonly remark?: string | undefined;
}

/**
 * Asks an endpoint about a data set, measures its answers and compares them with tolerances.
 * @throws UsageError, EvaluationError before the first question; afterwards what goes wrong is counted
 */
export async function question(session: Session, flags: QuestionFlags, context: QuestionContext): Promise<Questioned> {
  const { dataset, positive, tolerances, parameters, signal, remark } = context;
  const { maxUnanswered: mostUnanswered, concurrency } = flags;
  const sampleSeed =
    flags.sample !== undefined && flags.sample < dataset.examples.length ? new Uint8Array(randomBytes(32)) : undefined;
  const examples = sampleSeed === undefined ? dataset.examples : sampleOf(dataset.examples, flags.sample as number, sampleSeed);
  const { endpoint, about } = await openEndpoint(session, flags, parameters);
  const progress = session.terminal.progress('asking');
  try {
    const answers = await askAll(endpoint, examples, dataset.kind, {
      concurrency,
      timeout: flags.timeout * 1000,
      mostUnanswered,
      ...(signal === undefined ? {} : { signal }),
      now: () => performance.now(),
      onProgress: (done, total) => progress.update(done, total),
    });
    const options = { positive, signal };
    const measurements = await measure(dataset, answers, options);
    const bestCase = hasGap(answers, tolerances, mostUnanswered) ? await measureBestCase(dataset, answers, options) : [];
    const decision = decide(measurements.metrics, tolerances, { answers, mostUnanswered, resamples: RESAMPLES, bestCase });
    const report = formatReport({
      dataset,
      answers,
      measurements,
      decision,
      resamples: RESAMPLES,
      mostUnanswered,
      positive,
      sampleSeed,
      endpoint: about,
      remark,
    });
    return { answers, metrics: measurements.metrics, decision, report };
  } finally {
    progress.stop();
    await endpoint.close();
  }
}

/** Metrics as a record carries them. */
export function recordMetrics(metrics: readonly Measured[]) {
  return metrics.map(({ answers: _, interval, ...metric }) => ({
    ...metric,
    ...(interval === undefined ? {} : { interval: [...interval] as [string, string] }),
  }));
}

/** A report as an attachment that everybody may read. */
export function attachReport(report: Uint8Array, name: string): Attachment {
  const about = { name, media_type: 'application/json', access: 'public' } as const;
  return createAttachment(report, about, new Uint8Array(randomBytes(16)));
}

/** Prints what came of each tolerance, and what was counted. */
export function printQuestioned({ terminal }: Session, { answers, decision, metrics }: Questioned): void {
  const signs = { within: terminal.colour('good', '✓'), drift: terminal.colour('bad', '✗'), inconclusive: '?' };
  for (const { verdict, because } of decision.findings) terminal.line(`  ${signs[verdict]} ${because}`);
  const all = answers.answered.length + answers.unanswered.length;
  terminal.line(`  ${all} examples, ${answers.unanswered.length} of them unanswered, ${metrics.length} metrics`);
  for (const reason of [...new Set(answers.unanswered.map((one) => one.reason))].slice(0, 5))
    terminal.line(`  ${terminal.colour('dim', `unanswered: ${reason}`)}`);
}

/** What came of asking, for scripts. */
export function questionedJson({ answers, decision, metrics }: Questioned) {
  return {
    because: decision.because,
    answered: answers.answered.length,
    unanswered: answers.unanswered.length,
    findings: decision.findings,
    metrics,
  };
}
