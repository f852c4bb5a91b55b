import type { StatementMaker } from './signed-statements.js';

/** Milliseconds after which a statement that was refused is sent again: what `Retry-After` says, and a little. */
const RETRY = 1500;
/** Stands where one was taken, so that it can be let go. */
const EMPTY = Buffer.alloc(0);

/** Statements signed before they are needed, because signing would take the processor from the server. */
export class StatementSupply {
  readonly #maker: StatementMaker;
  #signed: Buffer[] = [];
  #taken = 0;
  /** Statements that were refused, the oldest first, and when they may be sent again. */
  #refused: { readonly at: number; readonly statement: Buffer }[] = [];
  #retried = 0;
  #made = 0;
  /** Milliseconds that signing one took so far. */
  #each = 0.1;

  constructor(maker: StatementMaker) {
    this.#maker = maker;
  }

  /**
   * Signs `count` distinct statements in the place of those that are left, each as of the time at which a load that needs `rate` new ones a
   * second, and begins when all are signed, will send it: the log refuses one whose time is too far from its clock.
   */
  async sign(count: number, rate: number): Promise<void> {
    [this.#signed, this.#taken, this.#refused, this.#retried] = [[], 0, [], 0];
    const started = Date.now();
    const begin = started + count * this.#each;
    for (let i = 0; i < count; i++)
      this.#signed.push(await this.#maker.make(this.#made++, Math.floor((begin + (i * 1000) / rate) / 1000)));
    this.#each = (Date.now() - started) / count;
  }

  /** One that was refused a while ago, or a new one. @throws Error when there is none left */
  next(): Buffer {
    const refused = this.#refused[this.#retried];
    if (refused !== undefined && refused.at <= performance.now()) {
      this.#retried++;
      if (this.#retried === 10_000) {
        this.#refused = this.#refused.slice(this.#retried);
        this.#retried = 0;
      }
      return refused.statement;
    }
    const statement = this.#signed[this.#taken];
    if (statement === undefined) throw new Error(`all ${this.#taken} statements were sent`);
    this.#signed[this.#taken++] = EMPTY;
    return statement;
  }

  /** Takes back one that was refused. */
  putBack(statement: Buffer): void {
    this.#refused.push({ at: performance.now() + RETRY, statement });
  }
}
