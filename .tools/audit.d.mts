export function judge(stdout: string): {
  readonly verdict: 'clean' | 'vulnerable' | 'unknown';
  readonly lines: readonly string[];
};
