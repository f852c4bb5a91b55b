import { printable } from '@treering/record';
import { ClientError } from './errors.js';

/** `fetch`, or what stands in for it in a test. */
export type Fetch = (url: string, init?: RequestInit) => Promise<Response>;

/** How requests are made. */
export interface HttpOptions {
  readonly fetch?: Fetch;
  /** Milliseconds until a request is given up. */
  readonly timeout?: number;
}

/** The largest answer that is read, in bytes. */
const MAX_ANSWER = 64 * 1024 * 1024;

/** Requests to one server, with a time limit and a limit on what is read. */
export class LogHttp {
  readonly url: string;
  readonly #who: string;
  readonly #fetch: Fetch;
  readonly #timeout: number;

  /** @param who answers, in messages: `log` or `mirror` */
  constructor(url: string, options: HttpOptions = {}, who = 'log') {
    this.url = url.replace(/\/+$/, '');
    this.#who = who;
    this.#fetch = options.fetch ?? ((input, init) => fetch(input, init));
    this.#timeout = options.timeout ?? 30_000;
  }

  /**
   * @throws ClientError client/unreachable, or client/refused with what the log said
   */
  async request(path: string, init: RequestInit = {}): Promise<Uint8Array> {
    const { status, bytes } = await this.send(path, init);
    if (status >= 200 && status < 300) return bytes;
    throw this.refusalOf(status, bytes);
  }

  /** What a status that is no success means. */
  refusalOf(status: number, bytes: Uint8Array): ClientError {
    return refusal(status, bytes, this.#who);
  }

  /** The answer whatever its status. @throws ClientError (client/unreachable) */
  async send(path: string, init: RequestInit): Promise<{ status: number; bytes: Uint8Array }> {
    try {
      const response = await this.#fetch(`${this.url}${path}`, {
        ...init,
        redirect: 'error',
        signal: AbortSignal.timeout(this.#timeout),
      });
      return { status: response.status, bytes: await readBounded(response, this.#who) };
    } catch (error) {
      if (error instanceof ClientError) throw error;
      const cause = (error as { cause?: { code?: string; message?: string } }).cause;
      throw new ClientError(
        'client/unreachable',
        `the ${this.#who} at ${this.url} cannot be reached: ${cause?.code ?? cause?.message ?? (error as Error).message}`,
        { cause: error },
      );
    }
  }
}

async function readBounded(response: Response, who: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  const reader = response.body?.getReader();
  for (let part = await reader?.read(); part !== undefined && !part.done; part = await reader?.read()) {
    size += part.value.length;
    if (size > MAX_ANSWER) {
      await reader?.cancel();
      throw new ClientError('client/bad-answer', `the ${who} answers more than ${MAX_ANSWER} bytes`);
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

function refusal(status: number, bytes: Uint8Array, who: string): ClientError {
  let problem: { detail?: unknown; code?: unknown; rule?: unknown } = {};
  try {
    problem = JSON.parse(new TextDecoder().decode(bytes)) as typeof problem;
  } catch (error) {
    return new ClientError('client/refused', `the ${who} answers with status ${status}`, { status, cause: error });
  }
  const detail = typeof problem?.detail === 'string' ? printable(problem.detail) : `the ${who} answers with status ${status}`;
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
