import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import autocannon from 'autocannon';
import type { Benchmark, Figures } from './benchmark.js';
import { withScratchFolder } from './scratch.js';

const CONNECTIONS = [1, 16, 64] as const;
/** Requests that are counted, by connections. */
const REQUESTS: Readonly<Record<number, number>> = { 1: 1000, 16: 5000, 64: 8000 };
const QUICK_REQUESTS = 64;
/** Requests before the clock starts, so that the server's code is compiled. */
const WARM_UP = 1000;
const QUICK_WARM_UP = 16;
/** About the size of the statements. */
const STATEMENT_BYTES = 500;
/** What the log answers in a tree of some thousand entries; the floor answers with as many bytes. */
const ANSWER_BYTES = 2048;
const SERVER = fileURLToPath(new URL('server.ts', import.meta.url));

/** Submitting signed statements over HTTP to a log in another process. */
export const httpSubmit: Benchmark = {
  name: 'http-submit',
  title:
    'POST /v1/entries: statements verified, admitted, durable, and answered with proof and receipt; the load shares the cores',
  trials: 3,
  subjects: CONNECTIONS.flatMap((connections) => {
    const floor = `HTTP floor, ${connections} conn.`;
    return [
      { name: `log, ${connections} conn.`, rival: floor, measure: (quick: boolean) => measureLog(connections, quick) },
      { name: floor, measure: (quick: boolean) => measureFloor(connections, quick) },
    ];
  }),
};

function measureLog(connections: number, quick: boolean): Promise<Figures> {
  return withScratchFolder(async (data) => {
    const { beginLogAndSign } = await import('./signed-statements.js');
    return measure(['log', data], connections, quick, await beginLogAndSign(data, requestsOf(connections, quick)));
  });
}

function measureFloor(connections: number, quick: boolean): Promise<Figures> {
  const bodies = Array<Buffer>(requestsOf(connections, quick)).fill(Buffer.alloc(STATEMENT_BYTES));
  return measure(['floor', String(ANSWER_BYTES)], connections, quick, bodies);
}

function requestsOf(connections: number, quick: boolean): number {
  return quick ? QUICK_WARM_UP + QUICK_REQUESTS : WARM_UP + REQUESTS[connections];
}

/** Starts a server, warms it up with the first bodies, and measures with the others. */
async function measure(args: string[], connections: number, quick: boolean, bodies: readonly Buffer[]): Promise<Figures> {
  const warmUp = quick ? QUICK_WARM_UP : WARM_UP;
  const server = spawn(process.execPath, [...process.execArgv, SERVER, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(server, 'exit');
  try {
    const [line] = await Promise.race([once(server.stdout, 'data'), ended.then(() => [])]);
    if (line === undefined) throw new Error('the server did not start');
    const url = String(line).trim();
    await load(url, Math.min(connections, 16), bodies.slice(0, warmUp));
    return await load(url, connections, bodies.slice(warmUp));
  } finally {
    server.stdin.end();
    await ended;
  }
}

/** Sends each body once. @throws Error unless each is answered with 201 */
async function load(url: string, connections: number, bodies: readonly Buffer[]): Promise<Figures> {
  const times: number[] = [];
  let answered = 0;
  let bytesOfAll = 0;
  let next = 0;
  const started = performance.now();
  let ended = started;
  const run = autocannon({
    url,
    connections,
    amount: bodies.length,
    sampleInt: 50,
    requests: [
      {
        method: 'POST',
        path: '/v1/entries',
        headers: { 'Content-Type': 'application/cose' },
        setupRequest: (request) => ({ ...request, body: bodies[next++] }),
      },
    ],
  });
  run.on('response', (_client, status, bytes, milliseconds) => {
    if (status === 201) answered++;
    bytesOfAll += bytes;
    times.push(milliseconds);
    ended = performance.now();
  });
  const { statusCodeStats } = await run;
  if (answered !== bodies.length) {
    throw new Error(
      `of ${bodies.length} statements ${answered} were logged; answers by status: ${JSON.stringify(statusCodeStats)}`,
    );
  }
  times.sort((a, b) => a - b);
  return {
    'requests/s': bodies.length / ((ended - started) / 1000),
    'p50 ms': times[Math.floor(times.length * 0.5)],
    'p99 ms': times[Math.floor(times.length * 0.99)],
    'answer bytes': bytesOfAll / bodies.length,
  };
}
