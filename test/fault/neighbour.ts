import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const CHILD = fileURLToPath(new URL('neighbour-process.mjs', import.meta.url));
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A witness or a monitor that is served by a process of its own. */
export interface Neighbour {
  readonly url: string;
  readonly vkeys: readonly string[];
  readonly pid: number;
  /** Sends a signal, and waits for its end. */
  end(signal: NodeJS.Signals): Promise<void>;
}

/** Where it runs: a command in front of `node`, and the address on which it listens. */
export interface Place {
  readonly around?: readonly string[];
  readonly listen?: string;
}

/** Starts a witness that knows these logs (a `log` line each), and waits until it is ready. */
export function startWitness(
  data: string,
  { logs, ...settings }: { readonly name: string; readonly logs: readonly string[]; readonly connections?: number },
  { around = [], listen = '127.0.0.1:0' }: Place = {},
): Promise<Neighbour> {
  mkdirSync(data, { recursive: true });
  writeFileSync(join(data, 'logs.txt'), logs.map((vkey) => `log ${vkey}\n`).join(''));
  return start([...around], ['witness', JSON.stringify({ data, listen, ...settings })]);
}

/** Starts a monitor with these settings, and waits until it listens. */
export function startMonitor(
  data: string,
  settings: Readonly<Record<string, unknown>>,
  { around = [], listen = '127.0.0.1:0' }: Place = {},
): Promise<Neighbour> {
  mkdirSync(data, { recursive: true });
  // JSON is YAML.
  const given = { listen, log_level: 'fatal', ...settings };
  writeFileSync(join(data, 'monitor.yaml'), JSON.stringify(given));
  return start([...around], ['monitor', data]);
}

/** The policy of these witnesses, of which k must agree (https://c2sp.org/tlog-policy). */
export function policyText(witnesses: readonly Pick<Neighbour, 'url' | 'vkeys'>[], k: number): string {
  const lines = witnesses.map(({ url, vkeys }, i) => `witness w${i + 1} ${vkeys[0]} ${url}\n`).join('');
  return `${lines}group quorum-of-all ${k} ${witnesses.map((_, i) => `w${i + 1}`).join(' ')}\nquorum quorum-of-all\n`;
}

async function start(around: string[], args: string[]): Promise<Neighbour> {
  const [command, ...rest] = [...around, process.execPath, CHILD, ...args];
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
  running.add(child);
  const ended = once(child, 'close').then(() => running.delete(child));
  const lines = createInterface({ input: child.stdout });
  const line = await new Promise<string | undefined>((resolve) => {
    lines.once('line', resolve);
    lines.once('close', () => resolve(undefined));
  });
  if (line === undefined) throw new Error(`the ${args[0]} ended before it was ready`);
  const { pid, ...ready } = JSON.parse(line) as { url: string; vkeys: string[]; pid: number };
  return {
    ...ready,
    pid,
    async end(signal) {
      if (child.exitCode === null && child.signalCode === null) process.kill(pid, signal);
      await ended;
    },
  };
}
