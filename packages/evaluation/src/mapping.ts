import { printable } from '@treering/record';
import * as z from 'zod';
import type { Answer } from './dataset.js';
import { EvaluationError } from './errors.js';

/** Stands in a body for the input of an example. */
const INPUT = '{{input}}';

const HEADER_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/;
const ENVIRONMENT = /^env:([A-Za-z_][A-Za-z0-9_]*)$/;
/** What a header is called whose value is a secret: it comes from the environment. */
const SECRET_NAME = /auth|token|secret|cookie|password|key/i;

const mappingSchema = z.strictObject({
  method: z.enum(['POST', 'PUT']).default('POST'),
  headers: z.record(z.string().regex(HEADER_NAME, 'must be the name of a header'), z.string().min(1).max(4096)).default({}),
  body: z.unknown().default({ input: INPUT }),
  prediction: z
    .string()
    .regex(/^(?:\/(?:[^~/]|~[01])*)*$/, 'must be a JSON pointer (RFC 6901) such as /prediction')
    .default('/prediction'),
  labels: z.record(z.string(), z.string().min(1).max(1000)).optional(),
  threshold: z.strictObject({ at: z.number(), at_or_above: z.string().min(1), below: z.string().min(1) }).optional(),
});

/** How a JSON endpoint is asked, and where in its answer the prediction is. */
export type Mapping = z.infer<typeof mappingSchema>;

/** The parts of a mapping that say how an answer is read. */
export type Reading = Pick<Mapping, 'labels' | 'threshold'>;

/**
 * Reads a mapping from the value of its YAML or JSON file.
 * @throws EvaluationError evaluation/mapping
 */
export function parseMapping(value: unknown): Mapping {
  const { success, data, error } = mappingSchema.safeParse(value ?? {});
  if (!success) {
    const [{ path, message }] = error.issues;
    throw refusal(printable([path.join('.'), message].filter((part) => part !== '').join(': ')));
  }
  for (const [name, text] of Object.entries(data.headers))
    if (SECRET_NAME.test(name) && !ENVIRONMENT.test(text))
      throw refusal(`the value of the header ${name} may be a secret: name a variable of the environment, such as env:API_KEY`);
  if (placesIn(data.body) === 0) throw refusal(`the body has no "${INPUT}", so every question would be the same`);
  if (data.labels !== undefined && data.threshold !== undefined)
    throw refusal('labels are for names, a threshold for numbers: it takes one of the two');
  return data;
}

/** The mapping when there is no file: `{"input": ...}` is answered with `{"prediction": ...}`. */
export function defaultMapping(): Mapping {
  return parseMapping({});
}

/**
 * The headers of a mapping, with what the environment holds.
 * @throws EvaluationError evaluation/mapping when a variable is not set
 */
export function headersOf({ headers }: Mapping, env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, text]) => {
      const variable = ENVIRONMENT.exec(text)?.[1];
      const value = variable === undefined ? text : env[variable];
      if (value === undefined || value === '')
        throw refusal(`the header ${name} needs the variable ${variable}, which is not set`);
      return [name, value];
    }),
  );
}

/** The body for one input, which takes its place as a JSON value and so can never become anything else. */
export function bodyFor({ body }: Mapping, input: unknown): string {
  const fill = (value: unknown): unknown => {
    if (value === INPUT) return input;
    if (Array.isArray(value)) return value.map(fill);
    if (typeof value === 'object' && value !== null)
      return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, fill(item)]));
    return value;
  };
  return JSON.stringify(fill(body));
}

/**
 * The prediction in an answer.
 * @throws EvaluationError evaluation/unanswered
 */
export function predictionIn(answer: unknown, pointer: string, reading: Reading): Answer {
  let value = answer;
  for (const part of pointer.split('/').slice(1)) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof value !== 'object' || value === null || (Array.isArray(value) && !/^(?:0|[1-9]\d*)$/.test(name)))
      throw unanswered(`the answer has nothing at ${pointer}`);
    if (!Object.hasOwn(value, name)) throw unanswered(`the answer has nothing at ${pointer}`);
    value = (value as Record<string, unknown>)[name];
  }
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean')
    throw unanswered(`what the answer has at ${pointer} is no text, number or boolean`);
  return readPrediction(value, reading);
}

/**
 * A prediction as the label that it stands for.
 * @throws EvaluationError evaluation/unanswered for one that stands for none
 */
function readPrediction(value: Answer, { labels, threshold }: Reading): Answer {
  if (threshold !== undefined) {
    const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
    if (typeof number !== 'number' || !Number.isFinite(number))
      throw unanswered('the answer is no number to compare with the threshold');
    return number >= threshold.at ? threshold.at_or_above : threshold.below;
  }
  if (labels === undefined) return value;
  const name = String(value).trim();
  if (!Object.hasOwn(labels, name)) throw unanswered('the answer is none of the labels of the mapping');
  return labels[name];
}

/** How often the input stands in a body. @throws EvaluationError for a place where it would not be a value of its own */
function placesIn(value: unknown): number {
  if (value === INPUT) return 1;
  if (typeof value === 'string') {
    if (value.includes('{{'))
      throw refusal(`"${INPUT}" stands alone in a text of the body, because the input is placed as a JSON value`);
    return 0;
  }
  if (typeof value !== 'object' || value === null) return 0;
  return Object.values(value).reduce((sum: number, item) => sum + placesIn(item), 0);
}

function unanswered(what: string): EvaluationError {
  return new EvaluationError('evaluation/unanswered', what);
}

function refusal(what: string): EvaluationError {
  return new EvaluationError('evaluation/mapping', `this is no mapping: ${what}`);
}
