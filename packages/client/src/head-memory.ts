/** Remembers the newest head of each log, so that a log can never show this client an older or another history. */
export interface HeadMemory {
  /** The signed note remembered for an origin, or undefined at first contact. */
  load(origin: string): Promise<Uint8Array | undefined>;
  save(origin: string, note: Uint8Array): Promise<void>;
}

/** A memory that ends with the process. */
export function createHeadMemory(): HeadMemory {
  const heads = new Map<string, Uint8Array>();
  return {
    load: async (origin) => heads.get(origin),
    async save(origin, note) {
      heads.set(origin, note);
    },
  };
}
