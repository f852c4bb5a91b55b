import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { dataFolder } from '@treering/log';
import { createSigner, type LogTrust } from '@treering/note';
import { nodeEd25519, readKeyFile } from '@treering/note/node';
import { test } from 'uvu';

const CHILD = fileURLToPath(new URL('log-process.ts', import.meta.url));

/** Process ids of all that run, with what stands in front of them. */
const running = new Set<number>();

// A test that fails leaves its log behind, which would keep the test's own process from ending.
test.after(() => {
  for (const pid of running) process.kill(pid, 'SIGKILL');
});

/** How the process of a log is started. */
export interface StartOptions {
  /** A command and its arguments in front of `node`: strace, unshare, prlimit, faketime. */
  readonly around?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Runs what was built and not the sources: the process is ready in half the time. */
  readonly built?: boolean;
  /** Members of the log's configuration beside those that `log-process.ts` gives. */
  readonly config?: Readonly<Record<string, unknown>>;
}

/** How a process ended, and what it printed on its standard error. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly errors: string;
}

/** A log that is served by a process of its own. */
export interface LogChild {
  /** The outermost process: strace or what else stands in front. */
  readonly child: ChildProcess;
  readonly url: string;
  /** The process of the log itself. */
  readonly pid: number;
  /** Milliseconds from its start until it was ready. */
  readonly startTime: number;
  readonly ended: Promise<Ended>;
  /** Sends a signal to the log itself, and waits for its end. */
  end(signal: NodeJS.Signals): Promise<Ended>;
}

/** Spawns the process without waiting for anything. */
export function spawnLog(data: string, options: StartOptions = {}): { child: ChildProcess; ended: Promise<Ended> } {
  const { around = [], env = {}, built = false, config = {} } = options;
  const sources = built ? [] : ['--conditions=@treering/source'];
  const own = [process.execPath, ...sources, '--import', 'tsx', CHILD, data, JSON.stringify(config)];
  const [command, ...args] = [...around, ...own];
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString('utf8');
  });
  if (child.pid !== undefined) running.add(child.pid);
  const ended = new Promise<Ended>((resolve) => {
    child.once('close', (code, signal) => {
      if (child.pid !== undefined) running.delete(child.pid);
      resolve({ code, signal, errors });
    });
  });
  return { child, ended };
}

/**
 * Starts a log in the folder `data` and waits until it is ready.
 * @throws Error with what it printed, when it ends before
 */
export async function startLog(data: string, options: StartOptions = {}): Promise<LogChild> {
  const started = performance.now();
  const { child, ended } = spawnLog(data, options);
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  const line = await new Promise<string | undefined>((resolve) => {
    lines.once('line', resolve);
    lines.once('close', () => resolve(undefined));
  });
  if (line === undefined) {
    const { code, signal, errors } = await ended;
    throw new Error(`the log ended with ${code ?? signal} before it was ready: ${errors}`);
  }
  const { url, pid } = JSON.parse(line) as { url: string; pid: number };
  running.add(pid);
  void ended.then(() => running.delete(pid));
  const end = (signal: NodeJS.Signals): Promise<Ended> => {
    if (child.exitCode === null && child.signalCode === null) process.kill(pid, signal);
    return ended;
  };
  return { child, url, pid, startTime: performance.now() - started, ended, end };
}

/** What heads of the log in a folder are checked against: the public half of its key file. */
export async function trustOf(data: string, origin: string): Promise<LogTrust> {
  const key = await readKeyFile(dataFolder(data).logKey);
  return { origin, logKeys: [createSigner(key.name, key.type, key.seed, nodeEd25519).key] };
}
