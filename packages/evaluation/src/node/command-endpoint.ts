import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { PassThrough } from 'node:stream';
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

/** Bytes of one line of an answer at most, and milliseconds until a command that was asked to end is killed. */
const MOST_LINE = 1024 * 1024;
const PATIENCE = 2_000;

interface Waiting {
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

/**
 * A command that runs for all examples: it reads a line of JSON for each, {"id", "input"}, from its standard input, and answers each
 * with a line {"id", "prediction"}, in any order. What it writes to standard error is the user's to see.
 * @param command the program and its arguments; no shell reads them
 */
export function commandEndpoint(command: readonly string[], { cwd, env, reading = {} }: CommandOptions): Endpoint {
  const [program, ...args] = command;
  if (program === undefined) throw new EvaluationError('evaluation/endpoint', 'a command has a name');
  const child = spawn(program, args, { cwd, env: env as NodeJS.ProcessEnv, stdio: ['pipe', 'pipe', 'inherit'] });
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
      child.kill('SIGKILL');
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
      child.kill('SIGKILL');
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
      child.kill('SIGTERM');
      const kill = setTimeout(() => child.kill('SIGKILL'), PATIENCE);
      await gone;
      clearTimeout(kill);
    },
  };
}

function unanswered(what: string): EvaluationError {
  return new EvaluationError('evaluation/unanswered', what);
}
