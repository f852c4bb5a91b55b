import { parse } from 'yaml';

/**
 * The value of a YAML or JSON file.
 * @param schema 'failsafe' takes every scalar as text
 * @throws Error of the parser, whose message holds what was read
 */
export function parseYaml(text: string, schema: 'core' | 'failsafe' = 'core'): unknown {
  // Warnings would be printed with the line that they are about, and whoever made the file is not always the user.
  return parse(text, { schema, logLevel: 'error' });
}

/** Lists and mappings in each other at most: what is written again would need a frame of the stack for each. */
const DEEPEST = 256;

/**
 * Refuses what is nested more deeply than anybody writes.
 * @throws RangeError
 */
export function requireShallow(value: unknown): void {
  const open: [unknown, number][] = [[value, 0]];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [item, depth] = next;
    if (depth > DEEPEST) throw new RangeError(`it is nested more than ${DEEPEST} deep`);
    if (typeof item === 'object' && item !== null) for (const member of Object.values(item)) open.push([member, depth + 1]);
  }
}
