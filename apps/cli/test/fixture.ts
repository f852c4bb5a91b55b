import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { initLog, parseConfig, type ServedLog, serveLog } from '@treering/log';
import { main } from '../src/main.js';

/** What a call printed, and how it ended. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Standard output as the one line of JSON that it must be. */
  // biome-ignore lint/suspicious/noExplicitAny: results have many shapes
  json(): any;
}

const folders: string[] = [];
process.on('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** How a call differs from the usual one. */
export interface CallOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Whether standard output and error are terminals. */
  readonly isTTY?: boolean;
}

/** A folder to work in, with a state folder of its own, and calls of the command in it. */
export class Desk {
  readonly folder: string;
  readonly env: Record<string, string | undefined>;

  constructor(env: Readonly<Record<string, string | undefined>> = {}) {
    this.folder = mkdtempSync(join(tmpdir(), 'treering-cli-'));
    folders.push(this.folder);
    this.env = { HOME: this.folder, TREERING_STATE: join(this.folder, '.state'), PATH: process.env.PATH, ...env };
  }

  path(...parts: string[]): string {
    return join(this.folder, ...parts);
  }

  /** Writes a file below the folder and returns its path. */
  write(name: string, content: string | Uint8Array, mode?: number): string {
    const path = this.path(name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content, mode === undefined ? {} : { mode });
    return path;
  }

  /** Calls the command in this process. */
  async call(args: readonly string[], options: CallOptions = {}): Promise<Outcome> {
    const out: string[] = [];
    const err: string[] = [];
    const stream = (lines: string[]) => ({ write: (text: string) => lines.push(text), isTTY: options.isTTY });
    const code = await main(args, {
      stdout: stream(out),
      stderr: stream(err),
      env: { ...this.env, ...options.env },
      cwd: options.cwd ?? this.folder,
    });
    const stdout = out.join('');
    return {
      code,
      stdout,
      stderr: err.join(''),
      json() {
        if (!/^[^\n]+\n$/.test(stdout)) throw new Error(`this is not one line: ${JSON.stringify(stdout)}`);
        return JSON.parse(stdout);
      },
    };
  }

  /** Calls the command with --json, expects success, and returns the result. */
  async result(args: readonly string[], options: CallOptions = {}) {
    const outcome = await this.call([...args, '--json'], options);
    if (outcome.code !== 0) throw new Error(`${args.join(' ')} ended with ${outcome.code}: ${outcome.stdout}${outcome.stderr}`);
    return outcome.json();
  }
}

/** A desk with a log that is served in this process. */
export type LogDesk = Desk & { readonly served: ServedLog; readonly data: string };

/** A served log with a desk whose environment names it. */
export async function deskWithLog(): Promise<LogDesk> {
  const desk = new Desk();
  const data = desk.path('data');
  await initLog(data, { origin: 'log.test/cli' });
  const served = await serveLog(parseConfig({ data, listen: '127.0.0.1:0', log_level: 'silent', publish_interval: 20 }));
  Object.assign(desk.env, { TREERING_DATA: data, TREERING_LOG_URL: served.url, TREERING_LOG_KEY: served.vkey });
  return Object.assign(desk, { served, data });
}
