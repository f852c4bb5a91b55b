import type { Answered } from '../src/ask.js';

/** Answers from pairs of what is expected and what was predicted. */
export function answersOf(
  pairs: readonly (readonly [expected: string | number, predicted: string | number])[],
  slices: readonly string[] = [],
): Answered[] {
  return pairs.map(([expected, predicted], i) => ({
    example: { id: String(i), input: i, expected, slices },
    predicted,
    latency: (i * 7) % 11,
  }));
}

/** An error of this package with a code, and a message that matches. */
export function isError(code: string, message: RegExp): (error: unknown) => boolean {
  return (error) => (error as { code?: unknown }).code === code && message.test((error as Error).message);
}
