import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { DECISION_SALT_SIZE, type Decision, EvidenceError, encodeDecision } from '@treering/evidence';
import { z } from 'zod';
import { UsageError } from './exit.js';

/** One line of a file of decisions: JSON. `at` is ISO 8601, or milliseconds since the epoch. */
const lineSchema = z.strictObject({
  id: z.string(),
  at: z.union([z.iso.datetime({ offset: true }), z.int().min(0)]),
  outcome: z.string().optional(),
  /** base64url; there once the decisions were recorded. */
  salt: z.base64url().optional(),
});

/**
 * Reads a file of decisions, a line of JSON for each, in their order.
 * @param salted whether each must have its salt already; otherwise either all have theirs, or each gets a new one
 * @throws UsageError with the number of the line
 */
export async function readDecisions(path: string, salted: boolean): Promise<{ decisions: Decision[]; fresh: boolean }> {
  const decisions: Decision[] = [];
  const ids = new Set<string>();
  let kind: boolean | undefined = salted ? true : undefined;
  const lines = (await readFile(path, 'utf8')).split('\n');
  for (const [i, line] of lines.entries()) {
    if (line.trim() === '') continue;
    const fail = (why: string): UsageError => new UsageError(`line ${i + 1} of ${path}: ${why}`);
    const { decision, has } = readLine(line, fail);
    kind ??= has;
    if (has !== kind)
      throw fail(
        kind ? 'it has no salt: give the file that "treering decisions record" wrote' : 'it has a salt, and others have none',
      );
    if (ids.has(decision.id)) throw fail(`the id ${decision.id} stands there twice`);
    ids.add(decision.id);
    decisions.push(decision);
  }
  if (decisions.length === 0) throw new UsageError(`${path} holds no decision`);
  return { decisions, fresh: kind === false };
}

function readLine(line: string, fail: (why: string) => UsageError): { decision: Decision; has: boolean } {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    throw fail('it is no JSON');
  }
  const read = lineSchema.safeParse(json);
  if (!read.success) throw fail(`${read.error.issues[0].path.join('.') || 'it'}: ${read.error.issues[0].message}`);
  const { id, at, outcome, salt } = read.data;
  const decision: Decision = {
    id,
    at: typeof at === 'number' ? at : Date.parse(at),
    ...(outcome === undefined ? {} : { outcome }),
    salt: new Uint8Array(salt === undefined ? randomBytes(DECISION_SALT_SIZE) : Buffer.from(salt, 'base64url')),
  };
  try {
    encodeDecision(decision);
  } catch (error) {
    if (error instanceof EvidenceError) throw fail(error.message);
    throw error;
  }
  return { decision, has: salt !== undefined };
}

/** The file that has to be kept: without the salts no decision of the batch can be proved. */
export function formatDecisions(decisions: readonly Decision[]): string {
  const lines = decisions.map(({ id, at, outcome, salt }) =>
    JSON.stringify({ id, at, ...(outcome === undefined ? {} : { outcome }), salt: Buffer.from(salt).toString('base64url') }),
  );
  return `${lines.join('\n')}\n`;
}
