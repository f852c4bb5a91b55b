import type { AlarmKind } from '@treering/evidence';
import { HASH_SIZE, MerkleInputError, type ReadTile, TILE_HEIGHT, TILE_WIDTH } from '@treering/merkle';
import { type OpenOptions, openDatabase } from '@treering/storage-sqlite';
import { DeliveryQueue } from './delivery-queue.js';
import { MONITOR_SCHEMA } from './schema.js';
import { type Standing, Standings } from './standings.js';

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

/** A part of a listing of alarms, of which the newest come first. */
export interface AlarmPage {
  /** The id to begin at: newer ones are left out. */
  readonly from?: number;
  readonly limit?: number;
}

/** Open alarms of one kind for one log. */
export interface OpenCount {
  readonly origin: string;
  readonly kind: AlarmKind;
  readonly count: number;
}

/** Heads shown by others that are kept of one log, alarms of one kind that may be open for it, and the newest that are kept. */
const MOST_SHOWN = 64;
const MOST_ALARMS = 1000;
const MOST_KEPT = 20_000;
/** As a limit in SQL: none. */
const ALL = -1;

/** What a monitor remembers. Every change is one durable transaction; a kill at any moment loses nothing that was said. */
export class MonitorStore {
  readonly #db: ReturnType<typeof openDatabase>['db'];
  readonly #release: () => void;
  readonly #sql;
  #queue: DeliveryQueue | undefined;
  #standings: Standings | undefined;

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
      openAbouts: db
        .prepare<[string, string], string>('SELECT about FROM alarms WHERE origin = ? AND kind = ? AND cleared IS NULL')
        .pluck(),
      countsOpen: db.prepare<[], OpenCount>(
        'SELECT origin, kind, count(*) AS count FROM alarms WHERE cleared IS NULL GROUP BY origin, kind',
      ),
      openAlarms: db.prepare<[number, number], Alarm>(`${alarm} WHERE cleared IS NULL AND id <= ? ORDER BY id DESC LIMIT ?`),
      unproved: db.prepare<[string, number], Alarm & { pending: Uint8Array }>(
        `SELECT id, origin, kind, about, message, raised, cleared, pending FROM alarms
         WHERE origin = ? AND pending IS NOT NULL ORDER BY tries, id LIMIT ?`,
      ),
      prove: db.prepare('UPDATE alarms SET proof = ?, pending = NULL WHERE id = ?'),
      tried: db.prepare('UPDATE alarms SET tries = tries + 1 WHERE id = ?'),
      prune: db.prepare(
        `DELETE FROM alarms WHERE cleared IS NOT NULL AND id <= (SELECT max(id) FROM alarms) - ${MOST_KEPT}
         AND NOT EXISTS (SELECT 1 FROM deliveries WHERE alarm = alarms.id)`,
      ),
      clear: db.prepare('UPDATE alarms SET cleared = ? WHERE id = ? AND cleared IS NULL'),
      alarm: db.prepare<[number], Alarm>(`${alarm} WHERE id = ?`),
      alarms: db.prepare<[number, number], Alarm>(`${alarm} WHERE id <= ? ORDER BY id DESC LIMIT ?`),
      proof: db.prepare<[number], Uint8Array | null>('SELECT proof FROM alarms WHERE id = ?').pluck(),
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
    return this.#ofLogs.get(origin, now);
  }

  setStanding(origin: string, standing: Standing): void {
    this.#ofLogs.set(origin, standing);
  }

  get #ofLogs(): Standings {
    // As the queue of deliveries.
    this.#standings ??= new Standings(this.#db);
    return this.#standings;
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

  /** How many more alarms of a kind may be opened for a log: a flood of one kind leaves room for the others. */
  room(origin: string, kind: AlarmKind): number {
    return MOST_ALARMS - (this.#sql.countOpen.get(origin, kind) ?? 0);
  }

  /** What the open alarms of a kind are about. */
  openAbouts(origin: string, kind: AlarmKind): ReadonlySet<string> {
    return new Set(this.#sql.openAbouts.all(origin, kind));
  }

  /**
   * Opens an alarm, and notes that webhooks have to be told.
   * @param pending what its proof will be made of
   * @returns undefined when it is open already
   */
  raise(alarm: Omit<Alarm, 'id' | 'cleared'>, pending: Uint8Array, urls: readonly string[]): Alarm | undefined {
    return this.transaction(() => {
      const { origin, kind, about, message, raised } = alarm;
      const { changes, lastInsertRowid } = this.#sql.raise.run(origin, kind, about, message, raised, pending);
      if (changes === 0) return undefined;
      const opened = { ...alarm, id: Number(lastInsertRowid), cleared: null };
      this.deliveries.add(opened, 'raised', urls);
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
      this.deliveries.add(this.alarm(id) as Alarm, 'cleared', urls);
      this.#sql.prune.run();
      return true;
    });
  }

  alarm(id: number): Alarm | undefined {
    return this.#sql.alarm.get(id);
  }

  /** The newest first; cleared ones are kept up to a number. */
  alarms({ from = Number.MAX_SAFE_INTEGER, limit = ALL }: AlarmPage = {}): Alarm[] {
    return this.#sql.alarms.all(from, limit);
  }

  /** Those that are open, the newest first. */
  openAlarms({ from = Number.MAX_SAFE_INTEGER, limit = ALL }: AlarmPage = {}): Alarm[] {
    return this.#sql.openAlarms.all(from, limit);
  }

  /** How many alarms are open, of each log and kind that has any. */
  openCounts(): OpenCount[] {
    return this.#sql.countsOpen.all();
  }

  /** The proof file of an alarm. */
  proof(id: number): Uint8Array | undefined {
    const proof = this.#sql.proof.get(id);
    return proof === undefined || proof === null ? undefined : plain(proof);
  }

  /** What webhooks still have to be told. */
  get deliveries(): DeliveryQueue {
    // Not before it is asked for: a store that is only read may be of an older version.
    this.#queue ??= new DeliveryQueue(this.#db);
    return this.#queue;
  }

  close(): void {
    this.#release();
  }
}

/** better-sqlite3 returns Buffers; callers get plain byte arrays. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}
