import autocannon from 'autocannon';
import { type Figures, quantile } from './benchmark.js';
import type { ServerProcess } from './server-process.js';

/** Requests of one kind that differ in path or body. */
export interface Load {
  readonly method: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  /** The status of every answer; any other one ends the measurement. */
  readonly status: number;
  /** What request `index` asks for. */
  request(index: number): { readonly path: string; readonly body?: Buffer };
}

/** What is measured: names of the figures and how much is sent. */
interface Amount {
  readonly connections: number;
  readonly warmUp: number;
  readonly requests: number;
  /** What one request counts as: 'entries' or 'requests'. */
  readonly unit: 'entry' | 'request';
}

/** Warms a server up, and measures its rate, its latency and what the process needs of the processor for each request. */
export async function measureLoad(server: ServerProcess, load: Load, amount: Amount): Promise<Figures> {
  const { connections, warmUp, requests, unit } = amount;
  await send(server.url, load, { first: 0, count: warmUp, connections: Math.min(connections, warmUp) });
  const before = server.cpu();
  const own = process.cpuUsage();
  const { seconds, times } = await send(server.url, load, { first: warmUp, count: requests, connections });
  const after = server.cpu();
  const { user, system } = process.cpuUsage(own);
  return {
    [unit === 'entry' ? 'entries/s' : 'requests/s']: requests / seconds,
    'p50 ms': quantile(times, 0.5),
    'p99 ms': quantile(times, 0.99),
    // A tick is 10 ms: a few requests may take less than that.
    ...(before === undefined || after === undefined
      ? {}
      : { [`CPU µs/${unit}`]: (Math.max(after - before, 1) * 1000) / requests }),
    'generator CPU µs': (user + system) / requests,
  };
}

/** Sends each request once. @throws Error unless each is answered with the status */
async function send(
  url: string,
  { method, headers = {}, status, request }: Load,
  { first, count, connections }: { readonly first: number; readonly count: number; readonly connections: number },
): Promise<{ readonly seconds: number; readonly times: readonly number[] }> {
  const times: number[] = [];
  let answered = 0;
  let next = first;
  const started = performance.now();
  let ended = started;
  const run = autocannon({
    url,
    connections,
    amount: count,
    sampleInt: 50,
    requests: [{ method, path: '/', headers, setupRequest: (sent) => ({ ...sent, ...request(next++) }) }],
  });
  run.on('response', (_client, code, _bytes, milliseconds) => {
    if (code === status) answered++;
    times.push(milliseconds);
    ended = performance.now();
  });
  const { statusCodeStats, errors, timeouts } = await run;
  if (answered !== count) {
    throw new Error(
      `of ${count} requests ${answered} were answered with ${status}; by status: ${JSON.stringify(statusCodeStats)}, errors: ${errors}, too late: ${timeouts}`,
    );
  }
  return { seconds: (ended - started) / 1000, times: times.sort((a, b) => a - b) };
}
