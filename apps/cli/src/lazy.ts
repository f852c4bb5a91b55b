/**
 * A function whose module is loaded when it is called: a command loads what it needs itself, and not what all others need.
 * @param load such as `async () => (await import('./commands/up.js')).up`
 */
export function lazy<A extends readonly unknown[], R>(
  load: () => Promise<(...args: A) => Promise<R>>,
): (...args: A) => Promise<R> {
  return async (...args) => (await load())(...args);
}
