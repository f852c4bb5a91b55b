/**
 * Waits until something holds.
 * @returns milliseconds that it took
 * @throws Error when it does not hold within `seconds`
 */
export async function until(what: string, holds: () => boolean | Promise<boolean>, seconds = 30): Promise<number> {
  const began = performance.now();
  while (performance.now() - began < seconds * 1000) {
    if (await holds()) return performance.now() - began;
    await pause(20);
  }
  throw new Error(`it did not come about within ${seconds} s that ${what}`);
}

/** Waits. */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
