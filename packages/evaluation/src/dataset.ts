import { sha256 } from '@noble/hashes/sha2.js';
import { printable } from '@treering/record';
import * as z from 'zod';
import { EvaluationError } from './errors.js';
import { parseExactJson } from './exact-json.js';

/** What an endpoint answers, and what a data set expects. */
export type Answer = string | number | boolean;

/** One example of a data set. */
export interface Example {
  readonly id: string;
  /** Any JSON value, as parseExactJson reads it: what is sent has the same value, and may be written otherwise. */
  readonly input: unknown;
  /** A label or text; a number where a number is expected. */
  readonly expected: string | number;
  /** Parts of the data set that it belongs to, such as a ward or a language. */
  readonly slices: readonly string[];
}

/** Examples with the right answers. */
export interface Dataset {
  /** SHA-256 of the file's bytes, 32 bytes. */
  readonly digest: Uint8Array;
  /** Whether numbers are expected, whose error is measured, or labels and texts, which are right or wrong. */
  readonly kind: 'label' | 'number';
  readonly examples: readonly Example[];
}

/** Bytes of a file, and of one of its lines, at most. */
const MOST_BYTES = 256 * 1024 * 1024;
const MOST_LINE = 1024 * 1024;
/** Each of them is drawn thousands of times. */
const MOST_EXAMPLES = 50_000;
/** Metrics of each slice go into one record, which holds 512. */
const MOST_SLICES = 32;

const slice = z
  .string()
  .min(1)
  .max(200)
  .refine((text) => printable(text) === text, 'must not hold control or direction characters');
const lineSchema = z.strictObject({
  id: z.string().min(1).max(200).optional(),
  input: z.unknown().refine((value) => value !== undefined, 'is missing'),
  expected: z.union([z.string().min(1), z.number(), z.boolean()]),
  slice: z.union([slice, z.array(slice).max(8)]).optional(),
});

/**
 * Reads a data set: JSON Lines in UTF-8, each {"input", "expected"} with "id" and "slice" where they are needed.
 * @throws EvaluationError evaluation/dataset, with the number of the line
 */
export function parseDataset(bytes: Uint8Array): Dataset {
  if (bytes.length > MOST_BYTES) throw refusal(`it has ${bytes.length} bytes, and may have ${MOST_BYTES}`);
  const lines = textOf(bytes).split('\n');
  if (lines.at(-1) === '') lines.pop();
  if (lines.length === 0) throw refusal('it has no example');
  if (lines.length > MOST_EXAMPLES)
    throw refusal(`it has ${lines.length} lines, and may have ${MOST_EXAMPLES}: take fewer by chance`);
  const examples = lines.map((line, i) => parseLine(line.replace(/\r$/, ''), i + 1));
  const lineOf = new Map<string, number>();
  examples.forEach(({ id }, i) => {
    const first = lineOf.get(id);
    if (first !== undefined) throw refusal(`line ${i + 1} has the id ${printable(id)}, which line ${first} has`);
    lineOf.set(id, i + 1);
  });
  const kind = typeof examples[0].expected === 'number' ? 'number' : 'label';
  const other = examples.findIndex(({ expected }) => (typeof expected === 'number') !== (kind === 'number'));
  if (other >= 0)
    throw refusal(`line ${other + 1} expects ${kind === 'number' ? 'no number' : 'a number'}, and line 1 otherwise`);
  const slices = new Set(examples.flatMap((example) => example.slices));
  if (slices.size > MOST_SLICES) throw refusal(`it has ${slices.size} slices, and may have ${MOST_SLICES}`);
  return { digest: sha256(bytes), kind, examples };
}

function parseLine(line: string, number: number): Example {
  if (line.length > MOST_LINE) throw refusal(`line ${number} is longer than ${MOST_LINE} characters`);
  if (line.trim() === '') throw refusal(`line ${number} is empty`);
  let value: unknown;
  try {
    value = parseExactJson(line);
  } catch (error) {
    throw refusal(`line ${number} ${error instanceof RangeError ? printable(error.message) : 'is no JSON'}`);
  }
  const { success, data, error } = lineSchema.safeParse(value);
  if (!success) {
    const [{ path, message }] = error.issues;
    throw refusal(`line ${number}: ${printable([path.join('.'), message].filter((part) => part !== '').join(': '))}`);
  }
  return {
    id: data.id ?? `line-${number}`,
    input: data.input,
    expected: typeof data.expected === 'boolean' ? String(data.expected) : data.expected,
    slices: [...new Set(typeof data.slice === 'string' ? [data.slice] : (data.slice ?? []))],
  };
}

function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw refusal('it is no UTF-8');
  }
}

function refusal(what: string): EvaluationError {
  return new EvaluationError('evaluation/dataset', `this is no data set: ${what}`);
}
