import type { RecordOf } from '@treering/record';
import type { Erasure } from './erasure.js';

/** The part of a log that knows what is logged. */
interface Logged {
  /** The index of an entry once no commit is under way; undefined when it is not logged. Rejects as long as that is unknown. */
  indexOf(leafHash: Uint8Array): Promise<number | undefined>;
}

/**
 * Corrections whose content is perhaps still there, from the moment they are submitted. An erasure that fails is tried again until
 * it is carried out; a process that ends before that finds the correction again at its next start, because no snapshot passes
 * over it.
 */
export class ErasureQueue {
  readonly #erasure: Pick<Erasure, 'carryOut'>;
  readonly #logged: Logged;
  readonly #pause: number;
  readonly #waiting = new Map<string, { readonly leaf: Uint8Array; readonly record: RecordOf<'correction'> }>();
  #timer: NodeJS.Timeout | undefined;

  /** @param pause milliseconds after which an erasure that failed is tried again */
  constructor(erasure: Pick<Erasure, 'carryOut'>, logged: Logged, pause = 5_000) {
    this.#pause = pause;
    this.#erasure = erasure;
    this.#logged = logged;
  }

  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  /** Before a correction is submitted. */
  add(leaf: Uint8Array, record: RecordOf<'correction'>): void {
    this.#waiting.set(keyOf(leaf), { leaf, record });
  }

  /** The correction was refused: there is nothing to erase. */
  remove(leaf: Uint8Array): void {
    this.#waiting.delete(keyOf(leaf));
  }

  /**
   * The correction is logged: erases what it says.
   * @throws what the store threw; it is tried again later
   */
  async carryOut(leaf: Uint8Array, index: number): Promise<void> {
    const waiting = this.#waiting.get(keyOf(leaf));
    if (waiting === undefined) return;
    try {
      await this.#erasure.carryOut(index, waiting.record);
      this.remove(leaf);
    } catch (error) {
      this.retryLater();
      throw error;
    }
  }

  /** Whatever waits is looked at again after some seconds: it is carried out if it is logged, and forgotten if not. */
  retryLater(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#retry();
    }, this.#pause).unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  async #retry(): Promise<void> {
    for (const { leaf } of [...this.#waiting.values()]) {
      try {
        const index = await this.#logged.indexOf(leaf);
        if (index === undefined) this.remove(leaf);
        else await this.carryOut(leaf, index);
      } catch {
        this.retryLater();
      }
    }
  }
}

function keyOf(leaf: Uint8Array): string {
  return Buffer.from(leaf).toString('hex');
}
