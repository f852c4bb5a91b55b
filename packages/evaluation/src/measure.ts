import { sha256 } from '@noble/hashes/sha2.js';
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { quantileSorted } from 'simple-statistics';
import type { Answered, Answers } from './ask.js';
import type { Dataset } from './dataset.js';
import { toDecimal } from './decimal.js';
import { type Answersheet, labelSheet, METRICS, type MetricName, numberSheet } from './metrics.js';
import { seededRandom } from './random.js';

/** How sure an interval is, and how often the examples are drawn again for it. */
export const LEVEL = 0.95;
export const RESAMPLES = 2000;
/** When so many resamples do not define a metric, there is no interval for it. */
const MOST_UNDEFINED = 0.05;

/** A metric as a record carries it, and of how many answers it is. */
export interface Measured {
  readonly name: MetricName;
  /** Without a slice, it is about all examples. */
  readonly slice?: string;
  readonly unit?: string;
  /** A decimal (formats.md section 5). */
  readonly value: string;
  /** Percentile bootstrap, at the level LEVEL. */
  readonly interval?: readonly [string, string];
  readonly answers: number;
}

/** What was measured, and how it can be computed again. */
export interface Measurements {
  readonly metrics: readonly Measured[];
  /** SHA-256 over data set and predictions, from which the resamples are drawn. 32 bytes. */
  readonly seed: Uint8Array;
}

/**
 * Measures answers, over all examples and in each slice. The same answers to the same data set give the same metrics with the same
 * intervals; latencies are the exception, because they are never the same.
 * @param positive the label whose precision, recall and F1 are meant
 * @param resamples how often the examples are drawn again
 */
export function measure(
  { digest, kind }: Pick<Dataset, 'digest' | 'kind'>,
  { answered }: Pick<Answers, 'answered'>,
  positive?: string,
  resamples = RESAMPLES,
): Measurements {
  const seed = seedOf(digest, answered);
  const slices = [...new Set(answered.flatMap(({ example }) => example.slices))].sort();
  const metrics = [undefined, ...slices].flatMap((slice) => {
    const answers = slice === undefined ? answered : answered.filter(({ example }) => example.slices.includes(slice));
    const sheet = kind === 'number' ? numberSheet(answers) : labelSheet(answers, positive);
    return measureSheet(sheet, seed, slice, resamples);
  });
  return { metrics, seed };
}

function measureSheet(sheet: Answersheet, seed: Uint8Array, slice: string | undefined, resamples: number): Measured[] {
  const values = sheet.measure(Int32Array.from({ length: sheet.size }, (_, i) => i));
  const drawn = new Map<MetricName, number[]>();
  const random = seededRandom(seed, `bootstrap/${slice === undefined ? 'all' : `slice/${slice}`}`);
  const positions = new Int32Array(sheet.size);
  for (let round = 0; round < resamples && sheet.size > 0; round++) {
    for (let i = 0; i < positions.length; i++) positions[i] = random.below(sheet.size);
    for (const [name, value] of sheet.measure(positions)) {
      const list = drawn.get(name);
      if (list === undefined) drawn.set(name, [value]);
      else list.push(value);
    }
  }
  return METRICS.flatMap((name) => {
    const value = values.get(name);
    if (value === undefined) return [];
    const inMilliseconds = name.startsWith('latency');
    const decimal = (number: number): string => toDecimal(number, inMilliseconds ? 3 : 6);
    const interval = intervalOf(drawn.get(name) ?? [], resamples)?.map(decimal) as [string, string] | undefined;
    return [
      {
        name,
        ...(slice === undefined ? {} : { slice }),
        ...(inMilliseconds ? { unit: 'ms' } : {}),
        value: decimal(value),
        ...(interval === undefined ? {} : { interval }),
        answers: sheet.size,
      },
    ];
  });
}

/** The percentile bootstrap: what remains when the outermost resamples of both sides are cut off. */
function intervalOf(values: number[], resamples: number): [number, number] | undefined {
  if (values.length === 0 || values.length < resamples * (1 - MOST_UNDEFINED)) return undefined;
  const sorted = Float64Array.from(values).sort() as unknown as number[];
  return [quantileSorted(sorted, (1 - LEVEL) / 2), quantileSorted(sorted, (1 + LEVEL) / 2)];
}

function seedOf(digest: Uint8Array, answered: readonly Answered[]): Uint8Array {
  const answers = answered.map(({ example, predicted }) => JSON.stringify([example.id, predicted]));
  return sha256(concatBytes(utf8ToBytes('treering/bootstrap/v1'), digest, utf8ToBytes(answers.join('\n'))));
}
