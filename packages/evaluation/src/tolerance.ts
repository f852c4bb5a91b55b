import { printable } from '@treering/record';
import { compareDecimals } from './decimal.js';
import { EvaluationError } from './errors.js';
import { METRICS } from './metrics.js';

/** Between which values a metric has to be, as records carry it. */
export interface Tolerance {
  readonly metric: string;
  /** Without a slice, it is about the metric over all examples. */
  readonly slice?: string | undefined;
  readonly min?: string | undefined;
  readonly max?: string | undefined;
}

const DECIMAL = /^-?(?:0|[1-9][0-9]{0,30})(?:\.[0-9]{1,30})?$/;

/**
 * Reads `<metric>[@<slice>]:min=<n>,max=<n>`, where one of the two bounds is enough.
 * @throws EvaluationError evaluation/tolerance
 */
export function parseTolerance(text: string): Tolerance {
  const at = text.lastIndexOf(':');
  const [name, bounds] = [text.slice(0, Math.max(at, 0)), text.slice(at + 1)];
  const [metric, ...rest] = name.split('@');
  const slice = rest.length === 0 ? undefined : rest.join('@');
  const fail = (what: string): EvaluationError =>
    new EvaluationError('evaluation/tolerance', `${printable(text)} is no tolerance such as accuracy:min=0.9: ${what}`);
  if (!(METRICS as readonly string[]).includes(metric)) throw fail(`the metrics are ${METRICS.join(', ')}`);
  if (slice === '') throw fail('the slice has no name');
  const limits: { min?: string; max?: string } = {};
  for (const bound of bounds.split(',')) {
    const [side, value] = [bound.slice(0, bound.indexOf('=')), bound.slice(bound.indexOf('=') + 1)];
    if (side !== 'min' && side !== 'max') throw fail('a bound is min=<number> or max=<number>');
    if (limits[side] !== undefined) throw fail(`${side} is there twice`);
    if (!DECIMAL.test(value)) throw fail(`${printable(value)} is no decimal number such as 0.9`);
    limits[side] = value;
  }
  if (limits.min !== undefined && limits.max !== undefined && compareDecimals(limits.min, limits.max) > 0)
    throw fail('its least value is above its greatest');
  return { metric, ...(slice === undefined ? {} : { slice }), ...limits };
}

/** The name of a metric, with its slice. */
export function metricLabel(metric: string, slice: string | undefined): string {
  return printable(slice === undefined ? metric : `${metric}@${slice}`);
}

/** A tolerance in words. */
export function toleranceInWords({ min, max }: Tolerance): string {
  if (min !== undefined && max !== undefined) return `between ${min} and ${max}`;
  return min !== undefined ? `at least ${min}` : max !== undefined ? `at most ${max}` : 'of any value';
}

/** Where a decimal lies. */
export function sideOf({ min, max }: Tolerance, value: string): 'below' | 'inside' | 'above' {
  if (min !== undefined && compareDecimals(value, min) < 0) return 'below';
  return max !== undefined && compareDecimals(value, max) > 0 ? 'above' : 'inside';
}
