import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Unavailable } from '../benchmark.js';

const GO_PROGRAM = fileURLToPath(new URL('go', import.meta.url));
const C_PROGRAM = fileURLToPath(new URL('c/sha-ni-tree.c', import.meta.url));
/** Where Go is installed when it is not on the PATH. */
const GO_FOLDER = '/usr/local/go/bin';

/** What a program that builds a tree prints. */
export interface BuiltTree {
  readonly seconds: number;
  /** Hex */
  readonly root: string;
  /** 0 where nothing tells. */
  readonly peakKiB: number;
}

/**
 * Builds a tree of `leaves` leaf hashes with a library of Go, on one core.
 * @throws Unavailable without Go, or when its modules cannot be had
 */
export function buildWithGo(library: 'tlog' | 'transparency-dev', leaves: number): BuiltTree {
  const go = findCommand('go', GO_FOLDER);
  if (go === undefined) throw new Unavailable('there is no Go here');
  return inFolder((folder) => {
    const program = join(folder, 'rivals');
    const env = { ...process.env, GOTOOLCHAIN: 'local', GOFLAGS: '-buildvcs=false' };
    compile(go, ['build', '-o', program, '.'], { cwd: GO_PROGRAM, env });
    return run(program, [library, String(leaves)]);
  });
}

/**
 * Builds a tree of `leaves` leaf hashes with the SHA instructions of the processor, on one core: what the hardware allows.
 * @throws Unavailable without a C compiler or without these instructions
 */
export function buildWithShaInstructions(leaves: number): BuiltTree {
  if (!processorFlags().includes('sha_ni')) throw new Unavailable('the processor has no SHA instructions (sha_ni)');
  const compiler = findCommand('cc') ?? findCommand('gcc');
  if (compiler === undefined) throw new Unavailable('there is no C compiler here');
  return inFolder((folder) => {
    const program = join(folder, 'sha-ni-tree');
    compile(compiler, ['-O3', '-msha', '-msse4.1', '-o', program, C_PROGRAM], {});
    return run(program, [String(leaves)]);
  });
}

function inFolder<T>(work: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'treering-bench-'));
  try {
    return work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function compile(command: string, args: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv }): void {
  try {
    execFileSync(command, args, { ...options, stdio: ['ignore', 'ignore', 'pipe'] });
  } catch (error) {
    const said = String((error as { stderr?: Buffer }).stderr ?? error)
      .trim()
      .split('\n')
      .at(-1);
    throw new Unavailable(`it could not be built: ${said}`);
  }
}

function run(program: string, args: readonly string[]): BuiltTree {
  const env = { ...process.env, GOMAXPROCS: '1' };
  return JSON.parse(execFileSync(program, args, { encoding: 'utf8', env })) as BuiltTree;
}

function findCommand(name: string, ...more: readonly string[]): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...more];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** What Linux says of the processor; nothing elsewhere. */
function processorFlags(): readonly string[] {
  if (!existsSync('/proc/cpuinfo')) return [];
  return /^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1].split(' ') ?? [];
}
