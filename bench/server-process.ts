import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const TREERING = fileURLToPath(new URL('../apps/cli/bin/treering.js', import.meta.url));
const SERVER = fileURLToPath(new URL('server.ts', import.meta.url));
/** Milliseconds of a tick in /proc/<pid>/stat: USER_HZ is 100 on every Linux that Node runs on. */
const TICK = 10;

/** A server in a process of its own. */
export interface ServerProcess {
  readonly url: string;
  /** Milliseconds of processor time that it has used, or undefined where nothing tells (no /proc). */
  cpu(): number | undefined;
  /** Bytes of memory that it holds now, or undefined where nothing tells. */
  memory(): number | undefined;
}

/** Works with the log in the folder `data`, served by the built command as an operator starts it. */
export function withLogServer<T>(
  data: string,
  work: (server: ServerProcess) => Promise<T>,
  flags: readonly string[] = [],
): Promise<T> {
  const args = [
    TREERING,
    'log',
    'serve',
    '--json',
    '--data',
    data,
    '--listen',
    '127.0.0.1:0',
    '--log-level',
    'error',
    ...flags,
  ];
  return withProcess(args, (line) => (JSON.parse(line) as { url: string }).url, work);
}

/** Works with a server of server.ts, which prints its URL. */
export function withRivalServer<T>(args: readonly string[], work: (server: ServerProcess) => Promise<T>): Promise<T> {
  return withProcess([...process.execArgv, SERVER, ...args], (line) => line, work);
}

async function withProcess<T>(
  args: readonly string[],
  urlOf: (firstOutput: string) => string,
  work: (server: ServerProcess) => Promise<T>,
): Promise<T> {
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  try {
    const [line] = await Promise.race([once(child.stdout, 'data'), ended.then(() => [])]);
    if (line === undefined) throw new Error('the server did not start');
    child.stdout.resume();
    const url = urlOf(String(line).trim());
    const proc = `/proc/${child.pid}`;
    return await work({ url, cpu: () => cpuOf(proc), memory: () => memoryOf(proc) });
  } finally {
    child.kill('SIGTERM');
    await ended;
  }
}

function cpuOf(proc: string): number | undefined {
  if (!existsSync(proc)) return undefined;
  // The command's name stands in brackets and may contain spaces.
  const fields = readFileSync(`${proc}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK;
}

function memoryOf(proc: string): number | undefined {
  if (!existsSync(proc)) return undefined;
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`${proc}/status`, 'utf8'))?.[1];
  return kib === undefined ? undefined : Number(kib) * 1024;
}
