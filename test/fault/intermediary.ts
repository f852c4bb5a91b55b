import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** What an intermediary does with a request: passes it on, or answers it. It may also leave it without an answer. */
export type Treatment = 'pass' | ((request: IncomingMessage, response: ServerResponse) => void);

/** Stands in front of a server, and shows its clients what it wants to. */
export class Intermediary {
  /** The server that answers; it may be changed. */
  target: string;
  /** Decides about each request; passes all at the beginning. */
  treat: (path: string) => Treatment = () => 'pass';
  /** Paths that were asked for, and when, in milliseconds since the epoch. */
  readonly asked: { readonly path: string; readonly time: number }[] = [];
  url = '';
  readonly #sockets = new Set<Socket>();
  readonly #http = createServer((request, response) => this.#handle(request, response));

  constructor(target: string) {
    this.target = target;
    this.#http.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  async listen(): Promise<this> {
    await once(this.#http.listen(0, '127.0.0.1'), 'listening');
    this.url = `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
    return this;
  }

  /** How often a path was asked for between two times. */
  count(path: string, from = 0, to = Number.POSITIVE_INFINITY): number {
    return this.asked.filter((asked) => asked.path === path && asked.time >= from && asked.time < to).length;
  }

  close(): void {
    this.#http.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url as string;
    this.asked.push({ path, time: Date.now() });
    const treatment = this.treat(path);
    if (treatment === 'pass') this.#pass(request, response).catch(() => response.destroy());
    else treatment(request, response);
  }

  async #pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { method = 'GET', headers } = request;
    const answer = await fetch(`${this.target}${request.url}`, {
      method,
      headers: { 'Content-Type': headers['content-type'] ?? 'text/plain', 'Accept-Encoding': 'identity' },
      ...(chunks.length === 0 ? {} : { body: new Uint8Array(Buffer.concat(chunks)) }),
    });
    const body = Buffer.from(await answer.arrayBuffer());
    response.writeHead(answer.status, { 'Content-Type': answer.headers.get('content-type') ?? 'text/plain' });
    response.end(body);
  }
}
