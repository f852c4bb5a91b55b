import type { RecordOf } from '@treering/record';
import type { Erasure } from './erasure.js';

/** The part of a log that knows what is logged. */
interface Logged {
  /** The index of an entry once no commit is under way; undefined when it is not logged. Rejects as long as that is unknown. */
  indexOf(leafHash: Uint8Array): Promise<number | undefined>;
}

/** A correction whose content is perhaps still there. The same one may be submitted several times at once. */
interface Open {
  readonly leaf: Uint8Array;
  readonly record: RecordOf<'correction'>;
  /** Submissions whose outcome is still to come. */
  underWay: number;
  /** Which of the failures, counted over all, left it to be tried again; 0 for none. */
  left: number;
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
  readonly #open = new Map<string, Open>();
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param pause milliseconds after which an erasure that failed is tried again */
  constructor(erasure: Pick<Erasure, 'carryOut'>, logged: Logged, pause = 5_000) {
    this.#pause = pause;
    this.#erasure = erasure;
    this.#logged = logged;
  }

  get isEmpty(): boolean {
    return this.#open.size === 0;
  }

  /** Before a correction is submitted. Each call is followed by one of `refused`, `unknown` and `carryOut`. */
  add(leaf: Uint8Array, record: RecordOf<'correction'>): void {
    const open = this.#open.get(keyOf(leaf)) ?? { leaf, record, underWay: 0, left: 0 };
    open.underWay++;
    this.#open.set(keyOf(leaf), open);
  }

  /** The submission was refused: it has nothing erased. Another one of the same correction may still be. */
  refused(leaf: Uint8Array): void {
    this.#end(leaf, false);
  }

  /** Nobody knows whether the submission is logged: it is carried out if it is, and forgotten if not. */
  unknown(leaf: Uint8Array): void {
    this.#end(leaf, true);
  }

  /**
   * The submission is logged: erases what it says. Doing it twice does no harm.
   * @throws what the store threw; it is tried again later
   */
  async carryOut(leaf: Uint8Array, index: number, record: RecordOf<'correction'>): Promise<void> {
    try {
      await this.#erasure.carryOut(index, record);
    } catch (error) {
      this.#end(leaf, true);
      throw error;
    }
    this.#end(leaf, false);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #end(leaf: Uint8Array, again: boolean): void {
    const open = this.#open.get(keyOf(leaf));
    if (open === undefined) return;
    open.underWay--;
    if (again) this.#leave(open);
    this.#forget(open);
  }

  #leave(open: Open): void {
    open.left = ++this.#failures;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.#retry();
    }, this.#pause).unref();
  }

  #forget({ leaf, underWay, left }: Open): void {
    if (underWay === 0 && left === 0) this.#open.delete(keyOf(leaf));
  }

  async #retry(): Promise<void> {
    for (const open of [...this.#open.values()].filter(({ left }) => left > 0)) {
      const { leaf, record, left } = open;
      try {
        const index = await this.#logged.indexOf(leaf);
        if (index !== undefined) await this.#erasure.carryOut(index, record);
        // What failed meanwhile has a turn of its own.
        if (open.left === left) open.left = 0;
        this.#forget(open);
      } catch {
        this.#leave(open);
      }
    }
  }
}

function keyOf(leaf: Uint8Array): string {
  return Buffer.from(leaf).toString('hex');
}
