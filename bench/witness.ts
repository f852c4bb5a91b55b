import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Benchmark, Figures } from './benchmark.js';
import { litewitnessCommand } from './rivals/litewitness.js';
import { insertRows } from './rivals/plain-sqlite.js';
import { withScratchFolder } from './scratch.js';
import { benchLogs, growingLogs } from './witness-requests.js';

/** Each log's heads go over a connection of its own, one after the other, as the protocol demands. */
const LOGS = [64, 1] as const;
/** Heads of each log that are counted; a signature with ML-DSA-44 takes milliseconds. */
const HEADS: Readonly<Record<string, Readonly<Record<number, number>>>> = {
  ed25519: { 64: 80, 1: 1000 },
  both: { 64: 15, 1: 300 },
};
const QUICK_HEADS = 2;
/** Heads of each log before the clock starts. */
const WARM_UP: Readonly<Record<number, number>> = { 64: 10, 1: 100 };
const QUICK_WARM_UP = 1;
/** About the size of a head with its signatures, as the store keeps it. */
const ROW_BYTES = 500;
const COMMITS = 2000;
const QUICK_COMMITS = 100;
/** The lines of two cosignatures. */
const ANSWER_BYTES = 3500;
const SERVER = fileURLToPath(new URL('server.ts', import.meta.url));
const SQLITE = 'SQLite, a commit each';

const KINDS = { ed25519: 'Ed25519', both: 'Ed25519 + ML-DSA-44' } as const;

/** Cosigning heads over HTTP by a witness in a process of its own, on one core where taskset is there to say so. */
export const witness: Benchmark = {
  name: 'witness',
  title:
    'POST /add-checkpoint: heads verified, consistent, durable, cosigned; a connection for each log; the server has one core',
  trials: 3,
  subjects: [
    ...LOGS.flatMap((logs) => [
      ...(['ed25519', 'both'] as const).map((kind) => ({
        name: `${KINDS[kind]}, ${named(logs)}`,
        rival: SQLITE,
        quick: logs === 1,
        measure: (quick: boolean) => measureWitness(kind, logs, quick),
      })),
      {
        name: `HTTP floor, ${named(logs)}`,
        rival: SQLITE,
        quick: logs === 1,
        measure: (quick: boolean) => measureFloor(logs, quick),
      },
      ...(litewitnessCommand === undefined
        ? []
        : [
            {
              name: `litewitness, ${named(logs)}`,
              rival: SQLITE,
              quick: logs === 1,
              measure: (quick: boolean) => measureLitewitness(logs, quick),
            },
          ]),
    ]),
    { name: SQLITE, measure: measureSqlite },
  ],
};

function named(logs: number): string {
  return logs === 1 ? '1 log' : `${logs} logs`;
}

function measureWitness(kind: 'ed25519' | 'both', logs: number, quick: boolean): Promise<Figures> {
  return withScratchFolder((data) =>
    measure(onOneCore([process.execPath, ...process.execArgv, SERVER, 'witness', data, kind, String(logs)]), kind, logs, quick),
  );
}

function measureFloor(logs: number, quick: boolean): Promise<Figures> {
  const command = [process.execPath, ...process.execArgv, SERVER, 'floor', String(ANSWER_BYTES)];
  return measure(onOneCore(command), 'ed25519', logs, quick);
}

function measureLitewitness(logs: number, quick: boolean): Promise<Figures> {
  return withScratchFolder(async (data) => {
    const command = litewitnessCommand as NonNullable<typeof litewitnessCommand>;
    const { args, stop } = await command(data, benchLogs(logs));
    try {
      return await measure(onOneCore(args), 'ed25519', logs, quick);
    } finally {
      await stop();
    }
  });
}

function measureSqlite(quick: boolean): Promise<Figures> {
  return withScratchFolder(async (folder) => {
    const rows = Array<Uint8Array>(quick ? QUICK_COMMITS : COMMITS).fill(new Uint8Array(ROW_BYTES));
    const started = performance.now();
    insertRows(join(folder, 'rows.db'), rows, 1);
    return { 'requests/s': rows.length / ((performance.now() - started) / 1000) };
  });
}

/** The same command, kept to the first core: the load is made on the others. */
function onOneCore(command: readonly string[]): readonly string[] {
  try {
    execFileSync('taskset', ['--version'], { stdio: 'ignore' });
    return ['taskset', '-c', '0', ...command];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return command;
  }
}

/** Starts a server that prints its URL, warms it up with the first heads of each log, and measures with the others. */
async function measure(
  [command, ...args]: readonly string[],
  kind: 'ed25519' | 'both',
  logs: number,
  quick: boolean,
): Promise<Figures> {
  const warmUp = quick ? QUICK_WARM_UP : WARM_UP[logs];
  const heads = await growingLogs(benchLogs(logs), warmUp + (quick ? QUICK_HEADS : HEADS[kind][logs]));
  const server = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(server, 'exit');
  try {
    const [line] = await Promise.race([once(server.stdout, 'data'), ended.then(() => [])]);
    if (line === undefined) throw new Error('the server did not start');
    const url = String(line).trim();
    await load(
      url,
      heads.map((bodies) => bodies.slice(0, warmUp)),
    );
    return await load(
      url,
      heads.map((bodies) => bodies.slice(warmUp)),
    );
  } finally {
    server.stdin.end();
    await ended;
  }
}

/** Sends the heads of each log one after the other, all logs at once. @throws Error unless each is answered with success */
async function load(url: string, logs: readonly (readonly Buffer[])[]): Promise<Figures> {
  const times: number[] = [];
  const agents = logs.map(() => new Agent({ keepAlive: true, maxSockets: 1 }));
  const started = performance.now();
  await Promise.all(
    logs.map(async (bodies, i) => {
      for (const body of bodies) {
        const sent = performance.now();
        await post(`${url}/add-checkpoint`, body, agents[i]);
        times.push(performance.now() - sent);
      }
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  for (const agent of agents) agent.destroy();
  times.sort((a, b) => a - b);
  return {
    'requests/s': times.length / seconds,
    'p50 ms': times[Math.floor(times.length * 0.5)],
    'p99 ms': times[Math.floor(times.length * 0.99)],
  };
}

function post(url: string, body: Buffer, agent: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', agent, headers: { 'Content-Length': body.length } }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        if (response.statusCode === 200 || response.statusCode === 201) resolve();
        else reject(new Error(`a head was answered with ${response.statusCode}: ${Buffer.concat(chunks)}`));
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
