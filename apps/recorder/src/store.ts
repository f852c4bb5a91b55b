import { createHash } from 'node:crypto';
import { type OpenOptions, openDatabase, toStorageError } from '@treering/storage-sqlite';
import { RecorderError } from './errors.js';
import type { parseEvent } from './event.js';
import type { Prepared } from './publisher.js';
import { RECORDER_SCHEMA } from './schema.js';
import { segmentOf } from './segment.js';

/** What became of a delivery. `known`: the log had that content of that version already. */
export type DeliveryState = 'waiting' | 'recorded' | 'known' | 'ignored' | 'refused';

/** A delivery as it is listed. */
export interface Delivery {
  readonly id: number;
  /** MLflow's own id of it. */
  readonly delivery: string;
  /** Milliseconds since the epoch. */
  readonly received: number;
  readonly event: string;
  readonly state: DeliveryState;
  readonly attempts: number;
  /** Why it waits or is refused. */
  readonly message: string | null;
  /** 32 bytes, when the log has what it announced. */
  readonly leaf: Uint8Array | null;
  /** True when it is logged and attachments may not be there: they are still kept here. */
  readonly notUploaded: boolean;
}

/** A delivery that is to be recorded. */
export interface Waiting {
  readonly id: number;
  readonly body: Uint8Array;
  readonly attempts: number;
}

const NOT_UPLOADED = 'leaf IS NOT NULL AND EXISTS (SELECT 1 FROM outbox WHERE outbox.delivery = deliveries.id)';

/** What a recorder remembers. Every change is one durable transaction. */
export class RecorderStore {
  readonly #db: ReturnType<typeof openDatabase>['db'];
  readonly #lock: ReturnType<typeof openDatabase>['lock'];
  readonly #path: string;

  private constructor(path: string, options: OpenOptions) {
    const { db, lock } = openDatabase(path, options, RECORDER_SCHEMA);
    this.#db = db;
    this.#lock = lock;
    this.#path = path;
  }

  /** @throws StorageError */
  static open(path: string, options: OpenOptions): RecorderStore {
    return new RecorderStore(path, options);
  }

  close(): void {
    this.#db.close();
    this.#lock?.close();
  }

  /**
   * Keeps a delivery; when this returns, it is on disk.
   * @param body as it came: its digest is kept, and of its content what `parseEvent` lets be kept
   * @param now milliseconds since the epoch
   * @returns 'known' when the same one was kept before, 'other' when another one was, under the same id
   * @throws StorageError
   */
  receive(
    delivery: string,
    body: Uint8Array,
    { event, about, kept }: ReturnType<typeof parseEvent>,
    now: number,
  ): 'new' | 'known' | 'other' {
    return this.#write(() => {
      const content = createHash('sha256').update(body).digest();
      const before = this.#db.prepare('SELECT content FROM deliveries WHERE delivery = ?').pluck().get(delivery) as
        | Buffer
        | undefined;
      if (before !== undefined) return before.equals(content) ? 'known' : 'other';
      this.#db
        .prepare('INSERT INTO deliveries (delivery, content, received, event, body, state) VALUES (?, ?, ?, ?, ?, ?)')
        .run(delivery, content, now, event, kept, about === undefined ? 'ignored' : 'waiting');
      if (about?.source !== undefined)
        this.#db
          .prepare('INSERT INTO sources VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET source = excluded.source')
          .run(about.name, about.version, about.source);
      return 'new';
    });
  }

  /** The oldest delivery whose time has come. */
  due(now: number): Waiting | undefined {
    return this.#db
      .prepare<[number], Waiting>(
        "SELECT id, body, attempts FROM deliveries WHERE state = 'waiting' AND next_at <= ? ORDER BY id LIMIT 1",
      )
      .get(now);
  }

  /** When the next waiting delivery is tried, in milliseconds since the epoch; undefined when none waits. */
  nextAt(): number | undefined {
    return (
      (this.#db.prepare("SELECT min(next_at) FROM deliveries WHERE state = 'waiting'").pluck().get() as number | null) ??
      undefined
    );
  }

  /** Where the files of a version are, as an earlier event said it. */
  source(name: string, version: string): string | undefined {
    return this.#db.prepare('SELECT source FROM sources WHERE name = ? AND version = ?').pluck().get(name, version) as
      | string
      | undefined;
  }

  /**
   * The segment under which a name of the registry is recorded, for good.
   * @throws RecorderError (recorder/refused) when another name has it
   */
  segment(name: string): string {
    const segment = segmentOf(name);
    if (segment === undefined)
      throw new RecorderError('recorder/refused', `nothing of the name ${JSON.stringify(name)} can stand in a subject`);
    return this.#write(() => {
      const owner = this.#db.prepare('SELECT name FROM names WHERE segment = ?').pluck().get(segment) as string | undefined;
      if (owner !== undefined && owner !== name)
        throw new RecorderError(
          'recorder/refused',
          `${JSON.stringify(name)} would be recorded as model/${segment}, which is ${JSON.stringify(owner)}: rename one of them in the registry`,
        );
      if (owner === undefined) this.#db.prepare('INSERT INTO names VALUES (?, ?)').run(name, segment);
      return segment;
    });
  }

  /** What was signed for a delivery and may have been sent. */
  prepared(id: number): Prepared | undefined {
    const statement = this.#db.prepare('SELECT statement FROM outbox WHERE delivery = ?').pluck().get(id) as
      | Uint8Array
      | undefined;
    if (statement === undefined) return undefined;
    const attachments = this.#db
      .prepare<[number], { digest: string; blob: Uint8Array }>('SELECT digest, blob FROM outbox_attachments WHERE delivery = ?')
      .all(id);
    return { statement, attachments };
  }

  /** Keeps what was signed, before it is sent. @throws StorageError */
  keepPrepared(id: number, { statement, attachments }: Prepared): void {
    this.#write(() => {
      this.#db.prepare('INSERT INTO outbox VALUES (?, ?)').run(id, statement);
      for (const { digest, blob } of attachments)
        this.#db.prepare('INSERT INTO outbox_attachments VALUES (?, ?, ?)').run(id, digest, blob);
    });
  }

  /** Forgets what was signed and never came into the log. @throws StorageError */
  dropPrepared(id: number): void {
    this.#write(() => this.#db.prepare('DELETE FROM outbox WHERE delivery = ?').run(id));
  }

  /** Ends the work on a delivery. @throws StorageError */
  finish(id: number, state: Exclude<DeliveryState, 'waiting'>, result: { leaf?: Uint8Array; message?: string }): void {
    this.#write(() => {
      this.#db.prepare('DELETE FROM outbox WHERE delivery = ?').run(id);
      this.#db
        .prepare('UPDATE deliveries SET state = ?, leaf = ?, message = ? WHERE id = ?')
        .run(state, result.leaf ?? null, result.message ?? null, id);
    });
  }

  /** The log has the statement. What was prepared stays until its attachments are there too. @throws StorageError */
  logged(id: number, leaf: Uint8Array): void {
    this.#write(() => this.#db.prepare('UPDATE deliveries SET leaf = ? WHERE id = ?').run(leaf, id));
  }

  /** Whether the log is known to have the statement of a delivery. */
  isLogged(id: number): boolean {
    return this.#db.prepare('SELECT leaf IS NOT NULL FROM deliveries WHERE id = ?').pluck().get(id) === 1;
  }

  /** Ends the work on a delivery that is logged, and keeps the attachments that the log does not take. @throws StorageError */
  leaveNotUploaded(id: number, message: string): void {
    this.#write(() => this.#db.prepare("UPDATE deliveries SET state = 'recorded', message = ? WHERE id = ?").run(message, id));
  }

  /** How many deliveries are logged whose attachments may not be there. */
  notUploaded(): number {
    return this.#db.prepare(`SELECT count(*) FROM deliveries WHERE ${NOT_UPLOADED}`).pluck().get() as number;
  }

  /** Lets a delivery wait. @param at milliseconds since the epoch @throws StorageError */
  postpone(id: number, at: number, message: string): void {
    this.#write(() =>
      this.#db
        .prepare('UPDATE deliveries SET attempts = attempts + 1, next_at = ?, message = ? WHERE id = ?')
        .run(at, message, id),
    );
  }

  /** Lets what was refused, what waits, and what is not uploaded, be tried at once. @throws StorageError */
  retryAll(): void {
    this.#write(() =>
      this.#db
        .prepare(
          `UPDATE deliveries SET state = 'waiting', next_at = 0 WHERE state IN ('waiting', 'refused') OR (${NOT_UPLOADED})`,
        )
        .run(),
    );
  }

  /** How many deliveries are in each state. */
  counts(): Record<DeliveryState, number> {
    const rows = this.#db
      .prepare<[], { state: DeliveryState; n: number }>('SELECT state, count(*) AS n FROM deliveries GROUP BY state')
      .all();
    const none = { waiting: 0, recorded: 0, known: 0, ignored: 0, refused: 0 };
    return { ...none, ...Object.fromEntries(rows.map(({ state, n }) => [state, n])) };
  }

  /** The newest deliveries, the newest first. */
  list(limit: number): Delivery[] {
    return this.#db
      .prepare<[number], Omit<Delivery, 'notUploaded'> & { notUploaded: number }>(
        `SELECT id, delivery, received, event, state, attempts, message, leaf, ${NOT_UPLOADED} AS notUploaded
         FROM deliveries ORDER BY id DESC LIMIT ?`,
      )
      .all(limit)
      .map((row) => ({ ...row, notUploaded: row.notUploaded === 1 }));
  }

  #write<T>(change: () => T): T {
    try {
      return this.#db.transaction(change).immediate();
    } catch (error) {
      if (error instanceof RecorderError) throw error;
      throw toStorageError(error, this.#path);
    }
  }
}
