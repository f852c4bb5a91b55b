import type { AlarmKind } from '@treering/evidence';
import type { openDatabase } from '@treering/storage-sqlite';
import type { Alarm } from './store.js';

/** Something that a webhook has to be told. */
export interface Delivery {
  readonly id: number;
  readonly alarm: number;
  readonly event: 'raised' | 'cleared';
  readonly url: string;
  /** Attempts that were begun, this one among them. */
  readonly attempts: number;
}

/** Kinds that are told before all others, the gravest first: the log itself betrays. Their ranks are in the schema. */
const GRAVE: readonly AlarmKind[] = ['fork', 'rollback', 'unauthorised', 'bad-entry', 'unwitnessed', 'stale'];

/** Seconds before a delivery is tried again: doubled each time, up to an hour. */
const FIRST_WAIT = 10;
const LONGEST_WAIT = 3600;
/** After so many attempts a delivery is given up; the alarm itself stays. */
const MOST_ATTEMPTS = 40;

/** What webhooks still have to be told, in the store of a monitor. */
export class DeliveryQueue {
  readonly #db: ReturnType<typeof openDatabase>['db'];
  readonly #sql;

  constructor(db: ReturnType<typeof openDatabase>['db']) {
    this.#db = db;
    this.#sql = {
      add: db.prepare('INSERT INTO deliveries (alarm, event, url, due, rank, topic) VALUES (?, ?, ?, 0, ?, ?)'),
      // Of pairs that wait whole the first stays; what comes after them has just been raised.
      between: db.prepare(
        `DELETE FROM deliveries WHERE url = ? AND alarm IN (
           SELECT cleared.alarm FROM deliveries cleared
           JOIN deliveries raised ON raised.alarm = cleared.alarm AND raised.url = cleared.url
             AND raised.event = 'raised' AND raised.attempts = 0
           WHERE cleared.topic = ? AND cleared.topic <> '' AND cleared.url = ? AND cleared.event = 'cleared'
             AND cleared.attempts = 0
           ORDER BY cleared.id LIMIT -1 OFFSET 1)`,
      ),
      urls: db.prepare<[number], string>('SELECT DISTINCT url FROM deliveries WHERE due <= ?').pluck(),
      due: db.prepare<[string, number, number], Omit<Delivery, 'url'>>(
        'SELECT id, alarm, event, attempts FROM deliveries WHERE url = ? AND due <= ? ORDER BY rank, id LIMIT ?',
      ),
      begin: db.prepare('UPDATE deliveries SET attempts = attempts + 1, due = ? WHERE id = ?'),
      remove: db.prepare('DELETE FROM deliveries WHERE id = ?'),
      size: db.prepare<[], number>('SELECT count(*) FROM deliveries').pluck(),
    };
  }

  /**
   * Has webhooks told of an alarm. Where alarms about one thing were raised and cleared again and again before a webhook was told,
   * it is told of the first and of the newest: what flaps does not fill the queue.
   */
  add({ id, origin, kind, about }: Alarm, event: Delivery['event'], urls: readonly string[]): void {
    const rank = GRAVE.includes(kind) ? GRAVE.indexOf(kind) : GRAVE.length;
    const topic = [origin, kind, about].join('\n');
    for (const url of urls) {
      if (event === 'raised') this.#sql.between.run(url, topic, url);
      this.#sql.add.run(id, event, url, rank, topic);
    }
  }

  /** The webhooks that have to be told something by now, in seconds since the epoch. */
  urls(now: number): string[] {
    return this.#sql.urls.all(now);
  }

  /** What a webhook has to be told by now, the gravest first. It is an attempt, after which each has to wait. */
  claim(url: string, now: number, most: number): Delivery[] {
    const due = this.#sql.due.all(url, now, most);
    if (due.length === 0) return [];
    const begin = (): Delivery[] =>
      due.map(({ attempts, ...delivery }) => {
        this.#sql.begin.run(now + Math.min(FIRST_WAIT * 2 ** attempts, LONGEST_WAIT), delivery.id);
        return { ...delivery, url, attempts: attempts + 1 };
      });
    return this.#db.transaction(begin).immediate();
  }

  /** An attempt failed: it is made again later, or given up. */
  failed({ id, attempts }: Delivery): void {
    if (attempts >= MOST_ATTEMPTS) this.remove(id);
  }

  /** The webhook was told, or need not be. */
  remove(id: number): void {
    this.#sql.remove.run(id);
  }

  /** How much webhooks still have to be told. */
  get size(): number {
    return this.#sql.size.get() ?? 0;
  }
}
