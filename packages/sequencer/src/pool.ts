import { SequencerError } from './errors.js';

/** How much may wait at once. Beyond it a submission is refused at once, with nothing half-done. */
export interface PoolLimits {
  readonly entries: number;
  readonly bytes: number;
}

/** A bounded queue of submissions, in the order of arrival. */
export class Pool<T extends { readonly size: number }> {
  readonly #limits: PoolLimits;
  #waiting: T[] = [];
  #bytes = 0;

  constructor(limits: PoolLimits) {
    this.#limits = limits;
  }

  get length(): number {
    return this.#waiting.length;
  }

  /** @throws SequencerError (sequencer/overloaded) when there is no room */
  add(item: T): void {
    if (this.#waiting.length >= this.#limits.entries || this.#bytes + item.size > this.#limits.bytes) {
      throw new SequencerError(
        'sequencer/overloaded',
        `the log has ${this.#waiting.length} entries waiting and takes no more now; try again in a second`,
      );
    }
    this.#waiting.push(item);
    this.#bytes += item.size;
  }

  /** Removes and returns the oldest items, at most `count`. */
  take(count: number): T[] {
    const taken = this.#waiting.slice(0, count);
    this.#waiting = this.#waiting.slice(count);
    for (const item of taken) this.#bytes -= item.size;
    return taken;
  }
}
