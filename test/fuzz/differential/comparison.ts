import type { Random } from '../random.js';

/** What two implementations made of one input. */
export type Verdict = 'accepted' | 'refused';

/** Something that exists twice: in the product, and written again for the tests from the specification alone, or by somebody else. */
export interface Comparison {
  readonly name: string;
  /** What is compared with what, for people. */
  readonly scenario: string;
  /**
   * Compares both on one input that it makes.
   * @throws Error that says on which input they differ
   */
  readonly compare: (random: Random) => Verdict | Promise<Verdict>;
}

/** The value, or undefined for one of the errors that say that an input is refused. @throws any other error */
export function unlessRefused<T>(read: () => T, kinds: readonly (abstract new (...args: never[]) => Error)[]): T | undefined {
  try {
    return read();
  } catch (error) {
    if (kinds.some((kind) => error instanceof kind)) return undefined;
    throw error;
  }
}

/** @throws Error unless both are alike */
export function requireSame(ours: unknown, theirs: unknown, input: Uint8Array | string): void {
  if (ours === theirs) return;
  const shown = typeof input === 'string' ? JSON.stringify(input) : Buffer.from(input).toString('hex');
  throw new Error(`${String(ours)} here and ${String(theirs)} there for ${shown}`);
}
