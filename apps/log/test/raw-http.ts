import { connect, type Socket } from 'node:net';

/** What came back on a raw connection. */
export interface RawAnswer {
  /** Status of the first answer; 0 when the connection ended without one. */
  readonly status: number;
  readonly statuses: readonly number[];
  readonly text: string;
}

/** Opens a connection that collects what the server sends. */
export function rawConnection(port: number): { socket: Socket; answer: Promise<RawAnswer> } {
  const socket = connect(port, '127.0.0.1');
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  const answer = new Promise<RawAnswer>((resolve) => {
    // A reset is one of the ways in which a server ends a connection; what came before it counts.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      const text = Buffer.concat(chunks).toString('latin1');
      const statuses = [...text.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)].map(([, status]) => Number(status));
      resolve({ status: statuses[0] ?? 0, statuses, text });
    });
  });
  return { socket, answer };
}

/** Sends bytes as they are and waits until the server ends the connection, or `limit` milliseconds. */
export async function rawRequest(port: number, request: string | Uint8Array, limit = 3000): Promise<RawAnswer> {
  const { socket, answer } = rawConnection(port);
  const timer = setTimeout(() => socket.destroy(), limit);
  socket.write(request);
  const result = await answer;
  clearTimeout(timer);
  return result;
}
