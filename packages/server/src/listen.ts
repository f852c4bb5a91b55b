import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import { type Logger, pino } from 'pino';

/** Where and how a server listens. */
export interface ListenOptions {
  /** `host:port`; port 0 takes a free one. */
  readonly listen: string;
  /** Connections at once; further ones are closed. */
  readonly connections: number;
}

/** A server that listens. */
export interface Listening {
  readonly url: string;
  /** Takes no more requests, and resolves when those under way are answered or ten seconds are over. */
  close(): Promise<void>;
}

/** Milliseconds that a shutdown waits for requests under way. */
const GRACE = 10_000;

/** Listens with time-outs against clients that send or read slowly. Rejects when it cannot. */
export function listen(
  fetch: (request: Request) => Response | Promise<Response>,
  { listen: address, connections }: ListenOptions,
): Promise<Listening> {
  const colon = address.lastIndexOf(':');
  const hostname = address.slice(0, colon).replace(/^\[|\]$/g, '') || '127.0.0.1';
  return new Promise((resolve, reject) => {
    const http = serve(
      { fetch, hostname, port: Number(address.slice(colon + 1)), serverOptions: { connectionsCheckingInterval: 1000 } },
      () => {
        http.off('error', reject);
        resolve({ url: urlOf(http), close: () => closeServer(http) });
      },
    ) as Server;
    http.once('error', reject);
    http.maxConnections = connections;
    http.headersTimeout = 10_000;
    http.requestTimeout = 60_000;
    http.keepAliveTimeout = 15_000;
    http.maxHeadersCount = 64;
    http.timeout = 120_000;
  });
}

/** Structured records on standard error. Header values and bodies are never written. */
export function createLogger(service: string, level: string): Logger {
  return pino({ level, base: { service }, redact: ['*.authorization', '*.seed'] }, pino.destination({ dest: 2, sync: true }));
}

function urlOf(http: Server): string {
  const { address, family, port } = http.address() as AddressInfo;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}

async function closeServer(http: Server): Promise<void> {
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
