const SIZES = ['quick', 'full', 'soak'] as const;

/** How long fault tests run: `quick` in `npm test`, `full` in `npm run test:faults`, `soak` for hours. */
export type Size = (typeof SIZES)[number];

/** The size of this run. The runner of the tests sets it. @throws Error for one that there is not */
export function faultSize(env: NodeJS.ProcessEnv = process.env): Size {
  const given = env.TREERING_FAULT_SIZE ?? 'quick';
  const size = SIZES.find((known) => known === given);
  if (size === undefined) throw new Error(`TREERING_FAULT_SIZE is '${given}': use ${SIZES.join(', ')}`);
  return size;
}

/** Of three numbers, the one for the size of this run. A soak is ten times a full run where nothing else is said. */
export function forSize({ quick, full, soak = full * 10 }: { quick: number; full: number; soak?: number }): number {
  return { quick, full, soak }[faultSize()];
}
