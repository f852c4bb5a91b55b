import { readFile, realpath } from 'node:fs/promises';
import type { Difference } from '@treering/deployment';
import { printable } from '@treering/record';
import { filesOf, visibleProcesses } from './process-files.js';

/** What was found of processes beside the targets. */
export interface Unlogged {
  readonly differences: readonly Difference[];
  /** What nobody looked at, in words. */
  readonly unseen: readonly string[];
}

/** Files of one process that are named. */
const MOST_FILES = 3;

/**
 * Processes that have files below the watched folders open, and belong to no target: somebody started them without asking.
 * @param known the processes of the targets; what they started belongs to them
 */
export async function findUnlogged(watch: readonly string[], known: readonly number[]): Promise<Unlogged> {
  if (watch.length === 0) return { differences: [], unseen: [] };
  const folders = await Promise.all(watch.map((path) => realpath(path).catch(() => undefined)));
  const missing = watch.filter((_, i) => folders[i] === undefined);
  const below = folders.filter((path) => path !== undefined);
  const differences: Difference[] = [];
  let hidden = 0;
  for (const { pid, command } of await visibleProcesses()) {
    if (pid === process.pid || (await descends(pid, known))) continue;
    const files = await filesOf(pid, below);
    if (files === undefined) hidden++;
    if (files === undefined || files.length === 0) continue;
    const names = files.slice(0, MOST_FILES).map(({ path }) => printable(path));
    const text = `process ${pid} (${printable(command.slice(0, 200))}) has ${names.join(', ')} open, and no deployment in the log says that it may`;
    differences.push({ kind: 'not-logged', text });
  }
  return {
    differences,
    unseen: [
      ...missing.map((path) => `${printable(path)}, which is not there`),
      ...(hidden === 0 ? [] : [`${hidden} processes that do not show their files to this user`]),
    ],
  };
}

async function descends(pid: number, ancestors: readonly number[]): Promise<boolean> {
  for (let at = pid; at > 1; at = await parentOf(at)) if (ancestors.includes(at)) return true;
  return false;
}

async function parentOf(pid: number): Promise<number> {
  // pid (name, which may hold anything) state parent ...
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return Number(/\) \S (\d+)/.exec(text.slice(text.lastIndexOf(')')))?.[1] ?? 0);
}
