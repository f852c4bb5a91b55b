import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';

/** What changes files, or opens them. */
const CHANGING = [
  ...['open', 'openat', 'creat', 'write', 'writev', 'pwrite64', 'pwritev', 'pwritev2', 'fsync', 'fdatasync', 'sync_file_range'],
  ...['rename', 'renameat', 'renameat2', 'ftruncate', 'truncate', 'fallocate', 'unlink', 'unlinkat', 'link', 'linkat'],
];

/** One call of the kernel, as it can be pointed at in another run of the same. */
export interface SystemCall {
  readonly name: string;
  /** The file that it is for. */
  readonly path: string;
  /** Counts the calls of that name for that file, from 1. */
  readonly nth: number;
}

/** What is done to a call: it fails, and nothing of it is done; or the process is killed where it begins. */
export type Fault = 'EIO' | 'ENOSPC' | 'SIGKILL';

/** strace while it is attached to a running process, with all its threads. */
interface Attached {
  /** Lets go of the process, which goes on. Returns what strace wrote. */
  detach(): Promise<string>;
}

async function attach(pid: number, output: string, args: readonly string[]): Promise<Attached> {
  const strace = spawn('strace', ['-f', '-y', '-o', output, ...args, '-p', String(pid)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = once(strace, 'close');
  let said = '';
  await new Promise<void>((resolve, reject) => {
    strace.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString('utf8');
      if (/ attached/.test(said)) resolve();
    });
    void ended.then(() => reject(new Error(`strace cannot attach: ${said}`)));
  });
  return {
    async detach() {
      strace.kill('SIGINT');
      await ended;
      return readFileSync(output, 'utf8');
    },
  };
}

/**
 * The calls with which a process changes or opens files below `folder` while `work` is done, in their order.
 * @param output a file for what strace writes
 */
export async function callsDuring(
  pid: number,
  folder: string,
  output: string,
  work: () => Promise<void>,
): Promise<SystemCall[]> {
  const strace = await attach(pid, output, ['-e', `trace=${CHANGING.join(',')}`]);
  await work();
  return parseCalls(await strace.detach(), folder);
}

/** The same of a command with one thread, from its start to its end, which must be a success. */
export function callsOf(command: readonly string[], folder: string, output: string): SystemCall[] {
  execFileSync('strace', ['-y', '-o', output, '-e', `trace=${CHANGING.join(',')}`, ...command]);
  return parseCalls(readFileSync(output, 'utf8'), folder);
}

/** Runs such a command with a fault at one of its calls. @returns its exit code; null when it was killed */
export function runWithFault(command: readonly string[], call: SystemCall, fault: Fault, output: string): number | null {
  const { status, signal, stderr } = spawnSync('strace', ['-o', output, ...injection(call, fault), ...command]);
  if (!INJECTED.test(readFileSync(output, 'utf8'))) throw new Error(`the call was not made: ${stderr}`);
  return signal === null ? status : null;
}

/** Reads what `strace -y` wrote, with `-f` or without: a call stands where it began. */
function parseCalls(text: string, folder: string): SystemCall[] {
  const counts = new Map<string, number>();
  return text.split('\n').flatMap((line) => {
    const call = /^(?:\d+ +)?([a-z0-9_]+)\((.*)$/.exec(line);
    if (call === null) return [];
    const [, name, args] = call;
    // A file is the descriptor that comes first, `35</a/file>`, or the first path in quotes.
    const path = /^\d+<([^>]*)>/.exec(args)?.[1] ?? /"([^"]*)"/.exec(args)?.[1] ?? '';
    if (!path.startsWith(`${folder}/`)) return [];
    const nth = (counts.get(`${name} ${path}`) ?? 0) + 1;
    counts.set(`${name} ${path}`, nth);
    return [{ name, path, nth }];
  });
}

const INJECTED = /\(INJECTED\)|killed by SIGKILL/;

function injection({ name, path, nth }: SystemCall, fault: Fault): string[] {
  const what = fault === 'SIGKILL' ? 'signal=KILL' : `error=${fault}`;
  return ['-P', path, '-e', `trace=${name}`, '-e', `inject=${name}:${what}:when=${nth}`];
}

/** Has the kernel do `fault` to one call that a running process will make. Only calls from now on are counted. */
export async function injectFault(
  pid: number,
  call: SystemCall,
  fault: Fault,
  output: string,
): Promise<{ detach(): Promise<{ readonly injected: boolean }> }> {
  const strace = await attach(pid, output, injection(call, fault));
  return { detach: async () => ({ injected: INJECTED.test(await strace.detach()) }) };
}
