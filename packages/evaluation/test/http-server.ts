import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request as the endpoint saw it. */
export interface Seen {
  readonly path: string;
  readonly method: string;
  readonly headers: IncomingMessage['headers'];
  // biome-ignore lint/suspicious/noExplicitAny: bodies have many shapes
  readonly body: any;
}

/** An HTTP endpoint on this machine that answers as it is told, and remembers what it was asked. */
export class TestEndpoint {
  readonly seen: Seen[] = [];
  answer: (seen: Seen, response: ServerResponse) => void = (_, response) => response.end('{}');
  readonly #server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = JSON.parse(Buffer.concat(chunks).toString('utf8'));
    const seen = { path: request.url ?? '', method: request.method ?? '', headers: request.headers, body };
    this.seen.push(seen);
    this.answer(seen, response);
  });

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
