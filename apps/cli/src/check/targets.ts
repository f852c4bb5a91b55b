import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { nearest } from '@treering/log/config';
import { z } from 'zod';
import { UsageError } from '../exit.js';
import { parseYaml } from '../yaml.js';

/** Where one service runs, and what it is made of. Paths are full. */
export interface Target {
  readonly service: string;
  readonly model: string;
  readonly ignore: readonly string[];
  readonly config: readonly string[];
  readonly systemPrompt: string | undefined;
  /** A digest, or a command that prints the one of the image that runs. */
  readonly image: string | readonly string[] | undefined;
  /** A process, or a file that holds its number. */
  readonly pid: number | string | undefined;
}

/** Everything that should be looked at on one machine. */
export interface Targets {
  readonly environment: string;
  readonly services: readonly Target[];
  /** Whether these are all services of the environment: another one that is logged should run here then. */
  readonly whole: boolean;
  /** Folders whose files no other process should have open. */
  readonly watch: readonly string[];
}

const name = z.string().regex(/^[a-z0-9._@-]+$/, 'must be one segment of [a-z0-9._@-]');
const path = z.string().min(1);
const service = z.strictObject({
  service: name,
  model: path,
  ignore: z.array(path).optional(),
  config: z.array(path).min(1),
  system_prompt: path.optional(),
  image: z.string().optional(),
  image_command: z.array(z.string()).min(1).optional(),
  pid: z.int().min(1).optional(),
  pid_file: path.optional(),
});
const fileSchema = z.strictObject({
  environment: name,
  services: z
    .array(service)
    .min(1)
    .refine((list) => new Set(list.map((one) => one.service)).size === list.length, 'a service stands there once'),
  whole_environment: z.boolean().optional(),
  watch: z.array(path).optional(),
});

/**
 * Reads the file that says what runs where. Paths are relative to its folder.
 * @throws UsageError
 */
export async function readTargets(file: string): Promise<Targets> {
  let value: unknown;
  try {
    value = parseYaml(await readFile(file, 'utf8'));
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${(error as Error).message}`);
  }
  const result = fileSchema.safeParse(value);
  if (!result.success) throw new UsageError(`${file}: ${explain(result.error.issues[0])}`);
  const folder = dirname(file);
  const full = (one: string): string => resolve(folder, one);
  return {
    environment: result.data.environment,
    whole: result.data.whole_environment ?? false,
    watch: (result.data.watch ?? []).map(full),
    services: result.data.services.map((one) => ({
      service: one.service,
      model: full(one.model),
      ignore: one.ignore ?? [],
      config: one.config.map(full),
      systemPrompt: one.system_prompt === undefined ? undefined : full(one.system_prompt),
      image: one.image ?? one.image_command,
      pid: one.pid ?? (one.pid_file === undefined ? undefined : full(one.pid_file)),
    })),
  };
}

function explain(issue: z.core.$ZodIssue): string {
  const place = issue.path.map(String).join('.');
  if (issue.code !== 'unrecognized_keys') return `${place || 'the file'} ${issue.message}`;
  const known = Object.keys(place.startsWith('services') ? service.shape : fileSchema.shape);
  return `there is no "${issue.keys[0]}"${place === '' ? '' : ` in ${place}`}; did you mean "${nearest(issue.keys[0], known)}"?`;
}
