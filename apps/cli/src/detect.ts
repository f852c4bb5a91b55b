import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { printable, recordSchemas } from '@treering/record';
import { kindOf } from './commands/foreign.js';
import { UsageError } from './exit.js';
import { isHuggingFaceFolder } from './huggingface.js';
import type { KINDS } from './kinds.js';
import { parseYaml } from './yaml.js';

/** What a path is taken for, and why. */
export interface Detected {
  readonly kind: (typeof KINDS)[number];
  /** Follows on "because". */
  readonly why: string;
}

interface Elsewhere {
  readonly kind: 'bom' | 'dvc';
  readonly why: string;
}

type Finding = Detected | Elsewhere;

/** Formats of weights in one file. */
const WEIGHTS = /\.(?:safetensors|gguf|ggml|onnx|pt|pth|ckpt|bin|h5|keras|tflite|pb|pkl|joblib|npz|mlmodel)$/i;
const TEXTS = /\.(?:ya?ml|json|txt|md|j2|jinja2?|prompt|toml|ini)$/i;
/** Larger files are not read to find out what they are, in bytes. */
const MOST_READ = 64 * 1024 * 1024;

/**
 * Finds out what paths are, by rules of which exactly one has to fit.
 * @param paths absolute
 * @throws UsageError that names the explicit commands when no rule fits, or more than one
 */
export async function detectKind(paths: readonly string[]): Promise<Detected> {
  const found = await Promise.all(paths.map(findOne));
  if (found.length === 1) return found[0];
  if (found.every(({ kind }) => kind === 'config')) return { kind: 'config', why: 'they are prompts, parameters and the like' };
  if (found.every(({ kind }) => kind === 'record')) return { kind: 'batch', why: 'each of them names the type of its record' };
  const what = found.map(({ kind }, i) => `${printable(basename(paths[i]))} (${kind})`).join(', ');
  throw new UsageError(
    `these are recorded one by one, or with the command that is meant: ${what}; see "treering record config" and "treering record batch"`,
  );
}

async function findOne(path: string): Promise<Detected> {
  const name = printable(basename(path));
  const found = (await isFolder(path)) ? await inFolder(path) : await inFile(path);
  if (found.length === 0)
    throw new UsageError(
      `nothing tells what ${name} is: say "treering record model", "record config", "record foreign" or "record <type> --file", or --kind`,
    );
  if (found.length > 1) {
    const ways = found.map(({ kind, why }) => `a ${kind}, because ${why}`).join('; or ');
    throw new UsageError(
      `${name} may be ${ways}. Say which with ${found.map(({ kind }) => `"treering record ${kind === 'record' ? '<type> --file' : kind}"`).join(' or ')}, or --kind`,
    );
  }
  const [finding] = found;
  if (!isElsewhere(finding)) return finding;
  if (finding.kind === 'bom')
    throw new UsageError(
      `${name} is a CycloneDX bill of materials, because ${finding.why}: treering bom import ${printable(path)} --path <folder of the model> --reason <sentence>`,
    );
  throw new UsageError(`${name} is what DVC notes of ${name.replace(/\.dvc$/, '')}: record that, and the note is read with it`);
}

function isElsewhere(finding: Finding): finding is Elsewhere {
  return finding.kind === 'bom' || finding.kind === 'dvc';
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new UsageError(`there is no ${printable(path)}, and "record" has no such command; see "treering record --help"`);
  }
}

async function inFolder(path: string): Promise<Finding[]> {
  const names = await readdir(path);
  if (isHuggingFaceFolder(names)) {
    const shards = names.filter((name) => name.endsWith('.safetensors')).length;
    return [
      {
        kind: 'model',
        why: `it is a Hugging Face style folder: config.json and ${shards} safetensors file${shards === 1 ? '' : 's'}`,
      },
    ];
  }
  const other = await firstOther(path);
  if (other !== undefined) return [{ kind: 'model', why: `it is a folder with ${printable(other)}` }];
  return [
    { kind: 'model', why: 'it is a folder' },
    { kind: 'config', why: 'it holds nothing but texts, YAML and JSON' },
  ];
}

/** A file below a folder that is neither text nor YAML nor JSON. */
async function firstOther(path: string): Promise<string | undefined> {
  for (const entry of await readdir(path, { withFileTypes: true })) {
    if (entry.name === '.git') continue;
    if (!entry.isDirectory()) {
      if (!TEXTS.test(entry.name)) return entry.name;
      continue;
    }
    const below = await firstOther(join(path, entry.name));
    if (below !== undefined) return `${entry.name}/${below}`;
  }
  return undefined;
}

async function inFile(path: string): Promise<Finding[]> {
  const name = basename(path);
  if (name.endsWith('.dvc')) return [{ kind: 'dvc', why: 'of its name' }];
  if (WEIGHTS.test(name)) return [{ kind: 'model', why: `${extname(name)} is a format of weights` }];
  if ((await stat(path)).size > MOST_READ) return [];
  const bytes = new Uint8Array(await readFile(path));
  const foreign = kindOf(bytes);
  if (foreign !== undefined) return [{ kind: 'foreign', why: `it is ${printable(foreign)}` }];
  const isText = TEXTS.test(name);
  const value = /\.(?:ya?ml|json)$/i.test(name) ? structuredValue(path, bytes) : undefined;
  const members = typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
  const { bomFormat, type, subject } = members as Record<string, unknown>;
  if (bomFormat === 'CycloneDX') return [{ kind: 'bom', why: 'its bomFormat says so' }];
  if (/\.cdx\.json$/i.test(name)) return [{ kind: 'bom', why: 'its name ends with .cdx.json' }];
  const findings: Finding[] = [];
  const isType = typeof type === 'string' && Object.hasOwn(recordSchemas, type);
  if (isType) findings.push({ kind: 'record', why: `its type is ${type}` });
  const sets = Object.hasOwn(members, 'parameters') || Object.hasOwn(members, 'guardrails');
  if (isText && (sets || !isType || typeof subject !== 'string'))
    findings.push({ kind: 'config', why: sets ? 'it sets parameters or guardrails' : `it is a ${extname(name)} file` });
  return findings;
}

function structuredValue(path: string, bytes: Uint8Array): unknown {
  try {
    return parseYaml(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new UsageError(`${printable(path)} cannot be read: ${(error as Error).message}`);
  }
}
