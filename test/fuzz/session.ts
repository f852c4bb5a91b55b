import { keepInCorpus } from './corpus.js';
import { examine, Finding, type Reaction } from './examine.js';
import { mutate } from './mutate.js';
import type { Random } from './random.js';
import { bytesOf, type Target } from './target.js';

/** Inputs of which others are made, at most; longer ones are not. */
const POOL = { most: 256, longest: 8192 };
const LARGEST = 64 * 1024;

/** When a session ends: after so many inputs, or after so many milliseconds. */
export type Share = { readonly inputs: number } | { readonly milliseconds: number };

/** What a session came to. */
export interface SessionResult {
  readonly inputs: number;
  readonly refused: number;
  /** Different ways through the parser. */
  readonly ways: number;
}

/** One target under mutation: inputs that go a new way are mutated further. */
export class Session {
  readonly #target: Target;
  readonly #random: Random;
  readonly #accepted: readonly Uint8Array[];
  readonly #pool: Uint8Array[];
  readonly #ways = new Set<string>();
  /** Told of each input that went a new way. */
  readonly onNew: (bytes: Uint8Array, reaction: Reaction) => void;

  constructor(target: Target, random: Random, onNew: (bytes: Uint8Array, reaction: Reaction) => void = () => undefined) {
    this.#target = target;
    this.#random = random;
    this.#accepted = target.seeds.map(bytesOf);
    this.#pool = [...this.#accepted, ...(target.foreign ?? [])];
    this.onNew = onNew;
  }

  /** Examines an input as it is, without which `run` would not know it. @throws Error that names the file in which what found something is kept */
  async examine(bytes: Uint8Array): Promise<Reaction> {
    let reaction: Reaction;
    try {
      reaction = await examine(this.#target, bytes);
    } catch (error) {
      if (!(error instanceof Finding)) throw error;
      const path = keepInCorpus(this.#target.name, bytes);
      throw new Error(`${this.#target.name}: ${error.message}\nthe input is kept in ${path}`, { cause: error });
    }
    if (!this.#ways.has(reaction.way)) {
      this.#ways.add(reaction.way);
      if (this.#pool.length < POOL.most && bytes.length <= POOL.longest) this.#pool.push(bytes);
      this.onNew(bytes, reaction);
    }
    return reaction;
  }

  async run(share: Share): Promise<SessionResult> {
    const { form, largest = LARGEST } = this.#target;
    const end = 'milliseconds' in share ? performance.now() + share.milliseconds : Number.POSITIVE_INFINITY;
    const most = 'inputs' in share ? share.inputs : Number.POSITIVE_INFINITY;
    let [inputs, refused] = [0, 0];
    for (; inputs < most && performance.now() < end; inputs++) {
      // Timers are due now and then: those of requests that were answered hold memory until then.
      if (inputs % 128 === 0) await new Promise((resolve) => setImmediate(resolve));
      const from = this.#random.oneIn(2) ? this.#accepted : this.#pool;
      const seed = this.#random.pick(from);
      const { accepted } = await this.examine(mutate(seed, this.#random, { form, pool: this.#pool, largest }));
      if (!accepted) refused++;
    }
    return { inputs, refused, ways: this.#ways.size };
  }
}
