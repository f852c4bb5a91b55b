/** Lets only so much be under way at once; the rest waits, in the order in which it came. */
export class Turns {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  /** @param most what may be under way at once */
  constructor(most: number) {
    this.#free = most;
  }

  /** Does the work in its turn. @throws what it throws */
  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      // In a turn of the event loop of its own, so that others are answered in between.
      else setImmediate(next);
    }
  }
}
