import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { PassThrough } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import type { Endpoint } from '../ask.js';
import type { Answer } from '../dataset.js';
import { EvaluationError } from '../errors.js';
import { predictionIn, type Reading } from '../mapping.js';

/** How a command is run. */
export interface CommandOptions {
  readonly cwd: string;
  /** All that it sees of the environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly reading?: Reading;
}

/** Bytes of one line of an answer at most. */
const MOST_LINE = 1024 * 1024;
/** Milliseconds until a command that was asked to end is killed, and until one that was killed is not waited for any more. */
const PATIENCE = 2_000;
const LAST_PATIENCE = 1_000;
/** What ends this process ends the command as well, which in a group of its own is not told otherwise. */
const ENDINGS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

interface Waiting {
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

/**
 * A command that runs for all examples: it reads a line of JSON for each, {"id", "input"}, from its standard input, and answers each
 * with a line {"id", "prediction"}, in any order. What it writes to standard error is the user's to see. It runs in a process group of
 * its own, which is ended as a whole: what the command has started does not outlive the questions.
 * @param command the program and its arguments; no shell reads them
 */
export function commandEndpoint(command: readonly string[], { cwd, env, reading = {} }: CommandOptions): Endpoint {
  const [program, ...args] = command;
  if (program === undefined) throw new EvaluationError('evaluation/endpoint', 'a command has a name');
  const child = spawn(program, args, {
    cwd,
    env: env as NodeJS.ProcessEnv,
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
  });
  const kill = (signal: NodeJS.Signals): void => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, signal);
    } catch {
      // The group is gone, or this platform has none.
      child.kill(signal);
    }
  };
  const forget = endWithProcess(kill);
  const waiting = new Map<string, Waiting>();
  let over: string | undefined;
  const end = (why: string): void => {
    over ??= why;
    for (const { reject } of waiting.values()) reject(unanswered(over));
    waiting.clear();
  };
  const gone = new Promise<void>((resolve) => {
    child.once('error', () => {
      end('the command cannot be started');
      resolve();
    });
    child.once('close', () => {
      end('the command ended');
      resolve();
    });
  });
  child.stdin.on('error', () => end('the command takes no input'));
  const lines = new PassThrough();
  let length = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    const last = chunk.lastIndexOf(0x0a);
    length = last < 0 ? length + chunk.length : chunk.length - last;
    if (length <= MOST_LINE && chunk.length - last <= MOST_LINE) lines.write(chunk);
    else {
      end(`the command wrote a line longer than ${MOST_LINE} bytes`);
      kill('SIGKILL');
    }
  });
  createInterface({ input: lines }).on('line', (line) => {
    try {
      const answer = JSON.parse(line) as { id?: unknown } | null;
      const asked = waiting.get(String(answer?.id));
      if (asked === undefined) return;
      waiting.delete(String(answer?.id));
      try {
        asked.resolve(predictionIn(answer, '/prediction', reading));
      } catch (error) {
        asked.reject(error as Error);
      }
    } catch {
      end('the command wrote a line that is no JSON');
      kill('SIGKILL');
    }
  });
  return {
    kind: 'command',
    ask: ({ id, input }, signal) =>
      new Promise((resolve, reject) => {
        if (over !== undefined) return reject(unanswered(over));
        waiting.set(id, { resolve, reject });
        signal.addEventListener('abort', () => {
          if (waiting.delete(id)) reject(unanswered('the command did not answer in time'));
        });
        child.stdin.write(`${JSON.stringify({ id, input })}\n`);
      }),
    async close() {
      child.stdin.end();
      kill('SIGTERM');
      await Promise.race([gone, pause(PATIENCE, undefined, { ref: false })]);
      // What the command has started may be left when the command is gone.
      kill('SIGKILL');
      await Promise.race([gone, pause(LAST_PATIENCE, undefined, { ref: false })]);
      // Whoever left the group and keeps the output open is not waited for.
      child.stdout.destroy();
      child.unref();
      forget();
    },
  };
}

/**
 * Ends a command when this process ends, however that is brought about. A signal that nobody else listens to still ends this process.
 * @returns what takes that back
 */
function endWithProcess(kill: (signal: NodeJS.Signals) => void): () => void {
  const onExit = (): void => kill('SIGKILL');
  const onSignal = (signal: NodeJS.Signals): void => {
    if (process.listenerCount(signal) > 1) return;
    kill('SIGKILL');
    forget();
    process.kill(process.pid, signal);
  };
  const forget = (): void => {
    process.off('exit', onExit);
    for (const signal of ENDINGS) process.off(signal, onSignal);
  };
  process.once('exit', onExit);
  for (const signal of ENDINGS) process.on(signal, onSignal);
  return forget;
}

function unanswered(what: string): EvaluationError {
  return new EvaluationError('evaluation/unanswered', what);
}
