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
  /** Answers that are not out yet, in the order of their requests. */
  readonly answers: Set<ServerResponse>;
  /** Bytes that it had taken when it last took some, and those that waited for it then. */
  taken: number;
  waiting: number;
  /** When that was, and by when it has to take more, in milliseconds of the monotonic clock. */
  since: number;
  due: number;
}

/**
 * The connections of a server. When all are taken, the one that has been idle for the longest makes way for a new one, so that
 * whoever opens many and says nothing keeps nobody out. Clients that hardly take their answers are cut off: those that are slower
 * than any line, and where answers would take more memory than they may, those that have waited for the longest.
 */
export class Connections {
  readonly #limits: ConnectionLimits;
  readonly #open = new Set<Connection>();
  /** Those without a request under way, the longest first. */
  readonly #idle = new Set<Connection>();
  readonly #bySocket = new WeakMap<Socket, Connection>();
  readonly #timer: NodeJS.Timeout;

  constructor(http: Server, limits: ConnectionLimits) {
    this.#limits = limits;
    const handshakes = new Map<string, Connection>();
    http.on('connection', (socket: Socket) => {
      const connection = this.#add(socket);
      const peer = peerOf(socket);
      handshakes.set(peer, connection);
      socket.once('close', () => handshakes.delete(peer));
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
  begin({ socket }: IncomingMessage, response: ServerResponse): boolean {
    const connection = this.#bySocket.get(socket);
    if (connection === undefined) return true;
    if (connection.answers.size >= MOST_PIPELINED) {
      this.#cut(connection);
      return false;
    }
    this.#idle.delete(connection);
    connection.answers.add(response);
    response.once('close', () => {
      connection.answers.delete(response);
      if (connection.answers.size === 0 && this.#open.has(connection)) this.#idle.add(connection);
    });
    return true;
  }

  /** Cuts off who does not take its answers. @param now milliseconds of the monotonic clock */
  look(now: number): void {
    const waiting: { readonly connection: Connection; readonly bytes: number }[] = [];
    let sum = 0;
    for (const connection of this.#open) {
      let bytes = 0;
      for (const answer of connection.answers) bytes += answer.writableLength;
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
    const connection = { socket, answers: new Set<ServerResponse>(), taken: 0, waiting: 0, since: 0, due: 0 };
    this.#bySocket.set(socket, connection);
    this.#open.add(connection);
    this.#idle.add(connection);
    socket.once('close', () => this.#forget(connection));
    // The new one is the last of those that are idle, and makes way itself when there is no other.
    const [longest] = this.#idle;
    if (this.#open.size > this.#limits.connections) this.#cut(longest);
    return connection;
  }

  #cut(connection: Connection): void {
    this.#forget(connection);
    connection.socket.destroy();
  }

  #forget(connection: Connection): void {
    this.#open.delete(connection);
    this.#idle.delete(connection);
  }
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
