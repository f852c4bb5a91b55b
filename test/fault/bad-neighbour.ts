import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A server that answers every request in one bad way, and counts what it is asked and what it gets rid of. */
export class BadNeighbour {
  readonly url: string;
  readonly requests: IncomingMessage[] = [];
  /** Bytes of bodies that were taken from it, in the socket buffers or further. */
  sent = 0;
  readonly #close: () => void;

  private constructor(url: string, close: () => void) {
    this.url = url;
    this.#close = close;
  }

  static open(answer: (response: ServerResponse, self: BadNeighbour) => void): Promise<BadNeighbour> {
    return new Promise((resolve) => {
      const server = createServer((request, response) => {
        self.requests.push(request);
        request.resume();
        answer(response, self);
      });
      let self: BadNeighbour;
      server.listen(0, '127.0.0.1', () => {
        self = new BadNeighbour(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, () => {
          server.closeAllConnections();
          server.close();
        });
        resolve(self);
      });
    });
  }

  close(): void {
    this.#close();
  }
}

/** Sends whoever asks to another address. */
export const redirectingTo =
  (url: string, status: number) =>
  (response: ServerResponse): void => {
    response.writeHead(status, { Location: url, Refresh: `0; url=${url}`, 'Set-Cookie': 'a=b', 'WWW-Authenticate': 'Basic' });
    response.end();
  };

/** Answers with a body that never ends, as fast as it is taken. */
export function endless(response: ServerResponse, self: BadNeighbour): void {
  response.writeHead(200, { 'Content-Type': 'text/plain' });
  const chunk = Buffer.alloc(65_536, 0x61);
  const more = (): void => {
    while (!response.destroyed && response.write(chunk)) self.sent += chunk.length;
    if (!response.destroyed) response.once('drain', more);
  };
  more();
}
