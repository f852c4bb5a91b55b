import { realpath } from 'node:fs/promises';
import { isAbsolute, join, sep } from 'node:path';
import { RecorderError } from './errors.js';
import { shownSource } from './without-secrets.js';

/** Where the files are that a registry names by a URI. */
export interface SourceMapping {
  /** What the URI begins with, such as `mlflow-artifacts:/` or `file:///srv/mlartifacts/`. */
  readonly prefix: string;
  /** Absolute; the rest of the URI is put behind it, or in the place of a `*` in it. */
  readonly folder: string;
}

/** Reads `<uri prefix>=<folder>`. @throws RecorderError (recorder/config) */
export function parseMapping(text: string): SourceMapping {
  const at = text.indexOf('=');
  const [prefix, folder] = [text.slice(0, at), text.slice(at + 1)];
  if (at < 1 || !isAbsolute(folder) || folder.split('*').length > 2)
    throw new RecorderError(
      'recorder/config',
      `a mapping reads <uri prefix>=<absolute folder>, with at most one * in the folder, and not ${text}`,
    );
  return { prefix, folder };
}

/**
 * The folder of a source. It lies within the folder of the mapping, links followed.
 * @throws RecorderError (recorder/refused) for a source that no mapping is for, or that leads out of its folder; the error of the
 *   file system when there is no such folder
 */
export async function resolveSource(mappings: readonly SourceMapping[], source: string): Promise<string> {
  const refuse = (why: string): never => {
    throw new RecorderError('recorder/refused', `the source ${JSON.stringify(shownSource(source))} ${why}`);
  };
  const fitting = mappings.filter(
    ({ prefix }) => source === prefix || source.startsWith(prefix.endsWith('/') ? prefix : `${prefix}/`),
  );
  const [mapping] = fitting.sort((a, b) => b.prefix.length - a.prefix.length);
  if (mapping === undefined) return refuse('has no mapping (--map)');
  const { prefix, folder } = mapping;
  const hasScheme = /^[a-z][a-z0-9+.-]*:/i.test(source);
  if (hasScheme && /[?#]/.test(source)) return refuse('has a query or a fragment, which no folder has');
  const rest = source.slice(prefix.length).replace(/^\//, prefix.endsWith('/') ? '/' : '');
  // The whole store is no model; a mapping may be for a single one.
  if (rest === '' && prefix.endsWith('/')) return refuse('names no folder');
  const segments = (rest === '' ? [] : rest.replace(/\/$/, '').split('/')).map((segment) =>
    hasScheme ? decode(segment, refuse) : segment,
  );
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must be refused
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..' || /[\u0000-\u001f/\\]/.test(segment)))
    return refuse('does not lead into a folder straight');
  const [before, after] = folder.split('*');
  const root = await realpath(before);
  const found = await realpath(join(before, ...segments, after ?? ''));
  if (found !== root && !found.startsWith(root.endsWith(sep) ? root : root + sep))
    return refuse('leads out of the folder of its mapping');
  return found;
}

function decode(segment: string, refuse: (why: string) => never): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return refuse('is no URI');
  }
}
