import { createHash } from 'node:crypto';
import { equalBytes } from '@treering/merkle';
import { formatVerifierKey, parseVerifierKey, type VerifierKey } from '@treering/note';
import type { StorageError } from '@treering/storage';
import { type OpenOptions, openDatabase, toStorageError } from '@treering/storage-sqlite';
import type { GenerationAnchor } from './anchor.js';
import { WitnessError } from './errors.js';
import { WITNESS_SCHEMA } from './schema.js';

/** A head that the witness has cosigned. */
export interface CosignedHead {
  readonly size: bigint;
  /** 32 bytes */
  readonly root: Uint8Array;
  /** Seconds since the epoch, as in the cosignatures. */
  readonly time: number;
  /** With the log's signatures and the witness's. */
  readonly note: Uint8Array;
}

/** A head that an upload to the mirror may lead to. */
export type PendingHead = Omit<CosignedHead, 'time'>;

/** The head that the mirror has cosigned last. */
export interface MirroredHead extends CosignedHead {
  /** Why the copy is not what was cosigned, until the operator unlocks it; undefined when it is. */
  readonly lost: string | undefined;
  /** True while a copy that was lost is filled again: it does not have all entries of this head. */
  readonly refilling: boolean;
}

/** A head that was cosigned and that the store did not know. */
export interface ForgottenHead extends Omit<PendingHead, 'note'> {
  readonly origin: string;
  /** With the log's signatures and those that were forgotten; undefined when the log's were not there. */
  readonly note: Uint8Array | undefined;
}

/** Heads of one log from which its cosigners go on after an unlocking. */
export interface Vouched {
  readonly origin: string;
  /** Larger than that of the store; undefined when none is. */
  readonly head?: CosignedHead | undefined;
  /** The same of the mirror, and whether its copy lacks entries of it. */
  readonly mirrored?: (CosignedHead & { readonly refilling: boolean }) | undefined;
  /** True when the mirror has cosigned nothing newer; else it cosigns nothing below the witness's head. */
  readonly mirrorIsNewest: boolean;
}

interface HeadRow {
  size: Uint8Array;
  root: Uint8Array;
  time: number;
  note: Uint8Array;
}

interface MirrorRow extends HeadRow {
  lost: string | null;
  refilling: number;
}

interface Waiting {
  /** Changes the tables, and the digest of the heads. False when somebody else was faster. */
  readonly change: (digest: Buffer) => boolean;
  readonly resolve: (replaced: boolean) => void;
  readonly reject: (error: unknown) => void;
}

/** Contradicting heads that are kept of one log. */
const MOST_CONTRADICTIONS = 64;
/** Heads of one log that an upload may lead to: those that were cosigned last. */
const MOST_PENDING = 16;

/**
 * What a witness remembers. Changes that come while one is written are written together: a transaction, its fsync and that of the
 * anchor, and only then does any of their callers go on.
 */
export class WitnessStore {
  readonly #db: ReturnType<typeof openDatabase>['db'];
  readonly #release: () => void;
  readonly #path: string;
  readonly #anchor: GenerationAnchor;
  readonly #waiting: Waiting[] = [];
  readonly #sql;
  /** Only this process adds logs: it holds the lock. */
  #origins: readonly string[] | undefined;
  /** The keys of the store that were used. */
  readonly #parsed = new Map<string, VerifierKey>();
  #scheduled = false;
  #broken: StorageError | undefined;
  #lockedHere: string | undefined;

  private constructor(path: string, options: OpenOptions, anchor: GenerationAnchor) {
    const { db, lock } = openDatabase(path, options, WITNESS_SCHEMA);
    this.#db = db;
    this.#release = () => {
      db.close();
      lock?.close();
    };
    this.#path = path;
    this.#anchor = anchor;
    this.#sql = {
      keys: db.prepare<[string], string>('SELECT vkey FROM logs WHERE origin = ?').pluck(),
      origins: db.prepare<[], string>('SELECT DISTINCT origin FROM logs ORDER BY origin').pluck(),
      addKey: db.prepare('INSERT INTO logs (origin, vkey) VALUES (?, ?) ON CONFLICT DO NOTHING'),
      head: db.prepare<[string], HeadRow>('SELECT size, root, time, note FROM heads WHERE origin = ?'),
      setHead: db.prepare(
        `INSERT INTO heads (origin, size, root, time, note) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (origin) DO UPDATE SET size = excluded.size, root = excluded.root, time = excluded.time, note = excluded.note`,
      ),
      contradictions: db
        .prepare<[string], Uint8Array>('SELECT note FROM contradictions WHERE origin = ? ORDER BY size, root')
        .pluck(),
      contradict: db.prepare(
        `INSERT INTO contradictions (origin, size, root, note) SELECT @origin, @size, @root, @note
         WHERE (SELECT count(*) FROM contradictions WHERE origin = @origin) < ${MOST_CONTRADICTIONS} ON CONFLICT DO NOTHING`,
      ),
      addPending: db.prepare(
        `INSERT INTO pending (origin, size, root, note) VALUES (?, ?, ?, ?)
         ON CONFLICT (origin, size) DO UPDATE SET root = excluded.root, note = excluded.note`,
      ),
      trimPending: db.prepare(
        `DELETE FROM pending WHERE origin = @origin AND size NOT IN
         (SELECT size FROM pending WHERE origin = @origin ORDER BY size DESC LIMIT ${MOST_PENDING})`,
      ),
      pending: db.prepare<[string, Uint8Array], Omit<HeadRow, 'time'>>(
        'SELECT size, root, note FROM pending WHERE origin = ? AND size = ?',
      ),
      mirror: db.prepare<[string], MirrorRow>('SELECT size, root, time, note, lost, refilling FROM mirrors WHERE origin = ?'),
      setMirror: db.prepare(
        `INSERT INTO mirrors (origin, size, root, time, note, refilling) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (origin) DO UPDATE SET size = excluded.size, root = excluded.root, time = excluded.time,
         note = excluded.note, refilling = excluded.refilling`,
      ),
      mirrors: db.prepare<[], HeadRow & { origin: string }>('SELECT origin, size, root, time, note FROM mirrors'),
      loseMirror: db.prepare('UPDATE mirrors SET lost = ? WHERE origin = ?'),
      refill: db
        .prepare<[], string>('UPDATE mirrors SET lost = NULL, refilling = 1 WHERE lost IS NOT NULL RETURNING origin')
        .pluck(),
      state: db.prepare<[], { generation: number; locked: string | null }>('SELECT generation, locked FROM state'),
      heads: db.prepare<[], HeadRow & { origin: string }>('SELECT origin, size, root, time, note FROM heads'),
      digest: db.prepare<[], Uint8Array>('SELECT digest FROM state').pluck(),
      count: db
        .prepare<[Uint8Array], number>('UPDATE state SET generation = generation + 1, digest = ? RETURNING generation')
        .pluck(),
      setLocked: db.prepare('UPDATE state SET locked = ?'),
      forget: db.prepare(
        `INSERT INTO forgotten (origin, size, root, note) VALUES (?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET note = coalesce(excluded.note, note)`,
      ),
      forgotten: db.prepare<[], Omit<HeadRow, 'time' | 'note'> & { origin: string; note: Uint8Array | null }>(
        'SELECT origin, size, root, note FROM forgotten ORDER BY origin, size',
      ),
    };
  }

  /**
   * Opens a store. One that counts fewer changes than its anchor, whose anchor is gone, or whose heads are not those of its
   * count, is locked.
   * @throws StorageError
   */
  static open(path: string, options: OpenOptions, anchor: GenerationAnchor): WitnessStore {
    const store = new WitnessStore(path, options, anchor);
    try {
      if (options.mode === 'open') store.#compareWithAnchor();
      return store;
    } catch (error) {
      store.close();
      throw error;
    }
  }

  #compareWithAnchor(): void {
    const { generation } = this.#sql.state.get() as { generation: number };
    const anchored = this.#anchor.read();
    if (anchored === undefined && generation > 0)
      this.lock('the anchor of the store is gone, so nobody knows whether the store is the newest one');
    if (anchored !== undefined && anchored > generation)
      this.lock(`the store counts ${generation} changes and its anchor ${anchored}: it is an older copy`);
    if (
      !equalBytes(
        this.#read(() => this.#digestOfAll()),
        this.#sql.digest.get() as Uint8Array,
      )
    )
      this.lock(
        'the heads in the store are not those that its number of changes stands for: its files are of different copies',
      );
  }

  #digestOfAll(): Buffer {
    const digest = Buffer.alloc(32);
    for (const { origin, ...row } of this.#sql.heads.iterate()) xorInto(digest, hashOfHead(origin, row));
    for (const { origin, ...row } of this.#sql.mirrors.iterate()) xorInto(digest, hashOfMirror(origin, row));
    return digest;
  }

  /** Why the witness may not cosign until an operator unlocks it; undefined when it may. */
  get locked(): string | undefined {
    return this.#lockedHere ?? this.#read(() => this.#sql.state.get()?.locked ?? undefined);
  }

  /**
   * Stops all cosigning, also after a restart, until `unlock`.
   * @param forgotten the head that shows why
   */
  lock(reason: string, forgotten?: ForgottenHead): void {
    // Holds in this process even if the disk takes nothing more.
    this.#lockedHere = reason;
    const write = this.#db.transaction(() => {
      this.#sql.setLocked.run(reason);
      if (forgotten === undefined) return;
      const { origin, size, root, note } = forgotten;
      this.#sql.forget.run(origin, sizeBytes(size), root, note ?? null);
    });
    this.#change(() => write.immediate());
  }

  /** Heads that were cosigned, and that the store does not know until it is unlocked. */
  forgotten(): ForgottenHead[] {
    return this.#read(() => this.#sql.forgotten.all()).map(({ origin, size, root, note }) => ({
      origin,
      size: Buffer.from(size).readBigUInt64BE(),
      root: plain(root),
      note: note === null ? undefined : plain(note),
    }));
  }

  /**
   * The operator has made sure that, with the given heads, the store holds the newest that this witness cosigned.
   * @param mirroring whether there is a mirror, of which the store may have forgotten that it cosigned anything
   * @returns logs whose mirror goes on only from the witness's head
   */
  unlock(vouched: readonly Vouched[], mirroring: boolean): string[] {
    const anchored = this.#anchor.read() ?? 0;
    return this.#change(() => {
      const raised: string[] = [];
      const generation = this.#db
        .transaction(() => {
          const digest = this.#digestOfAll();
          for (const { origin, head, mirrored } of vouched) {
            if (head !== undefined) this.#setHead(origin, head, digest);
            if (mirrored !== undefined) this.#setMirror(origin, mirrored, mirrored.refilling, digest);
          }
          const newest = new Set(vouched.filter(({ mirrorIsNewest }) => mirrorIsNewest).map(({ origin }) => origin));
          for (const origin of this.origins())
            if (!newest.has(origin) && this.#raiseMirror(origin, mirroring, digest)) raised.push(origin);
          this.#db.prepare('DELETE FROM forgotten').run();
          const next = Math.max(this.#sql.count.get(digest) as number, anchored + 1);
          this.#db.prepare('UPDATE state SET generation = ?, locked = NULL').run(next);
          return next;
        })
        .immediate();
      this.#anchor.write(generation);
      this.#lockedHere = undefined;
      return raised;
    });
  }

  /** Lets the mirror cosign nothing below the witness's head, which is at least as large as any that the mirror has cosigned. */
  #raiseMirror(origin: string, mirroring: boolean, digest: Buffer): boolean {
    const head = this.head(origin);
    const mirrored = this.mirrored(origin);
    if (head === undefined || (mirrored === undefined ? !mirroring : mirrored.size >= head.size)) return false;
    this.#setMirror(origin, head, true, digest);
    return true;
  }

  /** Puts the head in the place of the one before, in the store and in the digest. */
  #setHead(origin: string, { size, root, time, note }: CosignedHead, digest: Buffer): void {
    const before = this.#sql.head.get(origin);
    const row = { size: sizeBytes(size), root, time, note };
    this.#sql.setHead.run(origin, row.size, root, time, note);
    this.#sql.addPending.run(origin, row.size, root, note);
    this.#sql.trimPending.run({ origin });
    if (before !== undefined) xorInto(digest, hashOfHead(origin, before));
    xorInto(digest, hashOfHead(origin, row));
  }

  /** The same of the mirror, whose time does not go back. */
  #setMirror(origin: string, { size, root, time, note }: CosignedHead, refilling: boolean, digest: Buffer): void {
    const before = this.#sql.mirror.get(origin);
    const row = { size: sizeBytes(size), root, time: Math.max(time, before?.time ?? 1), note };
    this.#sql.setMirror.run(origin, row.size, root, row.time, note, refilling ? 1 : 0);
    if (before !== undefined) xorInto(digest, hashOfMirror(origin, before));
    xorInto(digest, hashOfMirror(origin, row));
  }

  /** Origins of all known logs; the same array until one is added. */
  origins(): readonly string[] {
    this.#origins ??= this.#read(() => this.#sql.origins.all());
    return this.#origins;
  }

  /** The keys of a log, or undefined when it is not known. */
  keysOf(origin: string): VerifierKey[] | undefined {
    const vkeys = this.#read(() => this.#sql.keys.all(origin));
    return vkeys.length === 0 ? undefined : vkeys.map((vkey) => this.#parseKey(vkey));
  }

  /** Reading a key checks that it is a point of the curve, which takes longer than to verify a signature. */
  #parseKey(vkey: string): VerifierKey {
    const key = this.#parsed.get(vkey) ?? parseVerifierKey(vkey);
    this.#parsed.set(vkey, key);
    return key;
  }

  /** Adds logs, and keys to those that are known. @returns the origins of which a key was not known */
  addLogs(logs: readonly { readonly origin: string; readonly keys: readonly VerifierKey[] }[]): string[] {
    const rows = logs.flatMap(({ origin, keys }) => keys.map((key) => ({ origin, vkey: formatVerifierKey(key) })));
    const add = this.#db.transaction(() =>
      rows.filter(({ origin, vkey }) => this.#sql.addKey.run(origin, vkey).changes > 0).map(({ origin }) => origin),
    );
    const added = this.#change(() => add.immediate());
    if (added.length > 0) this.#origins = undefined;
    return [...new Set(added)];
  }

  head(origin: string): CosignedHead | undefined {
    const row = this.#read(() => this.#sql.head.get(origin));
    return row === undefined ? undefined : { ...toPending(row), time: row.time };
  }

  /** One of the heads that were cosigned last, by its size; undefined when it is none of them. */
  pending(origin: string, size: bigint): PendingHead | undefined {
    const row = this.#read(() => this.#sql.pending.get(origin, sizeBytes(size)));
    return row === undefined ? undefined : toPending(row);
  }

  /** The head that the mirror cosigned last. */
  mirrored(origin: string): MirroredHead | undefined {
    const row = this.#read(() => this.#sql.mirror.get(origin));
    if (row === undefined) return undefined;
    return { ...toPending(row), time: row.time, lost: row.lost ?? undefined, refilling: row.refilling === 1 };
  }

  /**
   * Keeps a head as the mirror's, unless its head is larger. Durable when it resolves.
   * @returns false when the mirror has a larger head
   * @throws StorageError or WitnessError; nothing more is taken after the former
   */
  setMirrored(origin: string, next: CosignedHead): Promise<boolean> {
    return this.#enqueue((digest) => {
      const now = this.mirrored(origin);
      if (now !== undefined && (now.lost !== undefined || now.size > next.size)) return false;
      this.#setMirror(origin, next, false, digest);
      return true;
    });
  }

  /** The mirror cosigns nothing more of this log until `unlock`. */
  loseMirror(origin: string, reason: string): void {
    this.#change(() => this.#sql.loseMirror.run(reason, origin));
  }

  /** The operator knows that copies were lost; they may be filled again. @returns their origins */
  refillMirrors(): string[] {
    return this.#change(() => this.#sql.refill.all());
  }

  /**
   * Replaces a head if it still has the expected size and no later time. Durable when it resolves.
   * @param expected undefined when the log had no head
   * @returns false when somebody else was faster
   * @throws StorageError; nothing more is taken then
   */
  replace(origin: string, expected: bigint | undefined, next: CosignedHead): Promise<boolean> {
    return this.#enqueue((digest) => {
      const head = this.head(origin);
      if ((head?.size ?? 0n) !== (expected ?? 0n)) return false;
      // The clock has gone back since an earlier one of the batch was signed.
      if (head !== undefined && next.time < head.time) return false;
      this.#setHead(origin, next, digest);
      return true;
    });
  }

  #enqueue(change: Waiting['change']): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ change, resolve, reject });
      if (this.#scheduled) return;
      this.#scheduled = true;
      setImmediate(() => this.#flush());
    });
  }

  #flush(): void {
    this.#scheduled = false;
    const batch = this.#waiting.splice(0);
    let outcomes: boolean[];
    try {
      outcomes = this.#change(() => this.#write(batch));
    } catch (error) {
      for (const { reject } of batch) reject(error);
      return;
    }
    batch.forEach(({ resolve }, i) => {
      resolve(outcomes[i]);
    });
  }

  /** Why nothing more is taken, or undefined. */
  get broken(): StorageError | undefined {
    return this.#broken;
  }

  /** What was written and not anchored is shown to nobody: no cosignature of it may leave. @throws StorageError */
  requireSound(): void {
    if (this.#broken !== undefined) throw this.#broken;
  }

  /** Runs what writes. After a failure nobody knows what is on the disk: a new process reads it from there. */
  #change<T>(work: () => T): T {
    if (this.#broken !== undefined) throw this.#broken;
    try {
      return work();
    } catch (error) {
      if (error instanceof WitnessError) throw error;
      this.#broken = toStorageError(error, this.#path);
      throw this.#broken;
    }
  }

  #read<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw toStorageError(error, this.#path);
    }
  }

  #write(batch: readonly Waiting[]): boolean[] {
    const { generation, outcomes } = this.#db
      .transaction(() => {
        const reason = this.locked;
        if (reason !== undefined) throw new WitnessError('witness/locked', reason);
        const digest = Buffer.from(this.#sql.digest.get() as Uint8Array);
        const results = batch.map(({ change }) => change(digest));
        return { generation: this.#sql.count.get(digest) as number, outcomes: results };
      })
      .immediate();
    this.#anchor.write(generation);
    return outcomes;
  }

  /** Keeps heads that a log signed and that cannot be true together. Bounded: the first ones are kept. */
  contradict(origin: string, heads: readonly Pick<CosignedHead, 'size' | 'root' | 'note'>[]): void {
    this.#change(() => {
      for (const { size, root, note } of heads) this.#sql.contradict.run({ origin, size: sizeBytes(size), root, note });
    });
  }

  contradictions(origin: string): Uint8Array[] {
    return this.#read(() => this.#sql.contradictions.all(origin)).map(plain);
  }

  close(): void {
    this.#release();
  }
}

function toPending({ size, root, note }: Omit<HeadRow, 'time'>): PendingHead {
  return { size: Buffer.from(size).readBigUInt64BE(), root: plain(root), note: plain(note) };
}

/** No origin has a line break. */
function hashOfMirror(origin: string, head: HeadRow): Buffer {
  return hashOfHead(`${origin}\nmirror`, head);
}

function hashOfHead(origin: string, { size, root, time, note }: HeadRow): Buffer {
  const noteHash = createHash('sha256').update(note).digest();
  return createHash('sha256').update(size).update(root).update(noteHash).update(`${time} ${origin}`).digest();
}

function xorInto(digest: Buffer, hash: Uint8Array): void {
  for (let i = 0; i < 32; i++) digest[i] ^= hash[i];
}

function sizeBytes(size: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(size);
  return bytes;
}

/** better-sqlite3 returns Buffers; callers get plain byte arrays. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}
