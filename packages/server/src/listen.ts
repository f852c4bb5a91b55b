import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { type Logger, pino } from 'pino';
import { Connections } from './connections.js';
import type { KeptAnswers } from './kept-answers.js';
import { type Problem, problemBody } from './problem.js';
import { SAFE_HEADERS } from './safe-headers.js';
import { MOST_HEADERS, refusalOf } from './strict-request.js';

/** Where and how a server listens. */
export interface ListenOptions {
  /** `host:port`; port 0 takes a free one. */
  readonly listen: string;
  /** Connections at once. For one more, the one that has kept the server waiting for the longest is closed; when none has, the new one. */
  readonly connections: number;
  /** Bytes of answers that may wait for clients to take them; 256 MiB by default. Beyond it the slowest are cut off. */
  readonly answerBytes?: number | undefined;
  /** Certificate and key with which it speaks TLS; without, it speaks plain HTTP. */
  readonly tls?: TlsIdentity | undefined;
  /** Milliseconds in which a request has to have come; a minute by default. */
  readonly requestTimeout?: number | undefined;
  /** Answers that are ready, sent without the app. */
  readonly kept?: KeptAnswers | undefined;
  /**
   * Asked about each request before the app is: with a problem the request is answered at once, and nothing of its body is read. For what
   * cannot be taken at present: refusing has to cost next to nothing, or there is no room because of those who are refused.
   */
  readonly refuse?: ((request: IncomingMessage) => Problem | undefined) | undefined;
}

/** How a server shows who it is: texts in PEM. */
export interface TlsIdentity {
  /** The certificate, and those between it and the one that clients know. */
  readonly cert: string;
  readonly key: string;
}

/** A server that listens. */
export interface Listening {
  readonly url: string;
  /**
   * Shows another certificate to those who connect from now on; open connections go on.
   * @throws Error when it cannot be used: the one before stays
   */
  renew(tls: TlsIdentity): void;
  /** Takes no more requests, and resolves when those under way are answered or ten seconds are over. */
  close(): Promise<void>;
}

/** Milliseconds that a shutdown waits for requests under way. */
const GRACE = 10_000;
const ANSWER_BYTES = 256 * 1024 * 1024;

const CHECKING = { connectionsCheckingInterval: 1000 };
const TLS_LIMITS = { minVersion: 'TLSv1.2', handshakeTimeout: 10_000 } as const;

/** Listens with time-outs against clients that send or read slowly. Rejects when it cannot. */
export function listen(
  fetch: (request: Request) => Response | Promise<Response>,
  { listen: address, connections: most, answerBytes = ANSWER_BYTES, tls, requestTimeout = 60_000, kept, refuse }: ListenOptions,
): Promise<Listening> {
  const colon = address.lastIndexOf(':');
  const hostname = address.slice(0, colon).replace(/^\[|\]$/g, '') || '127.0.0.1';
  const handle = getRequestListener(kept === undefined ? fetch : kept.around(fetch), { hostname });
  const listener: RequestListener = (request, response) => {
    if (!connections.begin(request, response)) return;
    const malformed = refusalOf(request);
    if (malformed !== undefined) response.setHeader('Connection', 'close');
    const problem = malformed ?? refuse?.(request);
    if (problem !== undefined) answerAtOnce(response, problem);
    else if (kept === undefined || !kept.answer(request, response)) handle(request, response);
  };
  const http: Server | TlsServer =
    tls === undefined ? createServer(CHECKING, listener) : createTlsServer({ ...CHECKING, ...TLS_LIMITS, ...tls }, listener);
  const connections = new Connections(http, { connections: most, answerBytes });
  http.once('close', () => connections.close());
  return new Promise((resolve, reject) => {
    // As many may wait to be accepted as are accepted: who finds no room there tries again only after a second, and then after three.
    http.listen({ port: Number(address.slice(colon + 1)), host: hostname, backlog: most }, () => {
      http.off('error', reject);
      resolve({
        url: urlOf(http, tls === undefined ? 'http' : 'https'),
        renew(identity) {
          if (tls !== undefined) (http as TlsServer).setSecureContext({ ...TLS_LIMITS, ...identity });
        },
        close: () => closeServer(http),
      });
    });
    http.once('error', reject);
    http.headersTimeout = 10_000;
    http.requestTimeout = requestTimeout;
    http.keepAliveTimeout = 15_000;
    // What is above the limit has to be seen to be refused; the parser drops what is above its own without a word.
    http.maxHeadersCount = 2 * MOST_HEADERS;
    http.timeout = 120_000;
  });
}

function answerAtOnce(response: ServerResponse, problem: Problem): void {
  const id = randomUUID();
  const { retryAfter } = problem.details;
  const body = JSON.stringify(problemBody(problem, id));
  response.writeHead(problem.status, {
    ...SAFE_HEADERS,
    'Content-Type': 'application/problem+json',
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    'Request-Id': id,
    ...(retryAfter === undefined ? {} : { 'Retry-After': String(retryAfter) }),
  });
  response.end(body);
}

/** Structured records on standard error. Header values and bodies are never written. */
export function createLogger(service: string, level: string): Logger {
  return pino({ level, base: { service }, redact: ['*.authorization', '*.seed'] }, pino.destination({ dest: 2, sync: true }));
}

function urlOf(http: Server | TlsServer, scheme: string): string {
  const { address, family, port } = http.address() as AddressInfo;
  return `${scheme}://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}

async function closeServer(http: Server | TlsServer): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    http.close(() => resolve());
  });
  // A connection becomes idle only when its last answer is out, which for event streams is after they were told to end.
  const idle = setInterval(() => http.closeIdleConnections(), 50);
  const timer = setTimeout(() => http.closeAllConnections(), GRACE);
  http.closeIdleConnections();
  await closed;
  clearInterval(idle);
  clearTimeout(timer);
}
