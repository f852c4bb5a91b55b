import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Which of the repository's test files a run takes. */
export interface Selection {
  /** Leave out what is slow: end to end, faults, fuzz and the documents. */
  readonly quick: boolean;
  /** Only faults and fuzz, at their full size: under an hour. */
  readonly faults: boolean;
  /** The same for many hours. */
  readonly soak: boolean;
  /** Substrings of paths; empty takes all files. */
  readonly patterns: readonly string[];
}

/** The command line or a pattern is wrong: nothing was run. */
export class SelectionError extends Error {
  override readonly name = 'SelectionError';
}

const OPTIONS = ['--quick', '--faults', '--soak'];

/**
 * Reads `[--quick|--faults|--soak] [pattern...]`.
 * @throws SelectionError on any other option and when several are given.
 */
export function parseSelection(args: readonly string[]): Selection {
  const options = args.filter((arg) => arg.startsWith('-'));
  const unknown = options.find((option) => !OPTIONS.includes(option));
  if (unknown !== undefined) throw new SelectionError(`unknown option ${unknown}: use ${OPTIONS.join(', ')}`);
  if (new Set(options).size > 1) throw new SelectionError(`${options.join(' and ')} take different files: use one of them`);
  const [quick, faults, soak] = OPTIONS.map((option) => options.includes(option));
  return { quick, faults, soak, patterns: args.filter((arg) => !arg.startsWith('-')) };
}

/**
 * The test files under `root` that a selection takes, as sorted paths relative to `root` with forward slashes.
 * @throws SelectionError when a pattern matches none of them, or when there is none.
 */
export function selectTestFiles(root: string, selection: Selection): string[] {
  const files = allTestFiles(root).filter((file) => isTaken(file, selection));
  for (const pattern of selection.patterns) {
    if (!files.some((file) => file.includes(pattern))) throw new SelectionError(`no test file matches '${pattern}'`);
  }
  if (files.length === 0) throw new SelectionError('there is no test file to run');
  if (selection.patterns.length === 0) return files;
  return files.filter((file) => selection.patterns.some((pattern) => file.includes(pattern)));
}

function isTaken(file: string, { quick, faults, soak }: Selection): boolean {
  if (faults || soak) return /^test\/(fault|fuzz)\//.test(file);
  return !(quick && /^test\/(e2e\/|fault\/|fuzz\/|docs\/)/.test(file));
}

function allTestFiles(root: string): string[] {
  const folders = ['packages', 'apps'].flatMap((parent) =>
    readdirSync(join(root, parent), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => `${parent}/${entry.name}/test`),
  );
  return [...folders, 'test'].flatMap((folder) => testFilesBelow(root, folder)).sort();
}

function testFilesBelow(root: string, folder: string): string[] {
  return entriesOf(join(root, folder)).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return entry.name === 'node_modules' || entry.name === 'dist' ? [] : testFilesBelow(root, path);
    return entry.name.endsWith('.test.ts') ? [path] : [];
  });
}

/** A package without a test folder has no test files. */
function entriesOf(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
