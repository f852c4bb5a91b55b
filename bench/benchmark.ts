/** One figure of a trial by its name, for example `entries/s`. */
export type Figures = Readonly<Record<string, number>>;

/** What one trial measures. */
export interface Subject {
  readonly name: string;
  /** The subject of the same benchmark that this one is compared with; a rival itself has none. */
  readonly rival?: string;
  /** How often it is measured, when that differs from its benchmark. */
  readonly trials?: number;
  /** False leaves it out of a quick run: another subject takes the same path with other numbers. */
  readonly quick?: boolean;
  /**
   * Runs once, in a process of its own. `quick` does only enough to show that it works.
   * @throws Unavailable when this machine lacks what it takes
   */
  measure(quick: boolean): Promise<Figures>;
}

/** Subjects that do the same work in different ways. */
export interface Benchmark {
  readonly name: string;
  /** One sentence on what is measured. */
  readonly title: string;
  /** How often each subject is measured. */
  readonly trials: number;
  readonly subjects: readonly Subject[];
}

/** Says why a subject cannot be measured on this machine. Nothing is wrong: it is left out of the results. */
export class Unavailable extends Error {
  override readonly name = 'Unavailable';
}

/** What a trial prints, as one line of JSON. */
export type Outcome = { readonly figures: Figures } | { readonly skipped: string };

/** One figure over all trials of a subject, and its relation to the rival's median in the same run. */
export interface Summary {
  readonly subject: string;
  readonly figure: string;
  readonly trials: number;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly rival?: string;
  readonly ratio?: number;
}

/** Summarises the trials of a benchmark; `trials` holds each subject's figures under its name. */
export function summarise({ subjects }: Benchmark, trials: ReadonlyMap<string, readonly Figures[]>): Summary[] {
  const figuresOf = (subject: string): readonly Figures[] => trials.get(subject) ?? [];
  return subjects.flatMap(({ name, rival }) =>
    Object.keys(figuresOf(name)[0] ?? {}).map((figure): Summary => {
      const values = figuresOf(name).map((figures) => figures[figure]);
      const own = {
        subject: name,
        figure,
        trials: values.length,
        median: median(values),
        min: Math.min(...values),
        max: Math.max(...values),
      };
      const others = rival === undefined ? [] : figuresOf(rival).map((figures) => figures[figure]);
      if (rival === undefined || others.length === 0 || others.includes(undefined as never)) return own;
      return { ...own, rival, ratio: own.median / median(others) };
    }),
  );
}

/** The value below which the given part (0 to 1) of the sorted values lies. */
export function quantile(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
}

/** The middle value, or the mean of the two in the middle. */
function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
