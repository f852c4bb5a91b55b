import type { ByteBudget } from '@treering/server';

/**
 * Bytes of a body that are taken piece by piece. What has been received and not yet released counts against a budget that all
 * bodies share, so that nobody's body is held as a whole. A body that breaks off ends there.
 */
export class ByteSource {
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #budget: ByteBudget;
  /** Resolves when nothing more is waited for. */
  readonly #late: Promise<'late'>;
  #parts: Uint8Array[] = [];
  /** Bytes in `#parts`. */
  #size = 0;
  /** Bytes that the budget has given. */
  #held = 0;
  #ended = false;
  #failure: unknown;

  /** @param deadline ends the body: a client that sends slowly learns how far it came before its connection is closed */
  constructor(chunks: AsyncIterable<Uint8Array>, budget: ByteBudget, deadline?: AbortSignal) {
    this.#chunks = chunks[Symbol.asyncIterator]();
    this.#budget = budget;
    this.#late = new Promise((resolve) => {
      deadline?.addEventListener('abort', () => resolve('late'), { once: true });
    });
  }

  /** Why the body ended before its end; undefined when it did not. */
  get failure(): unknown {
    return this.#failure;
  }

  /** The next `length` bytes, or undefined when the body ends before. What is there then is dropped. */
  async take(length: number): Promise<Uint8Array | undefined> {
    while (this.#size < length) if (!(await this.#receive())) return undefined;
    if (length === 0) return new Uint8Array(0);
    this.#size -= length;
    const [first] = this.#parts;
    if (first.length >= length) {
      if (first.length === length) this.#parts.shift();
      else this.#parts[0] = first.subarray(length);
      return first.subarray(0, length);
    }
    const out = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      const part = this.#parts[0];
      const used = part.subarray(0, length - at);
      out.set(used, at);
      at += used.length;
      if (used.length === part.length) this.#parts.shift();
      else this.#parts[0] = part.subarray(used.length);
    }
    return out;
  }

  async #receive(): Promise<boolean> {
    if (this.#ended) return false;
    try {
      const next = await Promise.race([this.#chunks.next(), this.#late]);
      if (next === 'late') throw new Error('it comes too slowly');
      const { done, value } = next;
      if (done !== true) {
        this.#budget.take(value.length);
        this.#held += value.length;
        this.#size += value.length;
        if (value.length > 0) this.#parts.push(value);
        return true;
      }
    } catch (error) {
      this.#failure = error;
    }
    this.#ended = true;
    return false;
  }

  /** What was taken so far is no longer needed. */
  release(): void {
    this.#budget.give(this.#held - this.#size);
    this.#held = this.#size;
  }

  /** Reads no more, and gives everything back. */
  close(): void {
    this.#ended = true;
    this.#parts = [];
    this.#size = 0;
    this.release();
    // A client that pauses would keep us waiting for the end, and one that has gone away cannot be told.
    this.#chunks.return?.().catch(() => undefined);
  }
}
