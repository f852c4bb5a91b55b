import { Problem } from '@treering/server';

/** Milliseconds for which an upload waits for the statement that names it. */
const PATIENCE = 10 * 60_000;

interface Staged {
  readonly blob: Uint8Array;
  readonly by: string;
  readonly until: number;
}

/**
 * Uploads that came before their statement, in memory. They are bounded, expire, and are lost with the process: whoever uploaded
 * them sends them again.
 */
export class Staging {
  readonly #staged = new Map<string, Staged>();
  readonly #limit: number;
  /** Bytes that one identity may have waiting. */
  readonly share: number;

  /** @param limit bytes that may wait altogether; one identity may have a quarter of them */
  constructor(limit: number) {
    this.#limit = limit;
    this.share = limit / 4;
  }

  /**
   * @param now milliseconds
   * @throws Problem 503 when too much waits
   */
  put(digest: string, blob: Uint8Array, by: string, now: number): void {
    for (const [name, { until }] of this.#staged) if (until <= now) this.#staged.delete(name);
    const known = this.#staged.get(digest);
    if (known !== undefined) {
      this.#staged.set(digest, { ...known, until: now + PATIENCE });
      return;
    }
    let [all, own] = [blob.length, blob.length];
    for (const staged of this.#staged.values()) {
      all += staged.blob.length;
      if (staged.by === by) own += staged.blob.length;
    }
    if (all > this.#limit || own > this.share)
      throw new Problem(503, 'attachment/too-many', 'too many uploads wait for their statements; log those first', {
        retryAfter: 60,
      });
    this.#staged.set(digest, { blob, by, until: now + PATIENCE });
  }

  /**
   * Takes an upload of so many bytes out; undefined when there is none, or it has expired.
   * @param now milliseconds
   */
  take(digest: string, size: number, now: number): Uint8Array | undefined {
    const staged = this.#staged.get(digest);
    if (staged === undefined || staged.blob.length !== size || staged.until <= now) return undefined;
    this.#staged.delete(digest);
    return staged.blob;
  }
}
