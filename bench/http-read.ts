import { randomInt } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import type { Benchmark, Figures, Subject } from './benchmark.js';
import { type Load, measureLoad } from './http-load.js';
import { withScratchFolder } from './scratch.js';
import { type ServerProcess, withLogServer, withRivalServer } from './server-process.js';
import { beginLogAndSign } from './signed-statements.js';

const ENTRIES = 4095;
const QUICK_ENTRIES = 511;
const CONNECTIONS = 64;
/** What the rival has to say. */
const ANSWERS = 32;
const AMOUNT = { connections: CONNECTIONS, warmUp: 3000, requests: 12_000, unit: 'request' } as const;
/** A bundle has 256 KiB: fewer of them tell as much. */
const BUNDLE_AMOUNT = { ...AMOUNT, warmUp: 1000, requests: 3000 } as const;
const QUICK_AMOUNT = { connections: 16, warmUp: 16, requests: 64, unit: 'request' } as const;

/** What a reader asks for, in a log of `size` entries. */
interface Reading {
  readonly name: string;
  readonly headers?: Readonly<Record<string, string>>;
  path(size: number): string;
}

const READINGS: readonly Reading[] = [
  { name: 'tile', path: (size) => `/tile/0/${padded(randomInt(Math.floor(size / 256)))}` },
  { name: 'entry bundle', path: (size) => `/tile/entries/${padded(randomInt(Math.floor(size / 256)))}` },
  {
    name: 'entry bundle with gzip',
    headers: { 'Accept-Encoding': 'gzip' },
    path: (size) => `/tile/entries/${padded(randomInt(Math.floor(size / 256)))}`,
  },
  { name: 'inclusion proof', path: (size) => `/v1/proof/inclusion?index=${randomInt(size)}` },
  { name: 'checkpoint', path: () => '/checkpoint' },
];

/** Reading a log over HTTP. */
export const httpRead: Benchmark = {
  name: 'http-read',
  title: `reading a log of ${(ENTRIES + 1).toLocaleString('en')} entries over HTTP on ${CONNECTIONS} connections; the load shares the cores`,
  trials: 3,
  subjects: READINGS.flatMap((reading): Subject[] => {
    const rival = `node:http, the same bytes: ${reading.name}`;
    const quick = !['entry bundle', 'checkpoint'].includes(reading.name);
    return [
      {
        name: `log, ${reading.name}`,
        rival,
        quick,
        measure: (isQuick) => withFilledLog(isQuick, (log) => read(log, reading, isQuick)),
      },
      { name: rival, quick, measure: (isQuick) => measureRival(reading, isQuick) },
    ];
  }),
};

/** The charter and statements, published: then every path of a reading is answered. */
function withFilledLog<T>(quick: boolean, work: (server: ServerProcess) => Promise<T>): Promise<T> {
  return withScratchFolder(async (data) => {
    const statements = await beginLogAndSign(data, quick ? QUICK_ENTRIES : ENTRIES);
    return withLogServer(data, async (server) => {
      const headers = { 'Content-Type': 'application/cbor-seq' };
      const answer = await fetch(`${server.url}/v1/entries:batch`, {
        method: 'POST',
        headers,
        body: Buffer.concat(statements),
      });
      if (!answer.ok) throw new Error(`the log was not filled: ${await answer.text()}`);
      const newest = `${server.url}/v1/proof/${statements.length}.tlog-proof`;
      for (let found = false; !found; ) {
        const proof = await fetch(newest);
        await proof.arrayBuffer();
        found = proof.ok;
        if (!found) await new Promise((resolve) => setTimeout(resolve, 50));
      }
      return work(server);
    });
  });
}

function read(server: ServerProcess, { name, headers, path }: Reading, quick: boolean): Promise<Figures> {
  const size = (quick ? QUICK_ENTRIES : ENTRIES) + 1;
  const load: Load = { method: 'GET', headers, status: 200, request: () => ({ path: path(size) }) };
  return measureLoad(server, load, quick ? QUICK_AMOUNT : name.startsWith('entry bundle') ? BUNDLE_AMOUNT : AMOUNT);
}

/**
 * Some answers of the log, byte by byte, from a server that knows nothing else. There are several, as there are in the log: a client
 * that reads the same tile again and again reads it several times as fast, because the processor has learnt it.
 */
async function measureRival(reading: Reading, quick: boolean): Promise<Figures> {
  const { headers = {}, path } = reading;
  const size = (quick ? QUICK_ENTRIES : ENTRIES) + 1;
  const bodies = await withFilledLog(quick, ({ url }) =>
    Promise.all(Array.from({ length: ANSWERS }, () => rawBody(`${url}${path(size)}`, headers))),
  );
  return withScratchFolder((folder) => {
    const files = bodies.map((body, i) => {
      const file = join(folder, `answer-${i}`);
      writeFileSync(file, body);
      return file;
    });
    return withRivalServer(['bare', '200', ...files], (server) => read(server, reading, quick));
  });
}

/** The body as it is sent: fetch would decompress it. */
function rawBody(url: string, headers: Readonly<Record<string, string>>): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    request(url, { headers }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`${url} was answered with ${response.statusCode}`));
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => resolve(Buffer.concat(chunks)));
    })
      .on('error', reject)
      .end();
  });
}

/** Three digits, which suffice for fewer than 256,000 entries. */
function padded(index: number): string {
  return String(index).padStart(3, '0');
}
