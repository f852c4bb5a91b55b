/**
 * The wait before a commit. Submissions that are being checked are announced; a commit that waits a little for them shares its costs,
 * those of many entries, with them. It waits for half of all and not for the last, so that one half is checked while the other commits.
 */
export class Gathering {
  readonly #most: number;
  readonly #waiting: () => number;
  /** Announced, and not come yet. */
  #announced = 0;
  #closed = false;
  #end: (() => void) | undefined;

  /**
   * @param most milliseconds that a commit waits at most; 0 waits for nobody
   * @param waiting how many submissions wait for a commit
   */
  constructor(most: number, waiting: () => number) {
    this.#most = most;
    this.#waiting = waiting;
  }

  /** Says that a submission may follow soon. Call what is returned once, when it has been submitted or will not be. */
  announce(): () => void {
    this.#announced++;
    return () => {
      this.#announced--;
      if (this.#isEnough()) this.#end?.();
    };
  }

  #isEnough(): boolean {
    return this.#waiting() >= this.#announced;
  }

  /** One turn of the event loop, so that everything that has arrived by now is in the batch, and a little time for what was announced. */
  async wait(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#isEnough() || this.#closed || this.#most === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.#most);
      this.#end = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#end = undefined;
  }

  /** Ends the wait under way, and all later ones. */
  close(): void {
    this.#closed = true;
    this.#end?.();
  }
}
