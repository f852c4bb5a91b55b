import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The built command. `npm test` builds it; so does `npx tsc -b`. */
export const COMMAND = fileURLToPath(new URL('../../apps/cli/bin/treering.js', import.meta.url));

/** What a process printed, and how it ended. */
export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What `treering up --json` prints when it is ready. */
interface Ready {
  readonly url: string;
  readonly origin: string;
  readonly vkey: string;
  readonly data: string;
  readonly witnesses: readonly unknown[];
  readonly monitor: unknown;
}

/** A log that runs as a process of its own. */
export interface RunningLog {
  /** Empty when it was started to print text. */
  readonly ready: Ready;
  /** What it has printed so far. */
  text(): string;
  /** Ends it with a signal and waits until it is gone. */
  stop(signal?: NodeJS.Signals): Promise<Outcome>;
}

/** A witness that runs as a process of its own. */
export interface RunningWitness {
  readonly ready: {
    readonly name: string;
    readonly url: string;
    readonly vkeys: readonly string[];
    readonly logs: readonly string[];
    readonly locked: string | null;
  };
  /** What it has printed so far. */
  text(): string;
  /** Ends it with a signal and waits until it is gone. */
  stop(signal?: NodeJS.Signals): Promise<Outcome>;
}

/** A recorder that runs as a process of its own. */
export interface RunningRecorder {
  readonly ready: { readonly url: string; readonly signer: string; readonly waiting: number; readonly refused: number };
  /** What it has printed so far. */
  text(): string;
  /** Ends it with a signal and waits until it is gone. */
  stop(signal?: NodeJS.Signals): Promise<Outcome>;
}

const cleanUps: (() => void)[] = [];
process.on('exit', () => {
  for (const cleanUp of cleanUps.reverse()) cleanUp();
});

/** A temporary folder with data, state and home of its own, in which the command runs as a process. */
export class Workplace {
  readonly folder: string;
  readonly env: Record<string, string>;

  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), 'treering-e2e-'));
    cleanUps.push(() => rmSync(this.folder, { recursive: true, force: true }));
    // What is set where the tests run must not decide what they see.
    const inherited = Object.entries(process.env).filter(
      ([name]) => !/^(TREERING_|NODE_|FORCE_COLOR|NO_COLOR|GIT_)/.test(name),
    );
    this.env = {
      ...(Object.fromEntries(inherited) as Record<string, string>),
      HOME: this.path('home'),
      TREERING_STATE: this.path('state'),
      TREERING_DATA: this.path('data'),
      TREERING_LISTEN: '127.0.0.1:0',
      GIT_CONFIG_GLOBAL: '/dev/null',
    };
    mkdirSync(this.path('home'));
  }

  path(...parts: string[]): string {
    return join(this.folder, ...parts);
  }

  /** Writes a file below the folder and returns its path. */
  write(name: string, content: string): string {
    mkdirSync(dirname(this.path(name)), { recursive: true });
    writeFileSync(this.path(name), content);
    return this.path(name);
  }

  /** Runs the command to its end. */
  run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
    return ended(this.#spawn(args, env));
  }

  /** Runs the command with --json, expects success, and returns its one line. */
  // biome-ignore lint/suspicious/noExplicitAny: results have many shapes
  async result(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<any> {
    const { code, stdout, stderr } = await this.run([...args, '--json'], env);
    if (code !== 0) throw new Error(`treering ${args.join(' ')} ended with ${code}: ${stdout}${stderr}`);
    return oneLine(stdout);
  }

  /**
   * Starts `treering up` and waits until it is ready. Throws with what it printed when it ends instead. The log runs alone, which
   * is one process instead of five, unless `neighbours` are wanted.
   * @param output 'text' starts it as a person would, without --json
   */
  async up(
    args: readonly string[] = [],
    env: Readonly<Record<string, string>> = {},
    output: 'json' | 'text' = 'json',
    neighbours = false,
  ): Promise<RunningLog> {
    const flags = [...(output === 'json' ? ['--json'] : []), ...(neighbours ? [] : ['--alone'])];
    const complete = output === 'json' ? /\n/ : /verify [^\n]*\n/;
    const started = await this.#start(['up', ...flags, ...args], env, complete);
    return { ...started, ready: (output === 'json' ? oneLine(started.first) : {}) as Ready };
  }

  /** Starts `treering witness serve` and waits until it is ready. Throws with what it printed when it ends instead. */
  async witness(args: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Promise<RunningWitness> {
    const started = await this.#start(['witness', 'serve', '--json', ...args], env, /\n/);
    return { ...started, ready: oneLine(started.first) as RunningWitness['ready'] };
  }

  /** Starts `treering recorder serve` and waits until it is ready. Throws with what it printed when it ends instead. */
  async recorder(args: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Promise<RunningRecorder> {
    const started = await this.#start(['recorder', 'serve', '--json', ...args], env, /\n/);
    return { ...started, ready: oneLine(started.first) as RunningRecorder['ready'] };
  }

  async #start(
    args: readonly string[],
    env: Readonly<Record<string, string>>,
    complete: RegExp,
  ): Promise<{ first: string; text(): string; stop(signal?: NodeJS.Signals): Promise<Outcome> }> {
    const child = this.#spawn(args, env);
    const end = ended(child);
    cleanUps.push(() => child.kill('SIGKILL'));
    let text = '';
    const first = await Promise.race([
      end,
      new Promise<string>((resolve) => {
        child.stdout?.on('data', (chunk: Buffer) => {
          text += chunk.toString('utf8');
          if (complete.test(text)) resolve(text);
        });
      }),
    ]);
    if (typeof first !== 'string')
      throw new Error(`treering ${args[0]} ended with ${first.code}: ${first.stdout}${first.stderr}`);
    return {
      first,
      text: () => text,
      stop(signal = 'SIGTERM') {
        child.kill(signal);
        return end;
      },
    };
  }

  #spawn(args: readonly string[], env: Readonly<Record<string, string>>): ChildProcess {
    return spawn(process.execPath, [COMMAND, ...args], {
      cwd: this.folder,
      env: { ...this.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }
}

/** JSON that is alone on exactly one line. */
export function oneLine(text: string): unknown {
  if (!/^[^\n]+\n$/.test(text)) throw new Error(`this is not one line: ${JSON.stringify(text)}`);
  return JSON.parse(text);
}

function ended(child: ChildProcess): Promise<Outcome> {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => err.push(chunk));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) =>
      resolve({ code, stdout: Buffer.concat(out).toString('utf8'), stderr: Buffer.concat(err).toString('utf8') }),
    );
  });
}
