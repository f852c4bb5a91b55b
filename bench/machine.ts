import { execFileSync } from 'node:child_process';
import { arch, availableParallelism, cpus, release, totalmem, type } from 'node:os';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Where figures were measured. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memory: string;
  readonly node: string;
  readonly os: string;
}

/** The machine that this runs on. */
export function thisMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    node: process.version,
    os: `${type()} ${release()} ${arch()}`,
  };
}

/** A machine in one line. */
export function machineText({ cpu, cores, memory, node, os }: Machine): string {
  return `${cpu}, ${cores} cores, ${memory}, Node ${node.slice(1)}, ${os}`;
}

/**
 * The commit that is measured: the start of its hash, with a + when the working tree has changes.
 * @param own paths, relative to the repository, that a run itself writes: they are no change
 */
export function thisCommit(own: readonly string[]): string {
  const git = (...args: string[]): string => execFileSync('git', args, { cwd: ROOT, encoding: 'utf8', stdio: 'pipe' }).trim();
  try {
    const changed = git('status', '--porcelain', '--', '.', ...own.map((path) => `:!${path}`)) !== '';
    return `${git('rev-parse', '--short=12', 'HEAD')}${changed ? '+' : ''}`;
  } catch {
    return 'unknown';
  }
}
