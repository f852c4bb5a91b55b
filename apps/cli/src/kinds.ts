/** Kinds of what `treering record` can record by itself. */
export const KINDS = ['model', 'config', 'foreign', 'record', 'batch'] as const;
