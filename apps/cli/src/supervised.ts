import { type ChildProcess, spawn } from 'node:child_process';
import type { Streams } from './terminal.js';

/** A command of this program that could not be started as a process of its own. */
export class ChildFailure extends Error {
  override readonly name = 'ChildFailure';
  readonly exit: number;
  readonly code: string;

  constructor(exit: number, code: string, message: string) {
    super(message);
    this.exit = exit;
    this.code = code;
  }
}

/** What the line of JSON says with which a server of this program announces that it is ready. */
// biome-ignore lint/suspicious/noExplicitAny: each kind of server says something else
type Ready = any;

/** A server of this program that runs as a process of its own. */
export interface Supervised {
  readonly ready: Ready;
  /** Resolves when the process has ended. */
  readonly ended: Promise<number>;
  /** Asks it to end, and waits. */
  stop(): Promise<void>;
}

/** Milliseconds until a process that was asked to end is killed. */
const PATIENCE = 15_000;

/**
 * Starts a server of this program and waits until it is ready. It ends when this process does, however that ends.
 * @param label names it in front of what it writes to standard error
 * @throws ChildFailure with what it said when it ends instead
 */
export async function startServer(
  args: readonly string[],
  label: string,
  { stderr, env }: Pick<Streams, 'stderr' | 'env'>,
): Promise<Supervised> {
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1], ...args, '--json'], {
    // Not in the group of the terminal: Ctrl-C reaches this process, which ends them in order.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined)) as NodeJS.ProcessEnv,
  });
  const ended = new Promise<number>((resolve) => child.on('exit', (code) => resolve(code ?? 1)));
  const first = firstLine(child);
  const said = readLines(child, (line) => stderr.write(`${label}: ${line}\n`));
  const line = await Promise.race([first, ended.then(() => undefined)]);
  const ready = line === undefined ? undefined : (JSON.parse(line) as { error?: { code: string; message: string } });
  if (ready === undefined || ready.error !== undefined) {
    const exit = await ended;
    throw new ChildFailure(exit, ready?.error?.code ?? 'internal', ready?.error?.message ?? `${label}: ${said().join(' ')}`);
  }
  return {
    ready,
    ended,
    async stop() {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE);
      await ended;
      clearTimeout(timer);
    },
  };
}

/** The first line on standard output; undefined when there is none. */
function firstLine(child: ChildProcess): Promise<string | undefined> {
  return new Promise((resolve) => {
    let text = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
      if (text.includes('\n')) resolve(text.slice(0, text.indexOf('\n')));
    });
    child.stdout?.on('end', () => resolve(undefined));
  });
}

/** Passes on what it writes to standard error, but not its last words: whoever started it says them. */
function readLines(child: ChildProcess, pass: (line: string) => void): () => readonly string[] {
  const last: string[] = [];
  let rest = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString('utf8')).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line.startsWith('treering: ')) last.push(line.slice('treering: '.length));
      else pass(line);
    }
  });
  return () => last;
}
