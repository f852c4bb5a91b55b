import { readFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { printable } from '@treering/record';
import { segmentOf } from '@treering/recorder/segment';
import { GENERATION_CONFIG } from '../config-content.js';
import { type Detected, detectKind } from '../detect.js';
import { EXIT, UsageError } from '../exit.js';
import type { Session } from '../session.js';
import { parseYaml } from '../yaml.js';
import { recordBatch } from './batch.js';
import { recordConfig } from './config.js';
import { recordForeign } from './foreign.js';
import { type ModelFlags, proofName, recordModel } from './model.js';
import { recordFile } from './record-file.js';

/** Flags of `record <path...>`: those of all that it can lead to. */
export interface PathFlags extends Partial<Omit<ModelFlags, 'wait' | 'rebase'>> {
  readonly kind?: Detected['kind'];
  readonly configName?: string;
  readonly systemPrompt?: string;
  readonly subject?: string;
  readonly contentType?: string;
  readonly hash?: boolean;
  readonly location?: string;
  readonly prev: boolean;
  readonly wait: boolean;
  readonly rebase: boolean;
}

/** Record types that no file says, and the command that makes them. */
const OWN_WAY: Readonly<Record<string, string>> = {
  model: 'treering record model',
  config: 'treering record config',
  policy: 'treering policy set',
  charter: 'treering log init',
};

/** `record <path...>`: finds out what the paths are, says so, and records them. */
export async function recordPath(session: Session, paths: readonly string[], flags: PathFlags): Promise<number> {
  const full = paths.map((path) => resolve(session.cwd, path));
  const { kind, why } = flags.kind === undefined ? await detectKind(full) : { kind: flags.kind, why: '--kind says so' };
  session.terminal.line(`${paths.map(printable).join(', ')}: recorded as ${kind}, because ${why}.`);
  const results: unknown[] = [];
  // One call prints one line, also when it records twice.
  const terminal = { ...session.terminal, result: (value: unknown) => void results.push(value) };
  const exit = await recordAs({ ...session, terminal }, kind, paths, full, flags);
  const [first, second] = results as Record<string, unknown>[];
  session.terminal.result({ detected: { kind, why }, ...first, ...(second === undefined ? {} : { config: second }) });
  return exit ?? EXIT.ok;
}

async function recordAs(
  session: Session,
  kind: Detected['kind'],
  paths: readonly string[],
  full: readonly string[],
  flags: PathFlags,
): Promise<number | undefined> {
  if (flags.configName !== undefined && kind !== 'model')
    throw new UsageError(`--config-name is for a model with ${GENERATION_CONFIG}; a configuration has --name`);
  if (kind !== 'config' && kind !== 'batch' && paths.length > 1) throw new UsageError(`a ${kind} is recorded alone`);
  switch (kind) {
    case 'model':
      await recordModelFolder(session, paths[0], full[0], flags);
      return undefined;
    case 'config':
      await recordConfig(session, paths, {
        ...flags,
        name: nameOf(full, flags),
        reason: needed(flags.reason, 'reason <sentence>'),
        access: flags.access ?? 'restricted',
      });
      return undefined;
    case 'foreign':
      await recordForeign(session, paths[0], { ...flags, subject: needed(flags.subject, 'subject <subject>') });
      return undefined;
    case 'record':
      await recordFile(session, await typeOf(full[0]), { ...flags, file: paths[0] });
      return undefined;
    case 'batch':
      return recordBatch(session, paths, flags);
  }
}

/** A model, and with --config-name also how its folder says that it decodes. */
async function recordModelFolder(session: Session, path: string, full: string, flags: PathFlags): Promise<void> {
  const { configName, out } = flags;
  const name = nameOf([full], flags);
  const version = needed(flags.version, 'version <version>');
  const reason = needed(flags.reason, 'reason <sentence>');
  const access = flags.access ?? 'public';
  const configFile = join(full, GENERATION_CONFIG);
  if (configName !== undefined)
    await readFile(configFile).catch((error: NodeJS.ErrnoException) => {
      throw error.code === 'ENOENT' ? new UsageError(`--config-name is given, and there is no ${configFile}`) : error;
    });
  const quiet = { ...session, terminal: { ...session.terminal, remark: () => undefined } };
  const { record } = await recordModel(configName === undefined ? session : quiet, path, {
    ...flags,
    name,
    version,
    reason,
    access,
  });
  if (configName === undefined) return;
  const { ticket, wait, rebase } = flags;
  await recordConfig(session, [configFile], {
    name: configName,
    version: record.version,
    reason,
    access,
    // Not within the model's folder, whose digest it would change.
    out: join(out === undefined ? dirname(full) : dirname(resolve(session.cwd, out)), proofName(configName, version)),
    wait,
    rebase,
    ...(ticket === undefined ? {} : { ticket }),
  });
}

/** The record type that a file names. @throws UsageError */
async function typeOf(path: string): Promise<string> {
  const value = parseYaml(await readFile(path, 'utf8')) as { type?: unknown } | null;
  const type = value?.type;
  if (typeof type !== 'string') throw new UsageError(`${printable(path)} does not name the type of its record`);
  if (Object.hasOwn(OWN_WAY, type)) throw new UsageError(`a ${type} record is made by "${OWN_WAY[type]}", not from a file`);
  return type;
}

/** The name that is given, or that of the file or folder. */
function nameOf(full: readonly string[], { name }: PathFlags): string {
  if (name !== undefined) return name;
  if (full.length > 1) return needed(undefined, 'name <name>');
  const base = basename(full[0]);
  const segment = segmentOf(base.replace(/\.(?:ya?ml|json|txt|md|prompt|toml|ini|safetensors|gguf|onnx|bin|pt|pth)$/i, ''));
  return segment ?? needed(undefined, 'name <name>');
}

function needed(value: string | undefined, option: string): string {
  if (value === undefined) throw new UsageError(`required option '--${option}' not specified`);
  return value;
}
