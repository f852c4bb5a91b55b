import type { Benchmark, Figures, Subject } from './benchmark.js';
import { quantile } from './benchmark.js';
import { withScratchFolder } from './scratch.js';
import { type ServerProcess, withLogServer, withRivalServer } from './server-process.js';
import { beginLogAndSign, STATEMENT_BYTES } from './signed-statements.js';

const SIZES = [64, 256, 1024] as const;
const QUICK_SIZE = 64;
/** Batches are sent by as many clients, each one batch after the other. */
const CLIENTS = 2;
const ENTRIES = 20_480;
const WARM_UP_ENTRIES = 6144;
/** Bytes of the log's answer for each entry. */
const ANSWER_BYTES = 1800;

/** Submitting signed statements in batches. */
export const httpBatch: Benchmark = {
  name: 'http-batch',
  title: `POST /v1/entries:batch with statements of ${STATEMENT_BYTES.toLocaleString('en')} bytes, ${CLIENTS} batches under way: each verified, admitted, durable, and answered with proof and receipt`,
  trials: 3,
  subjects: SIZES.flatMap((size): Subject[] => {
    const rival = `the same server, constant answer, batches of ${size}`;
    const quick = size === QUICK_SIZE;
    return [
      { name: `log, batches of ${size}`, rival, quick, measure: (isQuick) => measureLog(size, isQuick) },
      { name: rival, quick, measure: (isQuick) => measureFloor(size, isQuick) },
    ];
  }),
};

function measureLog(size: number, quick: boolean): Promise<Figures> {
  return withScratchFolder(async (data) => {
    const statements = await beginLogAndSign(data, batchesOf(size, quick) * size);
    const bodies = Array.from({ length: statements.length / size }, (_, i) =>
      Buffer.concat(statements.slice(i * size, (i + 1) * size)),
    );
    return withLogServer(data, (server) => measure(server, size, quick, (index) => bodies[index], logged));
  });
}

function measureFloor(size: number, quick: boolean): Promise<Figures> {
  const body = Buffer.alloc(size * STATEMENT_BYTES);
  return withRivalServer(['floor', String(size * ANSWER_BYTES)], (server) =>
    measure(
      server,
      size,
      quick,
      () => body,
      () => size,
    ),
  );
}

/** How many statements of a batch were logged. */
function logged(answer: string): number {
  return (JSON.parse(answer) as { results: { status: number }[] }).results.filter(({ status }) => status === 201).length;
}

async function measure(
  { url, cpu }: ServerProcess,
  size: number,
  quick: boolean,
  bodyOf: (index: number) => Buffer,
  count: (answer: string) => number,
): Promise<Figures> {
  const all = batchesOf(size, quick);
  const warmUp = quick ? CLIENTS : Math.round(WARM_UP_ENTRIES / size);
  await send(url, bodyOf, 0, warmUp);
  const before = cpu();
  const started = performance.now();
  const { answers, times } = await send(url, bodyOf, warmUp, all);
  const seconds = (performance.now() - started) / 1000;
  const after = cpu();
  const entries = (all - warmUp) * size;
  const done = answers.reduce((sum, answer) => sum + count(answer), 0);
  if (done !== entries) throw new Error(`of ${entries} statements ${done} were logged: ${answers[0].slice(0, 500)}`);
  return {
    'entries/s': entries / seconds,
    'p50 ms': quantile(times, 0.5),
    'p99 ms': quantile(times, 0.99),
    ...(before === undefined || after === undefined ? {} : { 'CPU µs/entry': (Math.max(after - before, 1) * 1000) / entries }),
  };
}

/** Sends the batches from `first` up to `end`. Answers are read completely, and looked at later. */
async function send(url: string, bodyOf: (index: number) => Buffer, first: number, end: number) {
  const answers: string[] = [];
  const times: number[] = [];
  let next = first;
  const client = async (): Promise<void> => {
    for (let i = next++; i < end; i = next++) {
      const sent = performance.now();
      const headers = { 'Content-Type': 'application/cbor-seq' };
      const response = await fetch(`${url}/v1/entries:batch`, { method: 'POST', headers, body: new Uint8Array(bodyOf(i)) });
      answers.push(await response.text());
      times.push(performance.now() - sent);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  return { answers, times: times.sort((a, b) => a - b) };
}

function batchesOf(size: number, quick: boolean): number {
  return quick ? 2 * CLIENTS : Math.round((WARM_UP_ENTRIES + ENTRIES) / size);
}
