import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type ConnectionLimits, Connections } from '../src/connections.js';

const HALF_A_MINUTE = 31_000;

/** A server that answers when it is told to. */
class Waiting {
  readonly answers: ServerResponse[] = [];
  readonly connections: Connections;
  readonly #http = createServer((request, response) => {
    if (this.connections.begin(request, response)) this.answers.push(response);
  });
  readonly #clients: Socket[] = [];

  constructor(limits: Partial<ConnectionLimits>) {
    this.connections = new Connections(this.#http, { connections: 100, answerBytes: 1 << 30, ...limits });
  }

  async start(): Promise<this> {
    await once(this.#http.listen(0, '127.0.0.1'), 'listening');
    return this;
  }

  /** A client that has connected and, if told so, sent requests. */
  async client(requests = 0): Promise<{ readonly socket: Socket; readonly isOpen: () => Promise<boolean> }> {
    const { port } = this.#http.address() as AddressInfo;
    const connected = once(this.#http, 'connection');
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    this.#clients.push(socket);
    await connected;
    const wanted = this.answers.length + requests;
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(requests));
    while (this.answers.length < wanted && !socket.destroyed) await turn();
    // Only what is read shows that the other side has gone.
    const isOpen = async (): Promise<boolean> => {
      await turn(20);
      socket.resume();
      await turn(20);
      return !socket.destroyed && !socket.readableEnded;
    };
    return { socket, isOpen };
  }

  async close(): Promise<void> {
    for (const socket of this.#clients) socket.destroy();
    this.connections.close();
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
  }
}

const turn = (milliseconds = 2): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));
/** More than the kernel takes for a client that reads nothing. */
const LARGE = Buffer.alloc(32 * 1024 * 1024);

test('for one connection more than may be, the one that has been idle for the longest makes way', async () => {
  const server = await new Waiting({ connections: 3 }).start();
  const [busy, first, second] = [await server.client(1), await server.client(), await server.client()];
  const third = await server.client();
  assert.is(await first.isOpen(), false);
  for (const client of [busy, second, third]) assert.ok(await client.isOpen());
  // Whoever has been answered is idle from then on.
  const answered = once(server.answers[0], 'close');
  server.answers[0].end('x');
  await answered;
  const fourth = await server.client();
  assert.is(await second.isOpen(), false);
  for (const client of [busy, third, fourth]) assert.ok(await client.isOpen());
  await server.close();
});

test('when all have a request under way, the new one is closed', async () => {
  const server = await new Waiting({ connections: 2 }).start();
  const busy = [await server.client(1), await server.client(1)];
  assert.is(await (await server.client()).isOpen(), false);
  for (const client of busy) assert.ok(await client.isOpen());
  busy[0].socket.destroy();
  await once(server.answers[0], 'close');
  assert.ok(await (await server.client()).isOpen());
  await server.close();
});

test('the one with the oldest request that does not come or whose answer is not taken makes way', async () => {
  const server = await new Waiting({ connections: 3 }).start();
  const [thinking, sending, reading] = [await server.client(1), await server.client(), await server.client(1)];
  sending.socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nx');
  while (server.answers.length < 3) await turn();
  reading.socket.pause();
  server.answers[1].end(LARGE);
  await turn(20);
  await server.client(1);
  assert.ok(server.answers[1].socket?.destroyed ?? true, 'its request came first');
  await server.client(1);
  assert.is(await sending.isOpen(), false);
  assert.ok(await thinking.isOpen());
  await server.close();
});

test('who has just come is not closed for others who come while slow requests are under way', async () => {
  const server = await new Waiting({ connections: 3 }).start();
  const slow: Awaited<ReturnType<Waiting['client']>>[] = [];
  for (let i = 0; i < 3; i++) {
    const client = await server.client();
    client.socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nx');
    while (server.answers.length <= i) await turn();
    slow.push(client);
  }
  const newcomer = await server.client();
  await server.client();
  assert.ok(await newcomer.isOpen());
  assert.is(await slow[0].isOpen(), false);
  assert.is(await slow[1].isOpen(), false);
  assert.ok(await slow[2].isOpen());
  await server.close();
});

test('who sends many requests and waits for no answer is cut off', async () => {
  const server = await new Waiting({}).start();
  const patient = await server.client(64);
  const hasty = await server.client(0);
  hasty.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(1000));
  assert.is(await hasty.isOpen(), false);
  assert.is(server.answers.length, 128);
  assert.ok(await patient.isOpen());
  await server.close();
});

test('who takes nothing of its answer is cut off after a time that its size allows', async () => {
  const server = await new Waiting({}).start();
  const [small, large, thinking] = [await server.client(1), await server.client(1), await server.client(1)];
  for (const { socket } of [small, large]) socket.pause();
  server.answers[0].end(LARGE.subarray(0, LARGE.length / 4));
  server.answers[1].end(LARGE);
  await turn(50);
  const now = performance.now();
  const seconds = LARGE.length / 4 / 16_384;
  server.connections.look(now);
  server.connections.look(now + HALF_A_MINUTE);
  assert.not.ok(server.answers[0].destroyed || server.answers[1].destroyed, 'a slow line is no fault');
  server.connections.look(now + HALF_A_MINUTE + seconds * 1000);
  assert.ok(server.answers[0].socket?.destroyed ?? true);
  assert.is(server.answers[1].socket?.destroyed, false);
  server.connections.look(now + HALF_A_MINUTE + 4 * seconds * 1000);
  assert.ok(server.answers[1].socket?.destroyed ?? true);
  assert.ok(await thinking.isOpen(), 'the time that the server takes is not the client’s');
  await server.close();
});

test('who takes some from time to time is not cut off', async () => {
  const server = await new Waiting({}).start();
  const { socket } = await server.client(1);
  const [answer] = server.answers;
  let taken = 0;
  socket.on('data', (chunk: Buffer) => {
    taken += chunk.length;
  });
  for (let i = 0; i < 20; i++) {
    socket.pause();
    for (let j = 0; j < 128; j++) answer.write(LARGE.subarray(0, 65_536));
    server.connections.look(performance.now() + i * HALF_A_MINUTE);
    const before = taken;
    socket.resume();
    while (taken < before + 4_000_000) await turn();
    await turn();
  }
  assert.is(answer.socket?.destroyed, false);
  await server.close();
});

test('where answers take more memory than they may, those that have waited for the longest are cut off, and never all', async () => {
  const server = await new Waiting({ answerBytes: LARGE.length * 2.5 }).start();
  const clients: Awaited<ReturnType<Waiting['client']>>[] = [];
  for (let i = 0; i < 4; i++) {
    const client = await server.client(1);
    client.socket.pause();
    clients.push(client);
    server.answers[i].end(LARGE);
    await turn(20);
    server.connections.look(i * 1000);
  }
  const isCut = (i: number): boolean => server.answers[i].socket?.destroyed ?? true;
  assert.equal([0, 1, 2, 3].map(isCut), [true, true, false, false]);
  await server.close();
  const alone = await new Waiting({ answerBytes: 1000 }).start();
  (await alone.client(1)).socket.pause();
  alone.answers[0].end(LARGE);
  await turn(20);
  alone.connections.look(0);
  assert.is(alone.answers[0].socket?.destroyed, false);
  await alone.close();
});

test.run();
