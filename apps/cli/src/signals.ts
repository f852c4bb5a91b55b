import { EXIT } from './exit.js';

/** Milliseconds in which a further signal is the same request, come by a second way. */
const SAME_REQUEST = 1_000;

/** Resolves with the first signal that asks the process to end. Who asks again later wants it to end at once. */
export function untilSignal(): Promise<'signal'> {
  return new Promise((resolve) => {
    let asked: number | undefined;
    const ask = (): void => {
      if (asked !== undefined && performance.now() - asked > SAME_REQUEST) process.exit(EXIT.failed);
      asked ??= performance.now();
      resolve('signal');
    };
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, ask);
    // Started by "treering up", which is gone without a word: nobody would ever end this process.
    if (process.send !== undefined && !process.connected) process.exit(EXIT.failed);
    if (process.connected) process.once('disconnect', () => process.exit(EXIT.failed));
    // The channel to it keeps nobody from ending.
    process.channel?.unref();
  });
}
