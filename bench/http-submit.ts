import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Benchmark, Figures, Subject } from './benchmark.js';
import { type Load, measureLoad } from './http-load.js';
import { withScratchFolder } from './scratch.js';
import { type ServerProcess, withLogServer, withRivalServer } from './server-process.js';
import { beginLogAndSign, STATEMENT_BYTES } from './signed-statements.js';

const CONNECTIONS = [1, 16, 64, 256] as const;
/** Requests that are counted, by connections. */
const REQUESTS: Readonly<Record<number, number>> = { 1: 2000, 16: 10_000, 64: 20_000, 256: 20_000 };
const QUICK_REQUESTS = 64;
/** Requests before the clock starts, so that the server's code is compiled. */
const WARM_UP: Readonly<Record<number, number>> = { 1: 2000, 16: 5000, 64: 5000, 256: 5000 };
const QUICK_WARM_UP = 16;
/** What the log answers in a tree of some thousand entries; the rivals answer with as many bytes. */
const ANSWER_BYTES = 1800;

/** Submitting signed statements over HTTP to a log in another process. */
export const httpSubmit: Benchmark = {
  name: 'http-submit',
  title: `POST /v1/entries with statements of ${STATEMENT_BYTES.toLocaleString('en')} bytes: verified, admitted, durable, and answered with proof and receipt; the load shares the cores`,
  trials: 3,
  subjects: CONNECTIONS.flatMap((connections): Subject[] => {
    const named = (what: string): string => `${what}, ${connections} conn.`;
    const quick = connections === 64;
    const rival = named('the same server, constant answer');
    return [
      { name: named('log'), rival, quick, measure: (isQuick) => measureLog(connections, isQuick) },
      {
        name: rival,
        rival: named('node:http, constant answer'),
        quick,
        measure: (isQuick) => measureFloor(connections, isQuick),
      },
      { name: named('node:http, constant answer'), quick, measure: (isQuick) => measureBare(connections, isQuick) },
    ];
  }),
};

function measureLog(connections: number, quick: boolean): Promise<Figures> {
  return withScratchFolder(async (data) => {
    const { warmUp, requests } = amountOf(connections, quick);
    const bodies = await beginLogAndSign(data, warmUp + requests);
    // By default the log turns away more than 128 at once.
    const flags = ['--under-way', String(Math.max(128, connections))];
    return withLogServer(data, (server) => measure(server, connections, quick, (index) => bodies[index]), flags);
  });
}

function measureFloor(connections: number, quick: boolean): Promise<Figures> {
  const body = Buffer.alloc(STATEMENT_BYTES);
  return withRivalServer(['floor', String(ANSWER_BYTES)], (server) => measure(server, connections, quick, () => body));
}

function measureBare(connections: number, quick: boolean): Promise<Figures> {
  return withScratchFolder((folder) => {
    const answer = join(folder, 'answer');
    writeFileSync(answer, Buffer.alloc(ANSWER_BYTES));
    const body = Buffer.alloc(STATEMENT_BYTES);
    return withRivalServer(['bare', '201', answer], (server) => measure(server, connections, quick, () => body));
  });
}

function measure(
  server: ServerProcess,
  connections: number,
  quick: boolean,
  bodyOf: (index: number) => Buffer,
): Promise<Figures> {
  const load: Load = {
    method: 'POST',
    headers: { 'Content-Type': 'application/cose' },
    status: 201,
    request: (index) => ({ path: '/v1/entries', body: bodyOf(index) }),
  };
  return measureLoad(server, load, { connections, ...amountOf(connections, quick), unit: 'entry' });
}

function amountOf(connections: number, quick: boolean): { warmUp: number; requests: number } {
  return quick
    ? { warmUp: QUICK_WARM_UP, requests: QUICK_REQUESTS }
    : { warmUp: WARM_UP[connections], requests: REQUESTS[connections] };
}
