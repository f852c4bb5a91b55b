import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * Reads each request to its end and answers it with one body after the other, whatever is asked, on bare node:http. Resolves with its URL
 * and its end.
 */
export function serveBytes(status: number, bodies: readonly Uint8Array[]): Promise<{ url: string; close(): void }> {
  let next = 0;
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      const body = bodies[next++ % bodies.length];
      const headers = { 'Content-Type': 'application/octet-stream', 'Content-Length': body.length };
      response.writeHead(status, headers).end(body);
    });
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      resolve({ url: `http://127.0.0.1:${port}`, close: () => server.close() });
    });
  });
}
