import { malformed } from './format.js';

/** The bytes of a file: at once, or piece by piece. */
export type FileBytes = Uint8Array | AsyncIterable<Uint8Array>;

/** Takes bytes from a file in the order in which they stand, and holds no more of it than what was asked for. */
export class ByteSource {
  readonly #pieces: AsyncIterator<Uint8Array> | undefined;
  #held: Uint8Array;
  #at = 0;
  #taken = 0;

  constructor(file: FileBytes) {
    this.#held = file instanceof Uint8Array ? file : new Uint8Array(0);
    this.#pieces = file instanceof Uint8Array ? undefined : file[Symbol.asyncIterator]();
  }

  /** Bytes taken so far. */
  get taken(): number {
    return this.#taken;
  }

  /**
   * The next `size` bytes; good until the next call.
   * @throws EvidenceError when the file ends before
   */
  async take(size: number): Promise<Uint8Array> {
    if (this.#held.length - this.#at < size) await this.#fill(size);
    const bytes = this.#held.subarray(this.#at, this.#at + size);
    this.#at += size;
    this.#taken += size;
    return bytes;
  }

  /** Whether there is nothing left. */
  async atEnd(): Promise<boolean> {
    if (this.#at < this.#held.length) return false;
    for (;;) {
      const next = await this.#pieces?.next();
      if (next === undefined || next.done) return true;
      if (next.value.length === 0) continue;
      [this.#held, this.#at] = [next.value, 0];
      return false;
    }
  }

  /** Ends the reading of the file. */
  async close(): Promise<void> {
    await this.#pieces?.return?.();
  }

  async #fill(size: number): Promise<void> {
    const pieces = [this.#held.subarray(this.#at)];
    let length = pieces[0].length;
    while (length < size) {
      const next = await this.#pieces?.next();
      if (next === undefined || next.done) throw malformed('the file is cut short');
      pieces.push(next.value);
      length += next.value.length;
    }
    const joined = new Uint8Array(length);
    let at = 0;
    for (const piece of pieces) {
      joined.set(piece, at);
      at += piece.length;
    }
    [this.#held, this.#at] = [joined, 0];
  }
}
