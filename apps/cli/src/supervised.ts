import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as setTimeoutPromise } from 'node:timers/promises';
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

/** A server of this program in a process of its own, ready or not. */
export interface Running {
  readonly label: string;
  /** Resolves when the process has ended. */
  readonly ended: Promise<number>;
  /** Asks it to end, and waits. */
  stop(): Promise<void>;
}

/** A server of this program that runs as a process of its own. */
export interface Supervised extends Running {
  readonly ready: Ready;
}

/** A server of this program that begins. */
export interface Launched extends Running {
  /** Resolves when it is ready; rejects with a ChildFailure when it ends instead. */
  readonly ready: Promise<Ready>;
}

/** Milliseconds until a process that was asked to end is killed, and one that could not start. */
const PATIENCE = 15_000;
const PATIENCE_AFTER_FAILURE = 3_000;
/** Milliseconds before the first and at most before a later try to start a server again. */
const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 60_000;
/** A server that ran for so many milliseconds has recovered: the next end is a new one. */
const RECOVERED = 60_000;

/**
 * Starts a server of this program. It ends when this process does, however that ends.
 * @param label names it in front of what it writes to standard error
 * @param listen where it is told to listen, for the message when it cannot
 */
export function launchServer(
  args: readonly string[],
  label: string,
  listen: string,
  { stderr, env }: Pick<Streams, 'stderr' | 'env'>,
): Launched {
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1], ...args, '--json'], {
    // Not in the group of the terminal: Ctrl-C reaches this process, which ends them in order.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined)) as NodeJS.ProcessEnv,
  });
  const ended = new Promise<number>((resolve) => {
    child.on('exit', (code) => resolve(code ?? 1));
    child.on('error', () => child.pid === undefined && resolve(1));
  });
  const said = readLines(child, (line) => stderr.write(`${label}: ${line}\n`));
  const first = firstLine(child);
  const begin = async (): Promise<Ready> => {
    const line = await Promise.race([first, ended.then(() => undefined)]);
    const ready = line === undefined ? undefined : (JSON.parse(line) as { error?: { code: string; message: string } });
    if (ready !== undefined && ready.error === undefined) return ready;
    const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_AFTER_FAILURE);
    const exit = await ended;
    clearTimeout(timer);
    const words = said().join(' ');
    const cause = ready?.error?.message ?? (words === '' ? `it ended with code ${exit}` : words);
    throw new ChildFailure(
      exit === 0 ? 1 : exit,
      ready?.error?.code ?? 'internal',
      `${label} does not start at ${listen}: ${cause}`,
    );
  };
  return {
    label,
    ready: begin(),
    ended,
    async stop() {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE);
      await ended;
      clearTimeout(timer);
    },
  };
}

/** How a server is kept up. */
export interface Keeping {
  readonly start: () => Promise<Supervised>;
  /** Gets the one that runs instead. */
  readonly replace: (again: Supervised) => void;
  readonly say: (text: string) => void;
  /** Ends it. */
  readonly signal: AbortSignal;
  readonly wait?: (milliseconds: number) => Promise<void>;
  /** Milliseconds. */
  readonly clock?: () => number;
}

/** Starts a server again whenever it ends by itself: after longer and longer pauses, and each cause is said once. */
export async function keepUp(server: Supervised, keeping: Keeping): Promise<void> {
  const { start, replace, say, signal, clock = () => performance.now() } = keeping;
  const { wait = (milliseconds) => setTimeoutPromise(milliseconds, undefined, { signal }).catch(() => undefined) } = keeping;
  const said = new Set<string>();
  const sayOnce = (text: string): void => {
    if (!said.has(text)) say(text);
    said.add(text);
  };
  let tries = 0;
  for (let current: Supervised | undefined = server; !signal.aborted; ) {
    if (current !== undefined) {
      const since = clock();
      const code: number = await current.ended;
      if (signal.aborted) return;
      if (clock() - since >= RECOVERED) {
        tries = 0;
        said.clear();
      }
      sayOnce(`${server.label} ended with code ${code}; it is started again.`);
    }
    await wait(Math.min(FIRST_PAUSE * 2 ** tries++, LONGEST_PAUSE));
    if (signal.aborted) return;
    current = await start().catch((error: Error) => {
      if (!signal.aborted) sayOnce(`${error.message}; it is tried again.`);
      return undefined;
    });
    if (current !== undefined) replace(current);
  }
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
