import type { Answered } from './ask.js';
import { GREATEST } from './decimal.js';

/** What is measured. Shares are between 0 and 1, latencies in milliseconds, interpolated between two answers. */
export const METRICS = [
  'accuracy',
  'exact_match',
  'precision',
  'recall',
  'f1',
  'mean_absolute_error',
  'latency_p50',
  'latency_p95',
] as const;
export type MetricName = (typeof METRICS)[number];

/** How many different labels may be expected for precision, recall and F1 without a positive label to mean anything. */
const MOST_LABELS = 50;

/** Answers made ready to be measured again and again, in any selection. */
export interface Answersheet {
  readonly size: number;
  /** Metrics of the answers at these positions; one that they do not define is left out. */
  measure(positions: ArrayLike<number>): Map<MetricName, number>;
  /** The metrics that are a mean over labels: those are a mean over the same labels only where each of them is drawn. */
  readonly byLabel?: LabelMetrics;
}

/** Metrics that are a mean over all labels that a sheet expects. */
interface LabelMetrics {
  /** The positions of the answers that expect a label, for each label: from each, as many are drawn as there are. */
  readonly strata: readonly Int32Array[];
  /** Like that of the sheet. None is defined where a label is not expected. */
  measure(positions: ArrayLike<number>): Map<MetricName, number>;
}

/**
 * Prepares labels or texts.
 *
 * - accuracy: the share that is the expected label, to the letter;
 * - exact_match: the same for texts, in Unicode's form NFC and with runs of white space as one space, none at the ends;
 * - precision, recall, f1: of the positive label, or without one the mean over all labels that are expected anywhere in the sheet
 *   (macro). Where nothing is predicted as a label, its precision is 0. Without an example that expects the positive label there is none
 *   of the three.
 *
 * @param positive the label whose precision, recall and F1 are meant
 */
export function labelSheet(answers: readonly Answered[], positive?: string): Answersheet {
  const numbers = new Map<string, number>();
  const numberOf = (label: string): number => {
    const known = numbers.get(label);
    if (known !== undefined) return known;
    numbers.set(label, numbers.size);
    return numbers.size - 1;
  };
  const expected = Int32Array.from(answers, ({ example }) => numberOf(String(example.expected)));
  const labels = numbers.size;
  const wanted = positive === undefined ? undefined : numberOf(positive);
  const predicted = Int32Array.from(answers, (answer) => numberOf(String(answer.predicted)));
  const exact = Uint8Array.from(answers, ({ example, predicted: text }) =>
    plainText(String(text)) === plainText(String(example.expected)) ? 1 : 0,
  );
  const [draws, latencies] = [drawsOf(answers.length), latenciesOf(answers)];
  const [hits, asked, said] = [new Int32Array(numbers.size), new Int32Array(numbers.size), new Int32Array(numbers.size)];
  const count = (drawn: Int32Array): void => {
    for (const counts of [hits, asked, said]) counts.fill(0);
    for (let at = 0; at < drawn.length; at++) {
      asked[expected[at]] += drawn[at];
      said[predicted[at]] += drawn[at];
      if (expected[at] === predicted[at]) hits[expected[at]] += drawn[at];
    }
  };
  const setMeans = (metrics: Map<MetricName, number>, meant: readonly number[]): void => {
    if (meant.length === 0 || meant.some((label) => asked[label] === 0)) return;
    const over = (of: (label: number) => number): number => meant.reduce((sum, label) => sum + of(label), 0) / meant.length;
    metrics.set(
      'precision',
      over((label) => (said[label] === 0 ? 0 : hits[label] / said[label])),
    );
    metrics.set(
      'recall',
      over((label) => hits[label] / asked[label]),
    );
    metrics.set(
      'f1',
      over((label) => (2 * hits[label]) / (asked[label] + said[label])),
    );
  };
  const all = Array.from({ length: labels }, (_, label) => label);
  const byLabel: LabelMetrics = {
    strata: all.map((label) => Int32Array.from(answers.keys()).filter((at) => expected[at] === label)),
    measure(positions) {
      const metrics = new Map<MetricName, number>();
      count(draws(positions));
      setMeans(metrics, all);
      return metrics;
    },
  };
  return {
    size: answers.length,
    measure(positions) {
      const metrics = new Map<MetricName, number>();
      if (positions.length === 0) return metrics;
      const drawn = draws(positions);
      let [right, same] = [0, 0];
      for (let at = 0; at < drawn.length; at++) {
        if (expected[at] === predicted[at]) right += drawn[at];
        same += exact[at] * drawn[at];
      }
      metrics.set('accuracy', right / positions.length);
      metrics.set('exact_match', same / positions.length);
      if (wanted !== undefined) {
        count(drawn);
        setMeans(metrics, [wanted]);
      }
      setLatencies(metrics, latencies, drawn, positions.length);
      return metrics;
    },
    ...(positive === undefined && labels <= MOST_LABELS ? { byLabel } : {}),
  };
}

/**
 * Prepares numbers: mean_absolute_error is the mean distance from what is expected. A distance that no record could carry counts as the
 * greatest that one can: an answer of 10^300 is wrong, and no reason to decide nothing.
 */
export function numberSheet(answers: readonly Answered[]): Answersheet {
  const errors = Float64Array.from(answers, ({ example, predicted }) =>
    Math.min(GREATEST, Math.abs(Number(predicted) - Number(example.expected))),
  );
  const [draws, latencies] = [drawsOf(answers.length), latenciesOf(answers)];
  return {
    size: answers.length,
    measure(positions) {
      const metrics = new Map<MetricName, number>();
      if (positions.length === 0) return metrics;
      const drawn = draws(positions);
      let sum = 0;
      for (let at = 0; at < drawn.length; at++) sum += errors[at] * drawn[at];
      metrics.set('mean_absolute_error', sum / positions.length);
      setLatencies(metrics, latencies, drawn, positions.length);
      return metrics;
    },
  };
}

/** Counts how often each of so many answers is drawn. The counts are good until the next ones. */
function drawsOf(size: number): (positions: ArrayLike<number>) => Int32Array {
  const drawn = new Int32Array(size);
  return (positions) => {
    drawn.fill(0);
    for (let i = 0; i < positions.length; i++) drawn[positions[i]]++;
    return drawn;
  };
}

/** Latencies in rising order, and whose they are: so that resamples need no sorting. */
interface Latencies {
  readonly sorted: Float64Array;
  readonly order: Int32Array;
}

function latenciesOf(answers: readonly Answered[]): Latencies {
  const order = Int32Array.from(answers.keys()).sort((a, b) => answers[a].latency - answers[b].latency);
  return { sorted: Float64Array.from(order, (at) => answers[at].latency), order };
}

function setLatencies(metrics: Map<MetricName, number>, latencies: Latencies, drawn: Int32Array, total: number): void {
  const { sorted, order } = latencies;
  let [rank, below] = [0, drawn[order[0]]];
  /** The latency at a place of the list that the draws would make, sorted; places are asked for in rising order. */
  const at = (place: number): number => {
    while (below <= place) below += drawn[order[++rank]];
    return sorted[rank];
  };
  for (const [name, share] of [
    ['latency_p50', 0.5],
    ['latency_p95', 0.95],
  ] as const) {
    const place = (total - 1) * share;
    const lower = at(Math.floor(place));
    // In a short list the floor of the second place lies before the ceiling of the first.
    const [keptRank, keptBelow] = [rank, below];
    const upper = at(Math.ceil(place));
    metrics.set(name, lower + (upper - lower) * (place - Math.floor(place)));
    [rank, below] = [keptRank, keptBelow];
  }
}

function plainText(text: string): string {
  return text.normalize('NFC').trim().replace(/\s+/gu, ' ');
}
