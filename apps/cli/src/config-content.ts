import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename, dirname, relative } from 'node:path';
import type { RecordOf } from '@treering/record';
import { UsageError } from './exit-codes.js';

type ConfigRecord = RecordOf<'config'>;

/** What configuration files set, as the record of them holds it: `configDigest` takes it. */
export interface ConfigContent extends Pick<ConfigRecord, 'files' | 'guardrails' | 'parameters' | 'system_prompt'> {
  /** The folder that the files' names begin at. */
  readonly folder: string;
  /** The files as they were read, in the order in which they were given. */
  readonly sources: readonly { readonly path: string; readonly name: string; readonly content: Uint8Array }[];
}

/**
 * Reads configuration files.
 * @param paths absolute, and at least one
 * @param systemPrompt absolute path of the one that is the system prompt; by default the only text file with "prompt" in its name
 * @throws UsageError for a YAML or JSON file that cannot be read
 */
export async function readConfigContent(paths: readonly string[], systemPrompt: string | undefined): Promise<ConfigContent> {
  const { parse } = await import('yaml');
  const folder = commonFolder(paths);
  const files = await Promise.all(
    paths.map(async (path) => {
      const content = new Uint8Array(await readFile(path));
      return { path, name: relative(folder, path).split('\\').join('/'), content, value: structured(path, content, parse) };
    }),
  );
  const prompt = promptPath(paths, systemPrompt);
  const parameters = Object.assign({}, ...files.map((f) => parametersOf(f.value))) as Record<string, string>;
  const guardrails = files.flatMap((f) => guardrailsOf(f.value));
  return {
    folder,
    sources: files.map(({ path, name, content }) => ({ path, name, content })),
    files: files.map(({ name, content, value }) => ({
      path: name,
      digest: sha256(content),
      ...(value === undefined ? {} : { canonical: sha256(new TextEncoder().encode(canonicalJson(value))) }),
    })),
    ...(Object.keys(parameters).length === 0 ? {} : { parameters }),
    ...(guardrails.length === 0 ? {} : { guardrails }),
    ...(prompt === undefined
      ? {}
      : { system_prompt: sha256((files.find((f) => f.path === prompt) as { content: Uint8Array }).content) }),
  };
}

function commonFolder(paths: readonly string[]): string {
  let folder = dirname(paths[0]);
  while (!paths.every((path) => path.startsWith(folder.endsWith('/') ? folder : `${folder}/`))) folder = dirname(folder);
  return folder;
}

/** The one file that is the system prompt: named by the user, or the only text file with "prompt" in its name. */
function promptPath(paths: readonly string[], named: string | undefined): string | undefined {
  if (named !== undefined) {
    if (!paths.includes(named)) throw new UsageError('--system-prompt names one of the files');
    return named;
  }
  const candidates = paths.filter((path) => /prompt[^/]*\.(?:txt|md)$/i.test(basename(path)));
  return candidates.length === 1 ? candidates[0] : undefined;
}

/** The value in a YAML or JSON file, or undefined for other files. @throws UsageError when it cannot be read */
function structured(path: string, content: Uint8Array, parse: (text: string) => unknown): unknown {
  if (!/\.(?:ya?ml|json)$/i.test(path)) return undefined;
  try {
    return parse(new TextDecoder('utf-8', { fatal: true }).decode(content));
  } catch (error) {
    throw new UsageError(`${path} cannot be read: ${(error as Error).message}`);
  }
}

function parametersOf(value: unknown): Record<string, string> {
  const parameters = member(value, 'parameters');
  if (typeof parameters !== 'object' || parameters === null || Array.isArray(parameters)) return {};
  return Object.fromEntries(
    Object.entries(parameters)
      .filter(([, item]) => isScalar(item))
      .map(([name, item]) => [name, String(item)]),
  );
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
