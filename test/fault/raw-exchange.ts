import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

/** Where a server listens. */
export interface Address {
  readonly port: number;
  /** The certificate of its authority, when it speaks TLS. */
  readonly ca?: string;
  /** The address of this machine that the connection comes from. */
  readonly from?: string;
}

/** What came back for bytes that were sent as they are. */
export interface Exchange {
  /** Every final status, in order; empty when nothing was answered. */
  readonly statuses: readonly number[];
  readonly text: string;
  /** Whether the server ended the connection, rather than the limit of time. */
  readonly closed: boolean;
}

/** Milliseconds after which a connection that a server keeps is given up. */
const LIMIT = 20_000;

/** Sends bytes on a connection of their own, and collects what comes until the server ends it. */
export function exchange(address: Address, bytes: string | Uint8Array): Promise<Exchange> {
  return new Promise((resolve) => {
    const socket = open(address);
    const chunks: Buffer[] = [];
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      socket.destroy();
    }, LIMIT);
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    // A reset is one of the ways in which a server ends a connection; what came before it counts.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(timer);
      const text = Buffer.concat(chunks).toString('latin1');
      const statuses = [...text.matchAll(/HTTP\/1\.1 ([2-5]\d{2}) /g)].map(([, status]) => Number(status));
      resolve({ statuses, text, closed: !timedOut });
    });
    socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  });
}

function open({ port, ca, from = '127.0.0.1' }: Address): Socket {
  const to = { host: '127.0.0.1', port, localAddress: from };
  return ca === undefined ? connect(to) : connectTls({ ...to, ca });
}
