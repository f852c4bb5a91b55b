import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { IMMUTABLE, takesGzip } from './response.js';

/** What is kept, and where it is told of. */
export interface KeptAnswersOptions {
  /** Bytes that answers may take; what was asked for longest ago goes first. */
  readonly bytes: number;
  /**
   * Whether the answer to a request for this target may be kept. It sees the target as it was sent, before any normalisation: take only
   * the one spelling of addresses at which nothing is ever withdrawn.
   */
  readonly isKept: (target: string) => boolean;
  /** Called with every answer that was ready. */
  readonly observe: (labels: { method: string; path: string; status: string }, seconds: number) => void;
}

type Fetch = (request: Request, env?: unknown) => Response | Promise<Response>;

interface Kept {
  readonly headers: readonly string[];
  readonly body: Buffer;
}

/** Bytes of headers, keys and bookkeeping that are counted for each answer. */
const OVERHEAD = 2048;

/**
 * Immutable answers, built and compressed once and then sent as they are. They stand in front of an app: what they do not have, and
 * every request that says more than which path it wants, is the app's.
 */
export class KeptAnswers {
  readonly #options: KeptAnswersOptions;
  readonly #answers = new Map<string, Kept>();
  #bytes = 0;

  constructor(options: KeptAnswersOptions) {
    this.#options = options;
  }

  /** Answers a request if its answer is ready. */
  answer(request: IncomingMessage, response: ServerResponse): boolean {
    const key = this.#keyOf(request);
    const kept = key === undefined ? undefined : this.#answers.get(key);
    if (key === undefined || kept === undefined) return false;
    const started = performance.now();
    this.#answers.delete(key);
    this.#answers.set(key, kept);
    response.writeHead(200, [...kept.headers, 'Request-Id', randomUUID()]);
    response.end(kept.body);
    this.#options.observe({ method: 'GET', path: request.url as string, status: '200' }, (performance.now() - started) / 1000);
    return true;
  }

  /** The app's fetch, which keeps what may be kept. */
  around(fetch: Fetch): Fetch {
    return async (request, env) => {
      const response = await fetch(request, env);
      const { incoming } = (env ?? {}) as { incoming?: IncomingMessage };
      const key = incoming === undefined ? undefined : this.#keyOf(incoming);
      if (key === undefined || response.status !== 200 || response.headers.get('cache-control') !== IMMUTABLE) return response;
      if (!this.#options.isKept(incoming?.url ?? '')) return response;
      const body = Buffer.from(await response.arrayBuffer());
      this.#keep(key, response, body);
      return new Response(body, { status: 200, headers: response.headers });
    };
  }

  #keyOf({ method, url = '', headers }: IncomingMessage): string | undefined {
    if (method !== 'GET') return undefined;
    if (headers['if-none-match'] !== undefined || headers.range !== undefined) return undefined;
    return `${takesGzip(headers['accept-encoding']) ? 'gzip' : 'plain'} ${url}`;
  }

  #keep(key: string, { headers }: Response, body: Buffer): void {
    const size = body.length + OVERHEAD;
    if (size > this.#options.bytes || this.#answers.has(key)) return;
    const own = [...headers].filter(([name]) => name !== 'request-id' && name !== 'content-length');
    this.#answers.set(key, { headers: [...own.flat(), 'content-length', String(body.length)], body });
    this.#bytes += size;
    for (const [oldest, kept] of this.#answers) {
      if (this.#bytes <= this.#options.bytes) break;
      this.#answers.delete(oldest);
      this.#bytes -= kept.body.length + OVERHEAD;
    }
  }
}
