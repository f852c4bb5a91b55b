import type { openDatabase } from '@treering/storage-sqlite';

/** How a log has behaved so far. */
export interface Standing {
  /** Entries that were decided once. Those that are replayed after a restart raise nothing again. */
  readonly judged: number;
  /** Points for heads smaller than the largest one that it gave out, and for heads smaller than one that others show. */
  readonly smaller: number;
  readonly hidden: number;
  /** When it was first looked at, in seconds since the epoch. */
  readonly since: number;
  /** When its entries were last read as far as its head, or further than before. */
  readonly advanced: number;
  /** Seconds for which it has kept its newest entries back, the fewest that were left meanwhile, and when it was looked at last. */
  readonly lag: number;
  readonly least: number | null;
  readonly looked: number;
  /** Since when a head that is shown cannot be compared with what was followed; null when all were. */
  readonly uncompared: number | null;
}

/** How logs have behaved so far, in the store of a monitor. */
export class Standings {
  readonly #sql;

  constructor(db: ReturnType<typeof openDatabase>['db']) {
    this.#sql = {
      get: db.prepare<[string], Standing>(
        'SELECT judged, smaller, hidden, since, advanced, lag, least, looked, uncompared FROM standing WHERE origin = ?',
      ),
      set: db.prepare(
        `INSERT INTO standing (origin, judged, smaller, hidden, since, advanced, lag, least, looked, uncompared)
         VALUES (@origin, @judged, @smaller, @hidden, @since, @advanced, @lag, @least, @looked, @uncompared)
         ON CONFLICT (origin) DO UPDATE SET judged = @judged, smaller = @smaller, hidden = @hidden, advanced = @advanced,
           lag = @lag, least = @least, looked = @looked, uncompared = @uncompared`,
      ),
    };
  }

  /** One that was never looked at begins at `now`. */
  get(origin: string, now: number): Standing {
    const none = { judged: 0, smaller: 0, hidden: 0, lag: 0, least: null, uncompared: null };
    return this.#sql.get.get(origin) ?? { ...none, since: now, advanced: now, looked: now };
  }

  set(origin: string, standing: Standing): void {
    this.#sql.set.run({ ...standing, origin });
  }
}
