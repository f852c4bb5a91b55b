import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { nearest } from '@treering/log/config';
import { dataFolder } from '@treering/log/data-folder';
import { z } from 'zod';
import { UsageError } from './exit.js';
import { parseYaml } from './yaml.js';

/** The project file: where the log is, and what is trusted about it. */
export const SETTINGS_FILE = 'treering.yaml';

const fileSchema = z.strictObject({
  log_url: z.url({ protocol: /^https?$/ }).optional(),
  log_key: z.string().optional(),
  key: z.string().optional(),
  data: z.string().optional(),
  trust: z.string().optional(),
});

/** Options of the command line that every command knows. */
export interface CommonFlags {
  readonly json?: boolean;
  readonly url?: string;
  readonly logKey?: string;
  readonly key?: string;
  readonly data?: string;
}

/** Flags, then environment, then the project file, then defaults. */
export interface Settings {
  readonly url: string;
  readonly data: string;
  /** The log's verifier key, from the user's own machine, never from the log. */
  logKey(): string;
  /** The user's key file. */
  keyFile(): string;
  /** The environment variable that holds the user's key, if one does. */
  keyVariable(): string | undefined;
  /** The user's trust policy, rather the one that is given; undefined when there is none. */
  trustFile(given?: string): string | undefined;
}

/**
 * Resolves the settings of one call.
 * @throws UsageError for a project file with unknown or malformed members
 */
export function resolveSettings(flags: CommonFlags, env: Readonly<Record<string, string | undefined>>, cwd: string): Settings {
  const { file, folder } = readProjectFile(cwd);
  const inFolder = (path: string | undefined): string | undefined =>
    path === undefined || !isPath(path) ? path : resolve(folder, path);
  const data = resolve(cwd, flags.data ?? env.TREERING_DATA ?? inFolder(file.data) ?? 'data');
  const url = flags.url ?? env.TREERING_LOG_URL ?? file.log_url ?? localUrl(data);
  if (!/^https?:\/\/[^\s]+$/.test(url) || !URL.canParse(url))
    throw new UsageError(`${url} is no URL of a log; it begins with http:// or https://`);
  return {
    url,
    data,
    logKey() {
      const given = flags.logKey ?? env.TREERING_LOG_KEY ?? file.log_key;
      if (given !== undefined) return given;
      const local = join(data, 'log.vkey');
      if (existsSync(local)) return readFileSync(local, 'utf8').trim();
      throw new UsageError(
        `no key of the log is known: give --log-key <vkey>, set TREERING_LOG_KEY, or write ${SETTINGS_FILE} with "treering init"; take the key from the log's operator, not from the log`,
      );
    },
    keyVariable() {
      const given = flags.key ?? env.TREERING_KEY ?? file.key;
      return given?.startsWith('env:') ? given.slice('env:'.length) : undefined;
    },
    trustFile(given) {
      const named = given ?? env.TREERING_TRUST;
      if (named !== undefined) return resolve(cwd, named);
      const local = join(data, 'witness-policy.txt');
      return inFolder(file.trust) ?? (existsSync(local) ? local : undefined);
    },
    keyFile() {
      const given = flags.key ?? env.TREERING_KEY ?? inFolder(file.key);
      if (given !== undefined) return isPath(given) ? resolve(cwd, given) : given;
      const local = dataFolder(data).adminKey;
      if (existsSync(local)) return local;
      throw new UsageError('no key to sign with: give --key <file> or set TREERING_KEY; "treering keygen" makes one');
    },
  };
}

/** A key is in a file unless its place is named in another way (see @treering/keys). */
function isPath(reference: string): boolean {
  return !/^(?:env|pkcs11):/.test(reference);
}

/** The URL at which a log on this machine was last open. */
function localUrl(data: string): string {
  const path = join(data, 'log.url');
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : 'http://127.0.0.1:6962';
}

/** The nearest project file, in this folder or one above. */
function readProjectFile(cwd: string): { file: z.infer<typeof fileSchema>; folder: string } {
  for (let folder = cwd; ; folder = dirname(folder)) {
    const path = join(folder, SETTINGS_FILE);
    if (existsSync(path)) {
      let value: unknown;
      try {
        value = parseYaml(readFileSync(path, 'utf8'));
      } catch (error) {
        throw new UsageError(`${path} is no YAML: ${(error as Error).message}`);
      }
      const known = Object.keys(fileSchema.shape);
      for (const key of Object.keys((value ?? {}) as object)) {
        if (!known.includes(key))
          throw new UsageError(`${path}: there is no setting "${key}"; did you mean "${nearest(key, known)}"?`);
      }
      const result = fileSchema.safeParse(value ?? {});
      if (!result.success)
        throw new UsageError(`${path}: ${result.error.issues[0].path.join('.')} ${result.error.issues[0].message}`);
      return { file: result.data, folder };
    }
    if (dirname(folder) === folder) return { file: {}, folder: cwd };
  }
}
