import { sha256 } from '@noble/hashes/sha2.js';
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { quantileSorted } from 'simple-statistics';
import type { Answered, Answers } from './ask.js';
import type { Dataset } from './dataset.js';
import { toDecimal } from './decimal.js';
import { type Answersheet, labelSheet, METRICS, type MetricName, numberSheet } from './metrics.js';
import { type Random, seededRandom } from './random.js';

/** How sure an interval is, and how often the examples are drawn again for it. */
export const LEVEL = 0.95;
export const RESAMPLES = 2000;
/** When so many resamples do not define a metric, there is no interval for it. */
const MOST_UNDEFINED = 0.05;
/** After so many drawn answers, others have their turn: some tens of milliseconds. */
const UNDISTURBED = 1_000_000;

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

/** How answers are measured. */
export interface MeasureOptions {
  /** The label whose precision, recall and F1 are meant. */
  readonly positive?: string | undefined;
  /** How often the examples are drawn again. */
  readonly resamples?: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Measures answers, over all examples and in each slice. The same answers to the same data set give the same metrics with the same
 * intervals; latencies are the exception, because they are never the same. Between resamples others have their turn, so that a signal
 * can end it.
 */
export async function measure(
  { digest, kind }: Pick<Dataset, 'digest' | 'kind'>,
  { answered }: Pick<Answers, 'answered'>,
  { positive, resamples = RESAMPLES, signal }: MeasureOptions = {},
): Promise<Measurements> {
  const seed = seedOf(digest, answered);
  const slices = [...new Set(answered.flatMap(({ example }) => example.slices))].sort();
  const metrics: Measured[] = [];
  for (const slice of [undefined, ...slices]) {
    const answers = slice === undefined ? answered : answered.filter(({ example }) => example.slices.includes(slice));
    const sheet = kind === 'number' ? numberSheet(answers) : labelSheet(answers, positive);
    metrics.push(...(await measureSheet(sheet, seed, slice, resamples, signal)));
  }
  return { metrics, seed };
}

/**
 * Measures answers as if every unanswered example had been answered rightly: whoever misses a bound like that has missed it. There are
 * no latencies, because nobody knows those.
 */
export async function measureBestCase(
  dataset: Pick<Dataset, 'digest' | 'kind'>,
  { answered, unanswered }: Answers,
  options: MeasureOptions = {},
): Promise<readonly Measured[]> {
  const right = unanswered.map(({ example }): Answered => ({ example, predicted: example.expected, latency: 0 }));
  const { metrics } = await measure(dataset, { answered: [...answered, ...right] }, options);
  return metrics.filter(({ name }) => !name.startsWith('latency'));
}

async function measureSheet(
  sheet: Answersheet,
  seed: Uint8Array,
  slice: string | undefined,
  resamples: number,
  signal: AbortSignal | undefined,
): Promise<Measured[]> {
  const { size, byLabel } = sheet;
  const whole = Int32Array.from({ length: size }, (_, i) => i);
  const values = new Map([...sheet.measure(whole), ...(byLabel?.measure(whole) ?? [])]);
  const drawn = new Map<MetricName, number[]>();
  const keep = (metrics: Map<MetricName, number>): void => {
    for (const [name, value] of metrics) {
      const list = drawn.get(name);
      if (list === undefined) drawn.set(name, [value]);
      else list.push(value);
    }
  };
  const purpose = slice === undefined ? 'all' : `slice/${slice}`;
  const random = seededRandom(seed, `bootstrap/${purpose}`);
  const ofLabels = seededRandom(seed, `bootstrap/labels/${purpose}`);
  const positions = new Int32Array(size);
  let undisturbed = 0;
  for (let round = 0; round < resamples && size > 0; round++) {
    for (let i = 0; i < size; i++) positions[i] = random.below(size);
    keep(sheet.measure(positions));
    if (byLabel !== undefined) {
      drawByLabel(byLabel.strata, ofLabels, positions);
      keep(byLabel.measure(positions));
    }
    undisturbed += size;
    if (undisturbed < UNDISTURBED) continue;
    undisturbed = 0;
    await new Promise<void>((resolve) => setTimeout(resolve));
    signal?.throwIfAborted();
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
        answers: size,
      },
    ];
  });
}

/** Draws from the answers to each label as many as there are, so that no label is ever missing and the mean is over the same ones. */
function drawByLabel(strata: readonly Int32Array[], random: Random, positions: Int32Array): void {
  let filled = 0;
  for (const stratum of strata)
    for (let i = 0; i < stratum.length; i++) positions[filled++] = stratum[random.below(stratum.length)];
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
