import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** What the clients of a server may hold together. */
export interface ConnectionLimits {
  /** Connections at once. */
  readonly connections: number;
  /** Bytes of answers that clients have not taken yet. */
  readonly answerBytes: number;
}

/** Requests of one connection that are under way; a client that sends more before it has the answers is cut off. */
const MOST_PIPELINED = 64;
/** Milliseconds between two looks at who takes its answer. */
const LOOK_INTERVAL = 1000;
/** A client has this long, in milliseconds, and a second more for each `SLOWEST` bytes, to take what waits for it. */
const PATIENCE = 30_000;
const SLOWEST = 16 * 1024;

interface Connection {
  socket: Socket;
  /** Requests under way, by their answers, in their order. */
  readonly requests: Map<ServerResponse, IncomingMessage>;
  /** When it became idle or its newest request began, in milliseconds of the monotonic clock. */
  changed: number;
  /** Bytes that it had taken when it last took some, and those that waited for it then. */
  taken: number;
  waiting: number;
  /** When that was, and by when it has to take more, in milliseconds of the monotonic clock. */
  since: number;
  due: number;
}

/**
 * The connections of a server. When all are taken, the one whose client has kept the server waiting for the longest makes way for a
 * new one, so that whoever opens many and says nothing keeps nobody out: it is idle, or its request has not come as a whole, or its
 * answer is not taken. Clients that hardly take their answers are
 * cut off: those that are slower than any line, and where answers would take more memory than they may, those that have waited for
 * the longest.
 */
export class Connections {
  readonly #limits: ConnectionLimits;
  /** Those without a request under way, the longest first. */
  readonly #idle = new Set<Connection>();
  /** Those with requests under way, in the order in which the newest of them began. */
  readonly #busy = new Set<Connection>();
  readonly #bySocket = new WeakMap<Socket, Connection>();
  readonly #timer: NodeJS.Timeout;

  constructor(http: Server, limits: ConnectionLimits) {
    this.#limits = limits;
    const handshakes = new Map<string, Connection>();
    http.on('connection', (socket: Socket) => {
      const connection = this.#add(socket);
      const peer = peerOf(socket);
      handshakes.set(peer, connection);
      socket.once('close', () => {
        if (handshakes.get(peer) === connection) handshakes.delete(peer);
      });
    });
    // With TLS, requests come on another socket than the one that was connected.
    http.on('secureConnection', (socket: Socket) => {
      const connection = handshakes.get(peerOf(socket));
      if (connection === undefined) return;
      connection.socket = socket;
      this.#bySocket.set(socket, connection);
    });
    this.#timer = setInterval(() => this.look(performance.now()), LOOK_INTERVAL).unref();
  }

  /** Takes note of a request. @returns false when its connection was cut off instead */
  begin(request: IncomingMessage, response: ServerResponse): boolean {
    const connection = this.#bySocket.get(request.socket);
    if (connection === undefined) return true;
    const { requests } = connection;
    if (requests.size >= MOST_PIPELINED) this.#cut(connection);
    if (connection.socket.destroyed) return false;
    this.#forget(connection);
    connection.changed = performance.now();
    this.#busy.add(connection);
    requests.set(response, request);
    response.once('close', () => {
      requests.delete(response);
      if (requests.size > 0 || !this.#busy.delete(connection)) return;
      connection.changed = performance.now();
      this.#idle.add(connection);
    });
    return true;
  }

  /** Cuts off who does not take its answers. @param now milliseconds of the monotonic clock */
  look(now: number): void {
    const waiting: { readonly connection: Connection; readonly bytes: number }[] = [];
    let sum = 0;
    for (const connection of this.#busy) {
      let bytes = 0;
      for (const answer of connection.requests.keys()) bytes += answer.writableLength;
      const { bytesWritten, writableLength } = connection.socket;
      const taken = bytesWritten - writableLength;
      if (bytes === 0 || bytes > connection.waiting || taken !== connection.taken) {
        const due = now + PATIENCE + (bytes / SLOWEST) * 1000;
        Object.assign(connection, { taken, waiting: bytes, since: now, due });
      }
      if (bytes === 0) continue;
      if (now > connection.due) {
        this.#cut(connection);
        continue;
      }
      sum += bytes;
      waiting.push({ connection, bytes });
    }
    if (sum <= this.#limits.answerBytes) return;
    waiting.sort((a, b) => a.connection.since - b.connection.since);
    // A single answer may be larger than what all may take.
    for (const { connection, bytes } of waiting.slice(0, -1)) {
      if (sum <= this.#limits.answerBytes) return;
      sum -= bytes;
      this.#cut(connection);
    }
  }

  /** Looks no more. */
  close(): void {
    clearInterval(this.#timer);
  }

  #add(socket: Socket): Connection {
    const requests = new Map<ServerResponse, IncomingMessage>();
    const connection = { socket, requests, changed: performance.now(), taken: 0, waiting: 0, since: 0, due: 0 };
    this.#bySocket.set(socket, connection);
    socket.once('close', () => this.#forget(connection));
    if (this.#idle.size + this.#busy.size >= this.#limits.connections) this.#cut(this.#longestAwaited() ?? connection);
    if (!socket.destroyed) this.#idle.add(connection);
    return connection;
  }

  #longestAwaited(): Connection | undefined {
    const [idle] = this.#idle;
    for (const connection of this.#busy) {
      if (idle !== undefined && idle.changed <= connection.changed) return idle;
      for (const [answer, request] of connection.requests)
        if (!request.complete || answer.writableLength > 0) return connection;
    }
    return idle;
  }

  #cut(connection: Connection): void {
    this.#forget(connection);
    connection.socket.destroy();
  }

  #forget(connection: Connection): void {
    this.#idle.delete(connection);
    this.#busy.delete(connection);
  }
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
