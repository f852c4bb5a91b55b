import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { defaultMapping, type Endpoint, httpEndpoint, openAiEndpoint, parseMapping } from '@treering/evaluation';
import { commandEndpoint } from '@treering/evaluation/node';
import { printable } from '@treering/record';
import { UsageError } from './exit.js';
import type { Session } from './session.js';
import { parseYaml } from './yaml.js';

/** Which deployed model is asked, and how. */
export interface EndpointFlags {
  readonly endpoint?: string;
  readonly openai?: string;
  readonly modelName?: string;
  readonly completions?: boolean;
  readonly command?: readonly string[];
  readonly mapping?: string;
}

/** An endpoint, and what a record says of it. */
export interface OpenedEndpoint {
  readonly endpoint: Endpoint;
  /** Its kind, and the digest of its mapping: neither an address nor a secret. */
  readonly about: Readonly<Record<string, string>>;
}

/** Where a bearer token for the endpoint comes from. */
const TOKEN = 'TREERING_ENDPOINT_TOKEN';
/** What says how an answer is read, whatever is asked. */
const READING: readonly string[] = ['labels', 'threshold'];

/** Refuses flags that name no endpoint, or several. @throws UsageError */
export function requireOneEndpoint({ endpoint, openai, command, modelName, completions }: EndpointFlags): void {
  if ([endpoint, openai, command].filter((one) => one !== undefined).length !== 1)
    throw new UsageError('what is asked is one of --endpoint <url>, --openai <url> and --command <program>');
  if (openai !== undefined && modelName === undefined)
    throw new UsageError('--openai needs --model-name <name>: under which name the endpoint serves the model');
  if (openai === undefined && (modelName !== undefined || completions !== undefined))
    throw new UsageError('--model-name and --completions are for --openai');
}

/**
 * The endpoint that flags name. Its token comes from the environment only.
 * @param parameters of the deployed configuration
 * @throws UsageError, EvaluationError
 */
export async function openEndpoint(
  { cwd, env: all, settings }: Session,
  flags: EndpointFlags,
  parameters: Readonly<Record<string, string>>,
): Promise<OpenedEndpoint> {
  requireOneEndpoint(flags);
  const file = flags.mapping === undefined ? undefined : await readMapping(resolve(cwd, flags.mapping));
  const mapping = file?.mapping ?? defaultMapping();
  const other = file?.members.find((name) => flags.endpoint === undefined && !READING.includes(name));
  if (other !== undefined)
    throw new UsageError(
      `${printable(flags.mapping ?? '')}: "${printable(other)}" is for --endpoint; here it takes ${READING.join(' and ')}`,
    );
  const token = all[TOKEN];
  const env = withoutSecrets(all, settings.keyVariable());
  const endpoint =
    flags.endpoint !== undefined
      ? httpEndpoint(flags.endpoint, mapping, { token, env })
      : flags.openai !== undefined
        ? openAiEndpoint(flags.openai, {
            token,
            env,
            model: flags.modelName as string,
            completions: flags.completions ?? false,
            parameters,
            reading: mapping,
          })
        : commandEndpoint(flags.command ?? [], { cwd, env, reading: mapping });
  return { endpoint, about: { kind: endpoint.kind, ...(file === undefined ? {} : { mapping_sha256: file.digest }) } };
}

async function readMapping(path: string) {
  const bytes = await readFile(path);
  let value: unknown;
  try {
    value = parseYaml(bytes.toString('utf8'));
  } catch (error) {
    throw new UsageError(`${printable(path)} is no YAML: ${(error as Error).message}`);
  }
  const members = typeof value === 'object' && value !== null ? Object.keys(value) : [];
  return { mapping: parseMapping(value), members, digest: createHash('sha256').update(bytes).digest('hex') };
}

/**
 * What is asked needs no key, no passphrase and no token of ours, nor may a mapping send one away.
 * @param key the variable that holds the user's key, under whatever name
 */
function withoutSecrets(env: Session['env'], key: string | undefined): Session['env'] {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('TREERING_') && name !== key));
}
