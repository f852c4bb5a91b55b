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
