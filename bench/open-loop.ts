import { Agent, request } from 'node:http';

/** What came of one request. */
export interface Answered {
  /** Milliseconds since the start at which it was due. */
  readonly due: number;
  /** Milliseconds from then to the end of its answer. */
  readonly latency: number;
  /** 0 when the connection failed. */
  readonly status: number;
  readonly retryAfter: boolean;
}

/** How an open-loop load is made. */
interface OpenLoop {
  readonly url: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Requests each second, whatever the answers to earlier ones take. */
  readonly rate: number;
  /** Requests in all. */
  readonly count: number;
  /** Requests that may be under way at once; one that is due beyond them waits, and its latency counts from when it was due. */
  readonly connections: number;
  bodyOf(index: number): Buffer;
}

/**
 * Sends requests at a fixed rate: a server that becomes slow is not spared the next ones, as it is by clients that wait for their
 * answers. Latency counts from the moment at which a request was due.
 */
export async function openLoop(options: OpenLoop, onAnswer: (answered: Answered) => void): Promise<void> {
  const { rate, count, connections } = options;
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const started = performance.now();
  const pending = new Set<Promise<void>>();
  for (let sent = 0; sent < count; ) {
    const due = Math.min(count, Math.floor(((performance.now() - started) * rate) / 1000) + 1);
    for (; sent < due; sent++) {
      const at = (sent * 1000) / rate;
      const answer = post(options, agent, options.bodyOf(sent)).then(({ status, retryAfter }) => {
        onAnswer({ due: at, latency: performance.now() - started - at, status, retryAfter });
        pending.delete(answer);
      });
      pending.add(answer);
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(pending);
  agent.destroy();
}

/** An idle connection may be closed by the server at the moment at which it is taken: then the request goes out once more. */
function post(options: OpenLoop, agent: Agent, body: Buffer, again = true): Promise<{ status: number; retryAfter: boolean }> {
  const { url, path, headers } = options;
  return new Promise((resolve) => {
    const fail = (): void => resolve({ status: 0, retryAfter: false });
    const sent = request(
      `${url}${path}`,
      { method: 'POST', agent, headers: { ...headers, 'Content-Length': body.length } },
      (response) => {
        response.resume().on('error', fail);
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'] !== undefined }),
        );
      },
    );
    sent.on('error', () => {
      if (again && sent.reusedSocket) resolve(post(options, agent, body, false));
      else fail();
    });
    sent.end(body);
  });
}
