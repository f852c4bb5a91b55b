import type { AlarmKind } from '@treering/evidence';
import { HASH_SIZE, MerkleInputError, type ReadTile, TILE_HEIGHT, TILE_WIDTH } from '@treering/merkle';
import { type OpenOptions, openDatabase } from '@treering/storage-sqlite';
import { MONITOR_SCHEMA } from './schema.js';

/** A head that a log signed. */
export interface KnownHead {
  readonly size: number;
  /** 32 bytes */
  readonly root: Uint8Array;
  readonly note: Uint8Array;
  /** When it was first seen, in seconds since the epoch. */
  readonly seen: number;
  /** Who showed it. */
  readonly source: string;
}

/** What a head is kept as. */
export type HeadRole = 'followed' | 'served' | 'shown';

/** Where an audit goes on. */
export interface Progress {
  /** A serialised compact range. */
  readonly position: Uint8Array;
  /** The governance state after these entries. */
  readonly state: Uint8Array;
  /** Deployments that were announced and not followed up, and reports on incidents that are due. */
  readonly intents: Uint8Array;
}

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

/** Complete nodes of one level, as an append creates them. */
export interface NewNodes {
  readonly level: number;
  /** Index of the first one in its level. */
  readonly start: number;
  /** Flat, 32 bytes each. */
  readonly hashes: Uint8Array;
}

/** Something that somebody has to look at. */
export interface Alarm {
  readonly id: number;
  readonly origin: string;
  readonly kind: AlarmKind;
  /** What tells it from other alarms of its kind. */
  readonly about: string;
  readonly message: string;
  /** Seconds since the epoch. */
  readonly raised: number;
  readonly cleared: number | null;
}

/** Something that a webhook has to be told. */
export interface Delivery {
  readonly id: number;
  readonly alarm: number;
  readonly event: 'raised' | 'cleared';
  readonly url: string;
  readonly attempts: number;
}

/** Heads shown by others that are kept of one log, alarms of one kind that may be open for it, and the newest that are kept. */
const MOST_SHOWN = 64;
const MOST_ALARMS = 1000;
const MOST_KEPT = 20_000;

/** What a monitor remembers. Every change is one durable transaction; a kill at any moment loses nothing that was said. */
export class MonitorStore {
  readonly #db: ReturnType<typeof openDatabase>['db'];
  readonly #release: () => void;
  readonly #sql;

  private constructor(path: string, options: OpenOptions) {
    const { db, lock } = openDatabase(path, options, MONITOR_SCHEMA);
    this.#db = db;
    this.#release = () => {
      db.close();
      lock?.close();
    };
    const head = 'SELECT size, root, note, seen, source FROM heads WHERE origin = ? AND role = ? ORDER BY size, root';
    const alarm = 'SELECT id, origin, kind, about, message, raised, cleared FROM alarms';
    this.#sql = {
      progress: db.prepare<[string], Progress>('SELECT position, state, intents FROM progress WHERE origin = ?'),
      setProgress: db.prepare(
        `INSERT INTO progress (origin, position, state, intents) VALUES (?, ?, ?, ?)
         ON CONFLICT (origin) DO UPDATE SET position = excluded.position, state = excluded.state, intents = excluded.intents`,
      ),
      tile: db
        .prepare<[string, number, number], Uint8Array>('SELECT hashes FROM tiles WHERE origin = ? AND level = ? AND idx = ?')
        .pluck(),
      setTile: db.prepare(
        `INSERT INTO tiles (origin, level, idx, hashes) VALUES (?, ?, ?, ?)
         ON CONFLICT (origin, level, idx) DO UPDATE SET hashes = excluded.hashes`,
      ),
      heads: db.prepare<[string, string], KnownHead>(head),
      dropHeads: db.prepare('DELETE FROM heads WHERE origin = ? AND role = ?'),
      dropHead: db.prepare('DELETE FROM heads WHERE origin = ? AND role = ? AND size = ? AND root = ?'),
      addHead: db.prepare(
        `INSERT INTO heads (origin, role, size, root, note, seen, source) VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (origin, role, size, root) DO UPDATE SET note = excluded.note`,
      ),
      standing: db.prepare<[string], Standing>(
        'SELECT judged, smaller, hidden, since, advanced, lag, least, looked, uncompared FROM standing WHERE origin = ?',
      ),
      setStanding: db.prepare(
        `INSERT INTO standing (origin, judged, smaller, hidden, since, advanced, lag, least, looked, uncompared)
         VALUES (@origin, @judged, @smaller, @hidden, @since, @advanced, @lag, @least, @looked, @uncompared)
         ON CONFLICT (origin) DO UPDATE SET judged = @judged, smaller = @smaller, hidden = @hidden, advanced = @advanced,
           lag = @lag, least = @least, looked = @looked, uncompared = @uncompared`,
      ),
      countShown: db.prepare<[string], number>("SELECT count(*) FROM heads WHERE origin = ? AND role = 'shown'").pluck(),
      govern: db.prepare(
        `INSERT INTO governing (origin, idx, entry) VALUES (?, ?, ?)
         ON CONFLICT (origin, idx) DO UPDATE SET entry = excluded.entry`,
      ),
      ungovern: db.prepare('DELETE FROM governing WHERE origin = ? AND idx >= ?'),
      governing: db.prepare<[string, number], { idx: number; entry: Uint8Array }>(
        'SELECT idx, entry FROM governing WHERE origin = ? AND idx < ? ORDER BY idx',
      ),
      raise: db.prepare(
        `INSERT INTO alarms (origin, kind, about, message, raised, pending) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
      ),
      open: db.prepare<[string, string, string], Alarm>(
        `${alarm} WHERE origin = ? AND kind = ? AND about = ? AND cleared IS NULL`,
      ),
      countOpen: db
        .prepare<[string, string], number>('SELECT count(*) FROM alarms WHERE origin = ? AND kind = ? AND cleared IS NULL')
        .pluck(),
      openAlarms: db.prepare<[], Alarm>(`${alarm} WHERE cleared IS NULL ORDER BY id DESC`),
      unproved: db.prepare<[string, number], Alarm & { pending: Uint8Array }>(
        `SELECT id, origin, kind, about, message, raised, cleared, pending FROM alarms
         WHERE origin = ? AND pending IS NOT NULL ORDER BY tries, id LIMIT ?`,
      ),
      prove: db.prepare('UPDATE alarms SET proof = ?, pending = NULL WHERE id = ?'),
      tried: db.prepare('UPDATE alarms SET tries = tries + 1 WHERE id = ?'),
      prune: db.prepare(
        `DELETE FROM alarms WHERE cleared IS NOT NULL AND id <= (SELECT max(id) FROM alarms) - ${MOST_KEPT}
         AND id NOT IN (SELECT alarm FROM deliveries)`,
      ),
      clear: db.prepare('UPDATE alarms SET cleared = ? WHERE id = ? AND cleared IS NULL'),
      alarm: db.prepare<[number], Alarm>(`${alarm} WHERE id = ?`),
      alarms: db.prepare<[], Alarm>(`${alarm} ORDER BY id DESC`),
      proof: db.prepare<[number], Uint8Array | null>('SELECT proof FROM alarms WHERE id = ?').pluck(),
      deliver: db.prepare('INSERT INTO deliveries (alarm, event, url, due) VALUES (?, ?, ?, ?)'),
      due: db.prepare<[number], Delivery>(
        'SELECT id, alarm, event, url, attempts FROM deliveries WHERE due <= ? ORDER BY id LIMIT 100',
      ),
      delivered: db.prepare('DELETE FROM deliveries WHERE id = ?'),
      postpone: db.prepare('UPDATE deliveries SET attempts = attempts + 1, due = ? WHERE id = ?'),
      waiting: db.prepare<[], number>('SELECT count(*) FROM deliveries').pluck(),
    };
  }

  /** @throws StorageError */
  static open(path: string, options: OpenOptions): MonitorStore {
    return new MonitorStore(path, options);
  }

  /** All or nothing. */
  transaction<T>(work: () => T): T {
    return this.#db.transaction(work).immediate();
  }

  progress(origin: string): Progress | undefined {
    const row = this.#sql.progress.get(origin);
    if (row === undefined) return undefined;
    return { position: plain(row.position), state: plain(row.state), intents: plain(row.intents) };
  }

  setProgress(origin: string, { position, state, intents }: Progress): void {
    this.#sql.setProgress.run(origin, position, state, intents);
  }

  /** How a log has behaved; one that was never looked at begins at `now`. */
  standing(origin: string, now: number): Standing {
    const none = { judged: 0, smaller: 0, hidden: 0, lag: 0, least: null, uncompared: null };
    return this.#sql.standing.get(origin) ?? { ...none, since: now, advanced: now, looked: now };
  }

  setStanding(origin: string, standing: Standing): void {
    this.#sql.setStanding.run({ ...standing, origin });
  }

  /**
   * Keeps new nodes of the tile levels; the same ones again change nothing.
   * @throws MerkleInputError for nodes that do not follow those that are there
   */
  addNodes(origin: string, { level, start, hashes }: NewNodes): void {
    if (level % TILE_HEIGHT !== 0) return;
    const tileLevel = level / TILE_HEIGHT;
    const end = start + hashes.length / HASH_SIZE;
    for (let index = Math.floor(start / TILE_WIDTH); index * TILE_WIDTH < end; index++) {
      const first = index * TILE_WIDTH;
      const [from, to] = [Math.max(first, start), Math.min(first + TILE_WIDTH, end)];
      const known = this.#sql.tile.get(origin, tileLevel, index) ?? new Uint8Array(0);
      if (known.length < (from - first) * HASH_SIZE)
        throw new MerkleInputError(`nodes before ${from} of level ${level} are missing`);
      const tile = new Uint8Array(Math.max(known.length, (to - first) * HASH_SIZE));
      tile.set(known);
      tile.set(hashes.subarray((from - start) * HASH_SIZE, (to - start) * HASH_SIZE), (from - first) * HASH_SIZE);
      this.#sql.setTile.run(origin, tileLevel, index, tile);
    }
  }

  /** Tiles of a log that was followed. */
  tiles(origin: string): ReadTile {
    return async ({ level, index, width }) => {
      const tile = this.#sql.tile.get(origin, level, index);
      return tile === undefined ? new Uint8Array(0) : plain(tile).subarray(0, width * HASH_SIZE);
    };
  }

  heads(origin: string, role: HeadRole): KnownHead[] {
    return this.#sql.heads
      .all(origin, role)
      .map(({ root, note, ...head }) => ({ ...head, root: plain(root), note: plain(note) }));
  }

  head(origin: string, role: Exclude<HeadRole, 'shown'>): KnownHead | undefined {
    return this.heads(origin, role)[0];
  }

  /** Sets the one head of a role. */
  setHead(origin: string, role: Exclude<HeadRole, 'shown'>, head: KnownHead): void {
    this.transaction(() => {
      this.#sql.dropHeads.run(origin, role);
      this.#addHead(origin, role, head);
    });
  }

  /** Whether another head that somebody shows may be kept. */
  hasRoomForShown(origin: string): boolean {
    return (this.#sql.countShown.get(origin) ?? 0) < MOST_SHOWN;
  }

  /** Keeps a head that somebody showed, or its new note. */
  addShown(origin: string, head: KnownHead): void {
    this.#addHead(origin, 'shown', head);
  }

  removeShown(origin: string, { size, root }: KnownHead): void {
    this.#sql.dropHead.run(origin, 'shown', size, root);
  }

  #addHead(origin: string, role: HeadRole, { size, root, note, seen, source }: KnownHead): void {
    this.#sql.addHead.run(origin, role, size, root, note, seen, source);
  }

  addGoverning(origin: string, index: number, entry: Uint8Array): void {
    this.#sql.govern.run(origin, index, entry);
  }

  /** Forgets entries that make rules from an index on: they were read of a tree that does not count. */
  dropGoverning(origin: string, from: number): void {
    this.#sql.ungovern.run(origin, from);
  }

  /** Entries that make rules, before an index. */
  governing(origin: string, before: number): { readonly index: number; readonly entry: Uint8Array }[] {
    return this.#sql.governing.all(origin, before).map(({ idx, entry }) => ({ index: idx, entry: plain(entry) }));
  }

  /** The open alarm about something. */
  openAlarm(origin: string, kind: AlarmKind, about: string): Alarm | undefined {
    return this.#sql.open.get(origin, kind, about);
  }

  /** Whether another alarm of a kind may be opened for a log: a flood of one kind leaves room for the others. */
  hasRoom(origin: string, kind: AlarmKind): boolean {
    return (this.#sql.countOpen.get(origin, kind) ?? 0) < MOST_ALARMS;
  }

  /**
   * Opens an alarm, and notes that webhooks have to be told.
   * @param pending what its proof will be made of
   * @returns undefined when it is open already
   */
  raise(alarm: Omit<Alarm, 'id' | 'cleared'>, pending: Uint8Array, urls: readonly string[]): Alarm | undefined {
    return this.transaction(() => {
      const { origin, kind, about, message, raised } = alarm;
      const { changes } = this.#sql.raise.run(origin, kind, about, message, raised, pending);
      if (changes === 0) return undefined;
      const opened = this.openAlarm(origin, kind, about) as Alarm;
      for (const url of urls) this.#sql.deliver.run(opened.id, 'raised', url, 0);
      return opened;
    });
  }

  /** Alarms without a proof, and what it is to be made of; those that were tried least come first. */
  unproved(origin: string, most: number): { readonly alarm: Alarm; readonly pending: Uint8Array }[] {
    return this.#sql.unproved.all(origin, most).map(({ pending, ...alarm }) => ({ alarm, pending: plain(pending) }));
  }

  setProof(id: number, proof: Uint8Array): void {
    this.#sql.prove.run(proof, id);
  }

  /** The proof of an alarm could not be made now. */
  tried(id: number): void {
    this.#sql.tried.run(id);
  }

  /** Closes an alarm. @returns false when it was closed */
  clear(id: number, at: number, urls: readonly string[]): boolean {
    return this.transaction(() => {
      if (this.#sql.clear.run(at, id).changes === 0) return false;
      for (const url of urls) this.#sql.deliver.run(id, 'cleared', url, 0);
      this.#sql.prune.run();
      return true;
    });
  }

  alarm(id: number): Alarm | undefined {
    return this.#sql.alarm.get(id);
  }

  /** The newest first; cleared ones are kept up to a number. */
  alarms(): Alarm[] {
    return this.#sql.alarms.all();
  }

  /** Those that are open, the newest first. */
  openAlarms(): Alarm[] {
    return this.#sql.openAlarms.all();
  }

  /** The proof file of an alarm. */
  proof(id: number): Uint8Array | undefined {
    const proof = this.#sql.proof.get(id);
    return proof === undefined || proof === null ? undefined : plain(proof);
  }

  /** What webhooks have to be told by now. */
  due(now: number): Delivery[] {
    return this.#sql.due.all(now);
  }

  delivered(id: number): void {
    this.#sql.delivered.run(id);
  }

  postpone(id: number, due: number): void {
    this.#sql.postpone.run(due, id);
  }

  get undelivered(): number {
    return this.#sql.waiting.get() ?? 0;
  }

  close(): void {
    this.#release();
  }
}

/** better-sqlite3 returns Buffers; callers get plain byte arrays. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}
