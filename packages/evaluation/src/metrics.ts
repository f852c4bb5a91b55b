import { mean, quantileSorted } from 'simple-statistics';
import type { Answered } from './ask.js';

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
  /** The metrics of the answers at these positions; one that they do not define is left out. */
  measure(positions: ArrayLike<number>): Map<MetricName, number>;
}

/**
 * Prepares labels or texts.
 *
 * - accuracy: the share that is the expected label, to the letter;
 * - exact_match: the same for texts, in Unicode's form NFC and with runs of white space as one space, none at the ends;
 * - precision, recall, f1: of the positive label, or without one the mean over the labels that are expected (macro). Where nothing is
 *   predicted as a label, its precision is 0. Without an example that expects the positive label there is none of the three.
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
  const latencies = latenciesOf(answers);
  const ofLabels = positive !== undefined || labels <= MOST_LABELS;
  return {
    size: answers.length,
    measure(positions) {
      const metrics = new Map<MetricName, number>();
      if (positions.length === 0) return metrics;
      const [hits, asked, said] = [0, 1, 2].map(() => new Int32Array(numbers.size));
      let [right, same] = [0, 0];
      for (let i = 0; i < positions.length; i++) {
        const at = positions[i];
        asked[expected[at]]++;
        said[predicted[at]]++;
        if (expected[at] === predicted[at]) {
          hits[expected[at]]++;
          right++;
        }
        same += exact[at];
      }
      metrics.set('accuracy', right / positions.length);
      metrics.set('exact_match', same / positions.length);
      const meant = (wanted === undefined ? [...asked.keys()] : [wanted]).filter((label) => asked[label] > 0);
      if (ofLabels && meant.length > 0) {
        const over = (of: (label: number) => number): number => mean(meant.map(of));
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
      }
      setLatencies(metrics, latencies, positions);
      return metrics;
    },
  };
}

/** Prepares numbers: mean_absolute_error is the mean distance from what is expected. */
export function numberSheet(answers: readonly Answered[]): Answersheet {
  const errors = Float64Array.from(answers, ({ example, predicted }) => Math.abs(Number(predicted) - Number(example.expected)));
  const latencies = latenciesOf(answers);
  return {
    size: answers.length,
    measure(positions) {
      const metrics = new Map<MetricName, number>();
      if (positions.length === 0) return metrics;
      metrics.set('mean_absolute_error', mean(Array.from(positions, (at) => errors[at])));
      setLatencies(metrics, latencies, positions);
      return metrics;
    },
  };
}

/** Latencies in rising order, and where in it each answer's is: so that resamples need no sorting. */
interface Latencies {
  readonly sorted: Float64Array;
  readonly ranks: Int32Array;
}

function latenciesOf(answers: readonly Answered[]): Latencies {
  const order = answers.map((_, at) => at).sort((a, b) => answers[a].latency - answers[b].latency);
  const ranks = new Int32Array(answers.length);
  order.forEach((at, rank) => {
    ranks[at] = rank;
  });
  return { sorted: Float64Array.from(order, (at) => answers[at].latency), ranks };
}

function setLatencies(metrics: Map<MetricName, number>, { sorted, ranks }: Latencies, positions: ArrayLike<number>): void {
  const counts = new Int32Array(sorted.length);
  for (let i = 0; i < positions.length; i++) counts[ranks[positions[i]]]++;
  const drawn = new Float64Array(positions.length);
  let filled = 0;
  for (let rank = 0; rank < counts.length; rank++) {
    drawn.fill(sorted[rank], filled, filled + counts[rank]);
    filled += counts[rank];
  }
  metrics.set('latency_p50', quantileSorted(drawn as unknown as number[], 0.5));
  metrics.set('latency_p95', quantileSorted(drawn as unknown as number[], 0.95));
}

function plainText(text: string): string {
  return text.normalize('NFC').trim().replace(/\s+/gu, ' ');
}
