import { ClientError } from './errors.js';
import { type HttpOptions, LogHttp, parseJsonObject } from './http.js';

/** A monitor as another monitor reaches it: heads are exchanged, and what their trees contain. */
export class MonitorClient {
  readonly #http: LogHttp;

  constructor(url: string, options: HttpOptions = {}) {
    this.#http = new LogHttp(url, { timeout: 5000, largest: 256 * 1024, who: 'the monitor', ...options });
  }

  get url(): string {
    return this.#http.url;
  }

  /**
   * The newest head that it followed, as a signed note, or undefined when it knows none.
   * @param originHash SHA-256 of the log's origin, 64 hex digits
   * @throws ClientError
   */
  async head(originHash: string): Promise<Uint8Array | undefined> {
    const { status, bytes } = await this.#http.send(`/gossip/${originHash}`, {});
    if (status === 404) return undefined;
    if (status !== 200) throw this.#http.refusalOf(status, bytes);
    return bytes;
  }

  /** Shows it a head. @throws ClientError */
  async tell(note: Uint8Array): Promise<void> {
    const { status, bytes } = await this.#http.send('/gossip/checkpoint', {
      method: 'POST',
      headers: { 'Content-Type': 'text/plain; charset=utf-8' },
      body: note as Uint8Array<ArrayBuffer>,
    });
    if (status >= 300) throw this.#http.refusalOf(status, bytes);
  }

  /**
   * What its tree contains at a size: root, and proof to its newest head; unverified.
   * @throws ClientError
   */
  async contained(originHash: string, size: number): Promise<Record<string, unknown>> {
    const { status, bytes } = await this.#http.send(`/gossip/${originHash}/consistency?from=${size}`, {});
    if (status !== 200) throw status === 404 ? notFound() : this.#http.refusalOf(status, bytes);
    return parseJsonObject(bytes);
  }
}

function notFound(): ClientError {
  return new ClientError('client/refused', 'the monitor knows no such tree', { status: 404 });
}
