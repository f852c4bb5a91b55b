import { printable } from '@treering/record';
import { ClientError } from './errors.js';

/** `fetch`, or what stands in for it in a test. */
export type Fetch = (url: string, init?: RequestInit) => Promise<Response>;

/** How requests are made. */
export interface HttpOptions {
  readonly fetch?: Fetch;
  /** Milliseconds until a request is given up. */
  readonly timeout?: number;
  /** The largest answer that is read, in bytes. */
  readonly largest?: number;
  /** Who is asked, for messages: "the log", "the witness". */
  readonly who?: string;
}

/** Requests to one server, with a time limit and a limit on what is read. */
export class LogHttp {
  readonly url: string;
  readonly #fetch: Fetch;
  readonly #timeout: number;
  readonly #largest: number;
  readonly #who: string;

  constructor(url: string, options: HttpOptions = {}) {
    this.url = url.replace(/\/+$/, '');
    this.#fetch = options.fetch ?? ((input, init) => fetch(input, init));
    this.#timeout = options.timeout ?? 30_000;
    this.#largest = options.largest ?? 64 * 1024 * 1024;
    this.#who = options.who ?? 'the log';
  }

  /**
   * @param largest bytes of the answer, when it is known to be smaller than others
   * @throws ClientError client/unreachable, or client/refused with what the log said
   */
  async request(path: string, init: RequestInit = {}, largest = this.#largest): Promise<Uint8Array> {
    const { status, bytes } = await this.send(path, init, largest);
    if (status >= 200 && status < 300) return bytes;
    throw this.refusalOf(status, bytes);
  }

  /** What a status that is no success means. */
  refusalOf(status: number, bytes: Uint8Array): ClientError {
    return refusal(status, bytes, this.#who);
  }

  /** The same for a problem that stands in another answer, as `JSON.parse` gives it. */
  refusalFor(status: number, problem: unknown): ClientError {
    return refusalFor(status, problem, this.#who);
  }

  /** The answer whatever its status. @throws ClientError (client/unreachable) */
  async send(path: string, init: RequestInit, largest = this.#largest): Promise<{ status: number; bytes: Uint8Array }> {
    try {
      const response = await this.#fetch(`${this.url}${path}`, {
        ...init,
        redirect: 'error',
        signal: AbortSignal.timeout(this.#timeout),
      });
      return { status: response.status, bytes: await this.#readBounded(response, Math.min(largest, this.#largest)) };
    } catch (error) {
      if (error instanceof ClientError) throw error;
      const cause = (error as { cause?: { code?: string; message?: string } }).cause;
      throw new ClientError(
        'client/unreachable',
        `${this.#who} at ${this.url} cannot be reached: ${cause?.code ?? cause?.message ?? (error as Error).message}`,
        { cause: error },
      );
    }
  }

  async #readBounded(response: Response, largest: number): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    let size = 0;
    const reader = response.body?.getReader();
    for (let part = await reader?.read(); part !== undefined && !part.done; part = await reader?.read()) {
      size += part.value.length;
      if (size > largest) {
        await reader?.cancel();
        throw new ClientError('client/bad-answer', `${this.#who} answers more than ${largest} bytes`);
      }
      chunks.push(part.value);
    }
    const out = new Uint8Array(size);
    let at = 0;
    for (const chunk of chunks) {
      out.set(chunk, at);
      at += chunk.length;
    }
    return out;
  }
}

function refusal(status: number, bytes: Uint8Array, who: string): ClientError {
  try {
    return refusalFor(status, JSON.parse(new TextDecoder().decode(bytes)), who);
  } catch (error) {
    return new ClientError('client/refused', `${who} answers with status ${status}`, { status, cause: error });
  }
}

function refusalFor(status: number, value: unknown, who: string): ClientError {
  const problem = value as { detail?: unknown; code?: unknown; rule?: unknown } | null;
  const detail = typeof problem?.detail === 'string' ? printable(problem.detail) : `${who} answers with status ${status}`;
  const rule = typeof problem?.rule === 'string' ? ` (decided by: ${printable(problem.rule)})` : '';
  const code = typeof problem?.code === 'string' ? printable(problem.code) : undefined;
  return new ClientError('client/refused', `${detail}${rule}`, { status, ...(code === undefined ? {} : { problem: code }) });
}

/** A JSON object. @throws ClientError (client/bad-answer) */
export function parseJsonObject(bytes: Uint8Array): Record<string, unknown> {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new ClientError('client/bad-answer', 'the log does not answer in JSON', { cause: error });
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw new ClientError('client/bad-answer', 'the log does not answer with a JSON object');
  return json as Record<string, unknown>;
}
