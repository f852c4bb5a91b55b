import { HttpConnection } from './http-connection.js';

/** What came of one request. */
export interface Answered {
  /** Milliseconds since the start at which it was due. */
  readonly due: number;
  /** Milliseconds from then until it was sent: how late the generator was. */
  readonly late: number;
  /** Milliseconds from when it was sent to the end of its answer. */
  readonly latency: number;
  /** 0 when the connection failed twice. */
  readonly status: number;
  readonly retryAfter: boolean;
}

/** One request: all of its head and, of a POST, its body. */
export interface Sent {
  readonly head: string;
  readonly body?: Buffer;
}

/** How an open-loop load is made. */
interface OpenLoop {
  readonly url: string;
  /** Requests each second, whatever the answers to earlier ones take. */
  readonly rate: number;
  readonly seconds: number;
  /** Requests that may be under way at once; one that is due beyond them is sent when there is room, and is late. */
  readonly connections: number;
  next(): Sent;
  onAnswer(answered: Answered, sent: Sent): void;
}

/** Milliseconds between two connections that are opened before the load begins. */
const BETWEEN_CONNECTIONS = 4;

/**
 * Sends requests at a fixed rate: a server that becomes slow is not spared the next ones, as it is by clients that wait for their
 * answers. Connections are there before the first request: Node accepts one in each turn of its loop, which takes seconds for a thousand.
 */
export async function openLoop(options: OpenLoop): Promise<void> {
  const { url, rate, seconds, connections, next, onAnswer } = options;
  const free: HttpConnection[] = [];
  for (let i = 0; i < connections; i++) {
    const connection = new HttpConnection(url);
    connection.open();
    free.push(connection);
    await new Promise((resolve) => setTimeout(resolve, BETWEEN_CONNECTIONS));
  }
  const count = Math.round(rate * seconds);
  const started = performance.now();
  let sent = 0;
  let answered = 0;
  await new Promise<void>((resolve, reject) => {
    const send = (connection: HttpConnection): void => {
      const due = (sent++ * 1000) / rate;
      const request = next();
      const at = performance.now();
      connection.send(request.head, request.body, (status, retryAfter) => {
        const latency = performance.now() - at;
        free.push(connection);
        onAnswer({ due, late: at - started - due, latency, status, retryAfter }, request);
        if (++answered === count) resolve();
      });
    };
    const sendDue = (): void => {
      try {
        const due = Math.min(count, Math.floor(((performance.now() - started) * rate) / 1000) + 1);
        while (sent < due && free.length > 0) send(free.pop() as HttpConnection);
        if (sent < count) setTimeout(sendDue, 1);
      } catch (error) {
        reject(error);
      }
    };
    sendDue();
  });
  for (const connection of free) connection.close();
}

/** The head of a request. */
export function headOf(method: string, url: string, path: string, headers: Readonly<Record<string, string>> = {}): string {
  const lines = Object.entries({ Host: new URL(url).host, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`;
}
