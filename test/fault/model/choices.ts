/** The choices of one run: those that it was given, and from there on always the first, which is that all goes well. */
export class Choices {
  readonly #given: readonly number[];
  /** How many there were to choose from at each point. */
  readonly counts: number[] = [];
  readonly taken: number[] = [];
  readonly told: string[] = [];

  constructor(given: readonly number[]) {
    this.#given = given;
  }

  /** Chooses one of several things that may happen here. The first is that all goes well. */
  choose<T extends string>(what: string, options: readonly T[]): T {
    const taken = this.#given[this.taken.length] ?? 0;
    this.counts.push(options.length);
    this.taken.push(taken);
    if (taken > 0) this.told.push(`${what}: ${options[taken]}`);
    return options[taken];
  }
}

/** What came of all runs. */
export interface Explored {
  readonly runs: number;
  /** Messages of runs that failed, with what had happened in them. */
  readonly failures: readonly string[];
}

/**
 * Runs every run in which at most `faults` things go wrong: a run is a function of its choices, and is repeated from the beginning for
 * each way to go on. Ends early when `enough` runs have failed.
 */
export async function explore(run: (choices: Choices) => Promise<void>, faults: number, enough = 1): Promise<Explored> {
  const open: number[][] = [[]];
  const failures: string[] = [];
  let runs = 0;
  for (let given = open.pop(); given !== undefined && failures.length < enough; given = open.pop()) {
    const choices = new Choices(given);
    runs++;
    try {
      await run(choices);
    } catch (error) {
      failures.push(`${(error as Error).message}\n    after ${choices.told.join('; ') || 'nothing'}`);
    }
    if (given.filter((choice) => choice > 0).length >= faults) continue;
    for (let at = choices.counts.length - 1; at >= given.length; at--)
      for (let other = choices.counts[at] - 1; other > 0; other--) open.push([...choices.taken.slice(0, at), other]);
  }
  return { runs, failures };
}
