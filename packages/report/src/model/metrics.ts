import type { RecordOf } from '@treering/record';
import { type EntryOf, type PackContent, signedAt } from './content.js';

type Metric = RecordOf<'evaluation'>['metrics'][number];

/** One value that an evaluation found. */
export interface MetricPoint {
  readonly index: number;
  readonly at: number;
  readonly metric: Metric;
  readonly value: number;
  readonly verdict: 'pass' | 'fail';
  readonly model: EntryOf<'model'> | undefined;
  readonly config: EntryOf<'config'> | undefined;
}

/** One metric over the versions. */
export interface MetricSeries {
  readonly suite: string;
  readonly name: string;
  readonly slice: string | undefined;
  readonly unit: string | undefined;
  readonly points: readonly MetricPoint[];
  /** The tolerance that the newest evaluation names, as numbers. */
  readonly least: number | undefined;
  readonly most: number | undefined;
}

/** What was measured, metric by metric, in the order of the log. */
export function metricsIn(content: PackContent): MetricSeries[] {
  const series = new Map<string, MetricSeries & { readonly points: MetricPoint[] }>();
  for (const entry of content.of('evaluation')) {
    const { index, record } = entry;
    const model = content.find('model', record.model);
    const config = content.find('config', record.config);
    for (const metric of record.metrics) {
      const { name, slice, unit } = metric;
      const key = JSON.stringify([record.subject, record.suite, name, slice, unit]);
      const tolerance = record.tolerances.find((one) => one.metric === name);
      const [least, most] = [tolerance?.min, tolerance?.max].map((text) => (text === undefined ? undefined : Number(text)));
      const points = series.get(key)?.points ?? [];
      const at = signedAt(entry) ?? 0;
      points.push({ index, at, metric, value: Number(metric.value), verdict: record.verdict, model, config });
      series.set(key, { suite: record.suite, name, slice, unit, points, least, most });
    }
  }
  return [...series.values()];
}
