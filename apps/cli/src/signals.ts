/** Resolves with the first signal that asks the process to end. */
export function untilSignal(): Promise<'signal'> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve('signal'));
    // Started by "treering up", which is gone without a word: nobody would ever end this process.
    if (process.connected) process.once('disconnect', () => process.exit(1));
    // The channel to it keeps nobody from ending.
    process.channel?.unref();
  });
}
