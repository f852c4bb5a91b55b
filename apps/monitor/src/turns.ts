/** Work on one log, one piece after the other. What cannot wait goes before what visitors brought. */
export class Turns {
  readonly #urgent: (() => Promise<void>)[] = [];
  readonly #others: (() => Promise<void>)[] = [];
  #busy = false;

  /** Pieces of visitors that wait. */
  get waiting(): number {
    return this.#others.length;
  }

  /** Does a piece of work when its turn has come. @param urgent whether it goes before what visitors brought */
  take<T>(work: () => Promise<T>, urgent: boolean): Promise<T> {
    return new Promise((resolve, reject) => {
      (urgent ? this.#urgent : this.#others).push(() => work().then(resolve, reject));
      this.#next();
    });
  }

  #next(): void {
    if (this.#busy) return;
    const work = this.#urgent.shift() ?? this.#others.shift();
    if (work === undefined) return;
    this.#busy = true;
    void work().finally(() => {
      this.#busy = false;
      this.#next();
    });
  }
}
