/** One thing that evidence is asked about, and the answer. */
export interface Claim {
  /** Stable name, such as `head-signed` or `included`. */
  readonly name: string;
  /** `not proved` says that the file holds nothing to decide it by: not that it is false. */
  readonly verdict: 'proved' | 'failed' | 'not proved';
  /** A sentence for people. */
  readonly text: string;
  /** How it was found, line by line: what was computed, from what, and what it was compared with. */
  readonly details?: readonly string[];
}

/** True when nothing failed and every claim that was asked for is there and proved, each time that it is made. */
export function holds(claims: readonly Claim[], required: readonly string[]): boolean {
  return (
    claims.every((c) => c.verdict !== 'failed') &&
    required.every((name) => {
      const made = claims.filter((c) => c.name === name);
      return made.length > 0 && made.every((c) => c.verdict === 'proved');
    })
  );
}
