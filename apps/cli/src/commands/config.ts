import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { createAttachment, type RecordOf, validateRecord } from '@treering/record';
import { parse } from 'yaml';
import { UsageError } from '../exit.js';
import { gitState } from '../git.js';
import type { Session } from '../session.js';
import { previousLeaf, submitRecord } from '../submit.js';
import { proofName } from './model.js';

/** Flags of `record config`. */
export interface ConfigFlags {
  readonly name: string;
  readonly version?: string;
  readonly reason: string;
  readonly systemPrompt?: string;
  readonly ticket?: string;
  readonly access: 'public' | 'restricted' | 'withheld';
  readonly out?: string;
  readonly wait: boolean;
  readonly rebase: boolean;
}

type ConfigRecord = RecordOf<'config'>;

/** Records configuration files: their digests in the record, their content as salted attachments beside the log. */
export async function recordConfig(session: Session, paths: readonly string[], flags: ConfigFlags): Promise<void> {
  const full = paths.map((path) => resolve(session.cwd, path));
  const base = commonFolder(full);
  const files = await Promise.all(
    full.map(async (path) => {
      const content = new Uint8Array(await readFile(path));
      return { path, name: relative(base, path).split('\\').join('/'), content, value: structured(path, content) };
    }),
  );
  const prompt = systemPrompt(
    files.map((f) => f.path),
    flags.systemPrompt === undefined ? undefined : resolve(session.cwd, flags.systemPrompt),
  );
  const git = await gitState(base, full);
  const client = session.client();
  const subject = `config/${flags.name}`;
  const prev = await previousLeaf(client, subject);
  const attachments = files.map(({ path, name, content }) =>
    createAttachment(content, { name, media_type: mediaType(path), access: flags.access }, new Uint8Array(randomBytes(16))),
  );
  const version = flags.version ?? (git === undefined ? undefined : `${git.commit.slice(0, 12)}${git.dirty ? '-dirty' : ''}`);
  if (version === undefined) throw new UsageError('--version is needed outside a git repository');
  const parameters = Object.assign({}, ...files.map((f) => parametersOf(f.value))) as Record<string, string>;
  const guardrails = files.flatMap((f) => guardrailsOf(f.value));
  const record = validateRecord({
    v: 1,
    type: 'config',
    subject,
    reason: flags.reason,
    name: flags.name,
    version,
    files: files.map(({ name, content, value }) => ({
      path: name,
      digest: sha256(content),
      ...(value === undefined ? {} : { canonical: sha256(new TextEncoder().encode(canonicalJson(value))) }),
    })),
    attachments: attachments.map((a) => a.ref),
    ...(prev === undefined ? {} : { prev }),
    ...(git === undefined ? {} : { git }),
    ...(Object.keys(parameters).length === 0 ? {} : { parameters }),
    ...(guardrails.length === 0 ? {} : { guardrails }),
    ...(prompt === undefined
      ? {}
      : { system_prompt: sha256((files.find((f) => f.path === prompt) as { content: Uint8Array }).content) }),
    ...(flags.ticket === undefined ? {} : { ticket: flags.ticket }),
  });
  const proof =
    flags.out === undefined ? join(dirname(full[0]), proofName(flags.name, version)) : resolve(session.cwd, flags.out);
  await submitRecord(session, client, record, { attachments, proof, wait: flags.wait, rebase: flags.rebase });
}

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
    return parse(new TextDecoder('utf-8', { fatal: true }).decode(content)) as unknown;
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

function mediaType(path: string): string {
  if (/\.json$/i.test(path)) return 'application/json';
  if (/\.ya?ml$/i.test(path)) return 'application/yaml';
  return /\.(?:txt|md)$/i.test(path) ? 'text/plain' : 'application/octet-stream';
}

function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(bytes).digest());
}
