import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { UsageError } from './exit.js';
import { parseYaml } from './yaml.js';

/** What DVC says of a file or folder, and whether the working copy is that. */
export interface DvcState {
  /** The `.dvc` file or the `dvc.lock` that tracks it. */
  readonly file: string;
  /** DVC's own identifier of the content, `<md5>` or `<md5>.dir`; undefined when it has recorded none. */
  readonly md5: string | undefined;
  /** True when the working copy is something else than what DVC has recorded. */
  readonly differs: boolean;
}

const md5 = z.string().regex(/^[0-9a-f]{32}(?:\.dir)?$/, 'must be an MD5 in hex');
const outSchema = z.looseObject({ path: z.string().min(1), md5: md5.optional() });
const outFile = z.looseObject({ wdir: z.string().optional(), outs: z.array(outSchema).min(1) });
const lockFile = z.looseObject({
  stages: z.record(z.string(), z.looseObject({ outs: z.array(outSchema).optional() })).optional(),
});

/** What DVC leaves out of every folder that it tracks. */
const NEVER_TRACKED = ['.git', '.hg', '.dvc'];

/**
 * What DVC says of a path that a `<path>.dvc` or a `dvc.lock` above it tracks, compared with the working copy; undefined when
 * neither does. MD5 is here what DVC calls a content by, and nothing else: it secures nothing, and no digest of a record is one.
 * @param path absolute, as it lies in the workspace: may be a link into DVC's cache
 * @throws UsageError when such a file is there and cannot be read
 */
export async function dvcState(path: string): Promise<DvcState | undefined> {
  const tracked = (await inOwnFile(path)) ?? (await inLockFile(path));
  if (tracked === undefined) return undefined;
  const { file, out } = tracked;
  return { file, md5: out.md5, differs: out.md5 === undefined || (await md5Of(path)) !== out.md5 };
}

interface Tracked {
  readonly file: string;
  readonly out: z.infer<typeof outSchema>;
}

async function inOwnFile(path: string): Promise<Tracked | undefined> {
  const file = `${path}.dvc`;
  if (!existsSync(file)) return undefined;
  const { outs, wdir } = await readYaml(file, outFile);
  const out = outs.find((candidate) => resolve(dirname(file), wdir ?? '.', candidate.path) === path);
  if (out === undefined) throw new UsageError(`${file} tracks ${outs.map((o) => o.path).join(', ')}, and not ${path}`);
  return { file, out };
}

/** The nearest `dvc.lock` that tracks a path, up to the root of the repository. */
async function inLockFile(path: string): Promise<Tracked | undefined> {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const file = join(folder, 'dvc.lock');
    if (existsSync(file)) {
      const { stages = {} } = await readYaml(file, lockFile);
      const outs = Object.values(stages).flatMap((stage) => stage.outs ?? []);
      const out = outs.find((candidate) => resolve(folder, candidate.path) === path);
      if (out !== undefined) return { file, out };
    }
    if (dirname(folder) === folder || existsSync(join(folder, '.dvc')) || existsSync(join(folder, '.git'))) return undefined;
  }
}

async function readYaml<T>(file: string, schema: z.ZodType<T>): Promise<T> {
  let value: unknown;
  try {
    // Every scalar is text: an MD5 may read like a number.
    value = parseYaml(await readFile(file, 'utf8'), 'failsafe');
  } catch (error) {
    throw new UsageError(`${file} is no YAML: ${(error as Error).message}`);
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [{ path, message }] = result.error.issues;
  throw new UsageError(`${file} is not as DVC writes it: ${path.join('.')} ${message}`);
}

/** The identifier that DVC gives a file, or a folder: there the MD5 of a list in JSON as Python writes it, and `.dir`. */
async function md5Of(path: string): Promise<string> {
  if (!(await stat(path)).isDirectory()) return md5OfFile(path);
  const names = (await filesOf(path, '')).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const items: string[] = [];
  for (const name of names)
    items.push(`{"md5": "${await md5OfFile(join(path, ...name.split('/')))}", "relpath": ${asciiJson(name)}}`);
  return `${createHash('md5')
    .update(`[${items.join(', ')}]`)
    .digest('hex')}.dir`;
}

async function md5OfFile(path: string): Promise<string> {
  const hash = createHash('md5');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

async function filesOf(root: string, folder: string): Promise<string[]> {
  const entries = await readdir(join(root, folder), { withFileTypes: true });
  const lists = entries
    .filter(({ name }) => !NEVER_TRACKED.includes(name))
    .map(async (entry) => {
      const name = folder === '' ? entry.name : `${folder}/${entry.name}`;
      return entry.isDirectory() ? filesOf(root, name) : [name];
    });
  return (await Promise.all(lists)).flat();
}

/** A string in JSON with nothing in it but printable ASCII. */
function asciiJson(text: string): string {
  return JSON.stringify(text).replace(/[^ -~]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
