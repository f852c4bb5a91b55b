import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, dirname, relative } from 'node:path';
import { configDigest, printable, type RecordOf } from '@treering/record';
import { UsageError } from './exit-codes.js';
import { parseYaml, requireShallow } from './yaml.js';

type ConfigRecord = RecordOf<'config'>;

/** How a Hugging Face style model decodes: every member is a parameter, but these. */
export const GENERATION_CONFIG = 'generation_config.json';
const NO_PARAMETERS = ['transformers_version', '_from_model_config'];

/** A file of a configuration as read. */
interface ConfigFile {
  /** Where it lies. */
  readonly path: string;
  /** Its path below the folder that all have in common, with '/'. */
  readonly name: string;
  readonly content: Uint8Array;
}

/** What configuration files say, as a record of them says it. */
export interface ConfigContent {
  /** The folder that all files have in common. */
  readonly base: string;
  readonly sources: readonly ConfigFile[];
  /** The members of a config record that are made of the files; those without content are left out. */
  readonly said: Pick<ConfigRecord, 'files' | 'parameters' | 'guardrails' | 'system_prompt'>;
  /** `configDigest`, 32 bytes. */
  readonly digest: Uint8Array;
}

/**
 * Reads configuration files into what a record says of them.
 * @param paths full paths
 * @param prompt the one that is the system prompt; without it, the only text file with "prompt" in its name
 * @throws UsageError when a YAML or JSON file cannot be read, or `prompt` is none of them
 */
export async function readConfigContent(paths: readonly string[], prompt?: string): Promise<ConfigContent> {
  const base = commonFolder(paths);
  // In one order, whoever names them: guardrails of several files stand in the order of the files.
  const sorted = [...paths].sort();
  const files = await Promise.all(
    sorted.map(async (path) => {
      const content = await readRegular(path);
      return { path, name: relative(base, path).split('\\').join('/'), content, value: structured(path, content) };
    }),
  );
  const system = files.find(({ path }) => path === systemPrompt(paths, prompt));
  const parameters = Object.assign({}, ...files.map(({ path, value }) => parametersOf(path, value))) as Record<string, string>;
  const guardrails = files.flatMap(({ value }) => guardrailsOf(value));
  const said = {
    files: files.map(({ name, content, value }) => ({
      path: name,
      digest: sha256(content),
      ...(value === undefined ? {} : { canonical: sha256(new TextEncoder().encode(canonicalJson(value))) }),
    })),
    ...(Object.keys(parameters).length === 0 ? {} : { parameters }),
    ...(guardrails.length === 0 ? {} : { guardrails }),
    ...(system === undefined ? {} : { system_prompt: sha256(system.content) }),
  };
  const sources = files.map(({ path, name, content }) => ({ path, name, content }));
  return { base, sources, said, digest: configDigest(said) };
}

/** A file's content. Opening a pipe would wait for somebody who writes to it. @throws UsageError for anything else */
async function readRegular(path: string): Promise<Uint8Array> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!(await file.stat()).isFile()) throw new UsageError(`${printable(path)} is no regular file`);
    return new Uint8Array(await file.readFile());
  } finally {
    await file.close();
  }
}

/** The innermost folder that all paths lie in. */
export function commonFolder(paths: readonly string[]): string {
  let folder = dirname(paths[0]);
  while (!paths.every((path) => path.startsWith(folder.endsWith('/') ? folder : `${folder}/`))) folder = dirname(folder);
  return folder;
}

/** The one file that is the system prompt: named by the user, or the only text file with "prompt" in its name. */
function systemPrompt(paths: readonly string[], named: string | undefined): string | undefined {
  if (named !== undefined) {
    if (!paths.includes(named)) throw new UsageError('--system-prompt names one of the files');
    return named;
  }
  const candidates = paths.filter((path) => /prompt[^/]*\.(?:txt|md)$/i.test(basename(path)));
  return candidates.length === 1 ? candidates[0] : undefined;
}

/** The value in a YAML or JSON file, or undefined for other files. @throws UsageError when it cannot be read */
function structured(path: string, content: Uint8Array): unknown {
  if (!/\.(?:ya?ml|json)$/i.test(path)) return undefined;
  try {
    const value = parseYaml(new TextDecoder('utf-8', { fatal: true }).decode(content));
    requireShallow(value);
    return value;
  } catch (error) {
    // Behind the first line stands what was read, which is nobody's business.
    throw new UsageError(`${printable(path)} cannot be read: ${printable((error as Error).message.split('\n')[0])}`);
  }
}

function parametersOf(path: string, value: unknown): Record<string, string> {
  if (basename(path) === GENERATION_CONFIG && typeof value === 'object' && value !== null)
    return generationParameters(value as Readonly<Record<string, unknown>>);
  const parameters = member(value, 'parameters');
  if (typeof parameters !== 'object' || parameters === null || Array.isArray(parameters)) return {};
  return Object.fromEntries(
    Object.entries(parameters)
      .filter(([, item]) => isScalar(item))
      .map(([name, item]) => [name, String(item)]),
  );
}

/** What generation_config.json sets, as the texts that a config record holds. */
export function generationParameters(generation: Readonly<Record<string, unknown>>): Record<string, string> {
  const set = Object.entries(generation).filter(([name, value]) => !NO_PARAMETERS.includes(name) && value !== null);
  return Object.fromEntries(set.map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]));
}

function guardrailsOf(value: unknown): NonNullable<ConfigRecord['guardrails']> {
  const list = member(value, 'guardrails');
  if (!Array.isArray(list)) return [];
  return list.flatMap((item: unknown) => {
    const { id, setting, action } = (item ?? {}) as Record<string, unknown>;
    return isScalar(id) && isScalar(action)
      ? [{ id: String(id), setting: isScalar(setting) ? String(setting) : canonicalJson(setting), action: String(action) }]
      : [];
  });
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

function isScalar(value: unknown): value is string | number | boolean {
  return ['string', 'number', 'boolean'].includes(typeof value);
}

/** JSON with sorted keys and no white space: two files that say the same have the same canonical digest. */
function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${members.map(([name, item]) => `${JSON.stringify(name)}:${canonicalJson(item)}`).join(',')}}`;
  }
  return JSON.stringify(value ?? null);
}

function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(bytes).digest());
}
