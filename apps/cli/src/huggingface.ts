import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseStrictJson } from '@treering/foreign';
import { equalBytes } from '@treering/merkle';
import { printable, RecordError } from '@treering/record';
import type { ModelFiles } from '@treering/record/node';
import { GENERATION_CONFIG, generationParameters } from './config-content.js';
import { UsageError } from './exit.js';
import { parseYaml, requireShallow } from './yaml.js';

const INDEX = 'model.safetensors.index.json';
const TOKENIZER = ['tokenizer.json', 'tokenizer_config.json', 'tokenizer.model', 'vocab.json', 'vocab.txt'];

/** What the files of a Hugging Face style folder say of the model. */
export interface HuggingFaceFacts {
  /** Parameters in the weights that are loaded; undefined without safetensors. */
  readonly parameters: number | undefined;
  /** Licence in the front matter of README.md. */
  readonly license: string | undefined;
  /** What is attached to the record. */
  readonly summary: Readonly<Record<string, unknown>>;
  /** Whether generation_config.json is there. */
  readonly decodes: boolean;
}

type Members = Readonly<Record<string, unknown>>;

/** Whether these names at the top of a folder are those of a Hugging Face style model. */
export function isHuggingFaceFolder(names: readonly string[]): boolean {
  return (
    names.includes('config.json') &&
    names.some((name) => name === INDEX || TOKENIZER.includes(name) || /^[^/]+\.safetensors$/.test(name))
  );
}

/**
 * Reads what a Hugging Face style folder says of its model; undefined when it is no such folder.
 * @param files as hashed: what is read is exactly that
 * @throws UsageError with the name of a file that is malformed or contradicts others; RecordError when a file changes meanwhile
 */
export async function readHuggingFace(folder: string, files: ModelFiles): Promise<HuggingFaceFacts | undefined> {
  const names = files.resources.map(({ name }) => name);
  if (!isHuggingFaceFolder(names)) return undefined;
  const bytesOf = async (name: string): Promise<Uint8Array | undefined> => {
    const resource = files.resources.find((known) => known.name === name);
    if (resource === undefined) return undefined;
    const bytes = new Uint8Array(await readFile(join(folder, name)));
    if (!equalBytes(new Uint8Array(createHash('sha256').update(bytes).digest()), resource.digest))
      throw new RecordError('manifest/changed', `${join(folder, name)} changed while it was hashed; hash it again`);
    return bytes;
  };
  const json = async (name: string): Promise<Members | undefined> => {
    const bytes = await bytesOf(name);
    return bytes === undefined ? undefined : parseObject(bytes, join(folder, name));
  };
  const config = (await json('config.json')) as Members;
  const generation = await json(GENERATION_CONFIG);
  const tokenizer = await json('tokenizer_config.json');
  await json('tokenizer.json');
  const index = await json(INDEX);
  const shards = index === undefined ? undefined : shardsOf(index, files, join(folder, INDEX));
  const loaded = shards ?? loadedWithoutIndex(names);
  const card = cardOf(await bytesOf('README.md'), join(folder, 'README.md'));
  const parameters = loaded.length === 0 ? undefined : countParameters(files, loaded);
  const summary = {
    model_type: config.model_type,
    architectures: config.architectures,
    dtype: config.dtype ?? config.torch_dtype,
    transformers_version: config.transformers_version,
    tokenizer_class: tokenizer?.tokenizer_class,
    parameters,
    weights: loaded,
    base_model: card.base_model,
    datasets: card.datasets,
    generation: generation === undefined ? undefined : generationParameters(generation),
  };
  return { parameters, license: licenseOf(card), summary, decodes: generation !== undefined };
}

/** A JSON object. @throws UsageError with the file's name */
function parseObject(bytes: Uint8Array, path: string): Members {
  let value: unknown;
  try {
    value = parseStrictJson(bytes);
    requireShallow(value);
  } catch (error) {
    throw new UsageError(`${path} is no JSON: ${(error as Error).message}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new UsageError(`${path} is no JSON object`);
  return value as Members;
}

/** The shards that an index names, each of which must hold the tensors that the index says. */
function shardsOf(index: Members, files: ModelFiles, path: string): string[] {
  const map = index.weight_map;
  if (typeof map !== 'object' || map === null || Array.isArray(map) || Object.keys(map).length === 0)
    throw new UsageError(`${path} has no weight_map that says where the tensors are`);
  const names = new Set(files.resources.map(({ name }) => name));
  const tensors = new Set(files.tensors.map(({ name }) => name));
  for (const [tensor, shard] of Object.entries(map)) {
    if (typeof shard !== 'string' || !shard.endsWith('.safetensors'))
      throw new UsageError(`${path} names no safetensors file for ${printable(tensor)}`);
    if (!names.has(shard)) throw new UsageError(`${path} names ${printable(shard)}, which is not there`);
    if (!tensors.has(`${shard}:${tensor}`))
      throw new UsageError(`${path} says that ${printable(tensor)} is in ${printable(shard)}, and it is not`);
  }
  return [...new Set(Object.values(map) as string[])].sort();
}

/** What is loaded when no index says it: the one file of that name, else every safetensors file at the top. */
function loadedWithoutIndex(names: readonly string[]): string[] {
  const top = names.filter((name) => /^[^/]+\.safetensors$/.test(name));
  return top.includes('model.safetensors') ? ['model.safetensors'] : top;
}

function countParameters(files: ModelFiles, loaded: readonly string[]): number {
  const prefixes = loaded.map((name) => `${name}:`);
  return files.tensors
    .filter(({ name }) => prefixes.some((prefix) => name.startsWith(prefix)))
    .reduce((sum, { shape }) => sum + shape.reduce((product, n) => product * n, 1), 0);
}

/** The front matter of a model card. @throws UsageError when it is there and no YAML */
function cardOf(bytes: Uint8Array | undefined, path: string): Members {
  const text = bytes === undefined ? '' : new TextDecoder().decode(bytes);
  const [, front] = /^---\r?\n([\s\S]*?)\r?\n---[ \t]*(?:\r?\n|$)/.exec(text) ?? [];
  if (front === undefined) return {};
  let value: unknown;
  try {
    value = parseYaml(front);
  } catch (error) {
    throw new UsageError(`the front matter of ${path} is no YAML: ${(error as Error).message}`);
  }
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Members) : {};
}

/** "other" says nothing; the card then has a name of its own for it. */
function licenseOf({ license, license_name: name }: Members): string | undefined {
  const said = license === 'other' && typeof name === 'string' ? [name] : [license].flat();
  const texts = said.filter((item): item is string => typeof item === 'string' && item !== '');
  return texts.length === 0 ? undefined : texts.join(', ');
}
