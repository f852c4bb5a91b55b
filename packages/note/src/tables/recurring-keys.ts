/** Keys whose signatures are counted at a time. */
const COUNTED = 4096;

/** Which keys have a table, and which have earned one. Everything here is bounded; the key that was used longest ago goes. */
export class RecurringKeys {
  readonly #limit: number;
  readonly #after: number;
  /** Slots of tables by key, and signatures by key that has no table: in the order in which they were last used. */
  readonly #slots = new Map<string, number>();
  readonly #counts = new Map<string, number>();

  /**
   * @param limit keys that may have a table
   * @param after signatures that a key has to have before it earns one
   */
  constructor(limit: number, after: number) {
    this.#limit = limit;
    this.#after = after;
  }

  /** The slot of the key's table, if it has one. It was used now. */
  slotOf(key: string): number | undefined {
    const slot = this.#slots.get(key);
    if (slot !== undefined) {
      this.#slots.delete(key);
      this.#slots.set(key, slot);
    }
    return slot;
  }

  /** Whether a key without a table has earned one. */
  hasEarned(key: string): boolean {
    return (this.#counts.get(key) ?? 0) >= this.#after;
  }

  /** Counts a signature of a key without a table. */
  count(key: string): void {
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.delete(key);
    this.#counts.set(key, count);
    if (this.#counts.size > COUNTED) this.#counts.delete(first(this.#counts));
  }

  /**
   * Gives a key that has no table a slot, from 0 up; that of another key when all are taken, which has to earn a new one.
   * @param fill writes the table; when it throws, the key has none
   */
  assign(key: string, fill: (slot: number) => void): number {
    let slot = this.#slots.size;
    if (slot === this.#limit) {
      const oldest = first(this.#slots);
      slot = this.#slots.get(oldest) as number;
      this.#slots.delete(oldest);
    }
    fill(slot);
    this.#slots.set(key, slot);
    this.#counts.delete(key);
    return slot;
  }
}

function first(map: ReadonlyMap<string, number>): string {
  return map.keys().next().value as string;
}
