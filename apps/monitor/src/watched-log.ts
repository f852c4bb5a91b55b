import { createHash } from 'node:crypto';
import { ClientError, EntryMismatch, type Fetch, HistoryMismatch, requireContained, TlogReader } from '@treering/client';
import type { Means } from '@treering/governance';
import {
  equalBytes,
  type Hasher,
  type HashReader,
  type Proof,
  proveConsistency,
  restoreRange,
  tileHashReader,
} from '@treering/merkle';
import { type Ed25519, formatVerifierKey, NoteError } from '@treering/note';
import type { AlarmBook, Finding } from './alarm-book.js';
import { EntryAudit } from './entry-audit.js';
import { EntryProofs, isFaultOfTheLog } from './entry-proofs.js';
import { HeadJudge } from './head-judge.js';
import type { WatchedLogConfig } from './log-config.js';
import { mergeNotes, type Opened, SignedHeads } from './signed-heads.js';
import type { KnownHead, MonitorStore } from './store.js';

/** What a watched log works with. */
export interface WatchedLogParts {
  readonly config: WatchedLogConfig;
  readonly store: MonitorStore;
  readonly alarms: AlarmBook;
  readonly means: Means;
  readonly hasher: Hasher;
  readonly ed25519: Ed25519;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  readonly fetch?: Fetch;
  /** Milliseconds for one request to the log. */
  readonly timeout?: number;
}

/** What came of a head that somebody showed. */
export type Shown = 'known' | 'kept' | 'contradiction' | 'ignored';

/** What somebody else's tree contains at the size of ours. */
export interface PeerProof {
  /** The signed note that it is proved for. */
  readonly checkpoint: Uint8Array;
  readonly root: Uint8Array;
  readonly proof: Proof;
}

/** As the source of a head: the log itself. */
const THE_LOG = 'the log';

/** The largest answer that is read of a log, in bytes: an entry bundle has at most 16 MiB. */
const LARGEST = 17 * 1024 * 1024;

/** Milliseconds in which one poll reads entries: heads are looked at in between, however far behind the audit is. */
const READING = 10_000;

/** Seconds by which a head may be dated ahead: a log cannot stay fresh with one that is dated further. */
const AHEAD = 600;

/**
 * One log as a monitor sees it. Every head that the log signed, whoever shows it, must be of one growing tree; every entry must be
 * in that tree and admitted by the rules before it.
 */
export class WatchedLog {
  readonly config: WatchedLogConfig;
  /** SHA-256 of the origin, in hex: its name in gossip. */
  readonly originHash: string;
  readonly #parts: WatchedLogParts;
  readonly #reader: TlogReader;
  readonly #heads: SignedHeads;
  readonly #judge: HeadJudge;
  readonly #audit: EntryAudit | undefined;
  readonly #proofs: EntryProofs;
  /** Heads are compared one after the other. */
  #queue: Promise<unknown> = Promise.resolve();
  #signedAt: number | undefined;
  #lastPoll: number | undefined;
  #trouble: string | undefined;

  constructor(parts: WatchedLogParts) {
    const { config, store, hasher, fetch, timeout } = parts;
    this.#parts = parts;
    this.config = config;
    this.originHash = createHash('sha256').update(config.origin).digest('hex');
    this.#reader = new TlogReader(config.url, {
      hasher,
      largest: LARGEST,
      ...(fetch === undefined ? {} : { fetch }),
      ...(timeout === undefined ? {} : { timeout }),
    });
    this.#heads = new SignedHeads(config, parts.ed25519);
    this.#judge = new HeadJudge({ ...parts, heads: this.#heads });
    this.#audit = config.audit ? new EntryAudit({ ...parts, log: this.#reader }) : undefined;
    this.#proofs = new EntryProofs({ ...parts, log: this.#reader });
    const last = store.head(config.origin, 'served') ?? this.followed;
    this.#signedAt = last === undefined ? undefined : this.#dateOf(last);
  }

  /** The newest head whose tree was followed to its end. */
  get followed(): KnownHead | undefined {
    return this.#parts.store.head(this.config.origin, 'followed');
  }

  /** What there is to say about it. */
  status() {
    const { origin, url } = this.config;
    const followed = this.followed;
    return {
      origin,
      hash: this.originHash,
      url,
      size: followed?.size ?? 0,
      audited: this.#audit?.size ?? null,
      signed_at: this.#signedAt ?? null,
      polled_at: this.#lastPoll ?? null,
      trouble: this.#trouble ?? null,
      shown: this.#parts.store.heads(origin, 'shown').length,
    };
  }

  get #now(): number {
    return Math.floor(this.#parts.clock() / 1000);
  }

  /** Whether entries wait to be read that the log has promised. */
  get isBehind(): boolean {
    const served = this.#parts.store.head(this.config.origin, 'served')?.size ?? 0;
    return this.#trouble === undefined && served > (this.followed?.size ?? 0);
  }

  /**
   * Looks once at what the log gives out. Whatever it does to one step, the others are taken.
   * @param ask first asks others which heads they know, so that what the log hides is noticed
   */
  async poll(ask: () => Promise<void> = async () => undefined): Promise<void> {
    const failures: unknown[] = [];
    const attempt = async (work: () => unknown): Promise<void> => {
      try {
        await work();
      } catch (error) {
        this.#trouble = (error as Error).message;
        if (!isFaultOfTheLog(error)) failures.push(error);
      }
    };
    const { store } = this.#parts;
    const { origin } = this.config;
    // What others had shown before this poll began.
    const newer = this.#newestShown();
    await attempt(ask);
    await this.#inTurn(async () => {
      store.setStanding(origin, store.standing(origin, this.#now));
      let opened: Opened | undefined;
      await attempt(async () => {
        opened = await this.#fetchHead();
        if (opened !== undefined) await this.#look(opened.head);
      });
      await attempt(() => this.#settle());
      await attempt(() => this.#audit?.raiseByTime());
      await attempt(() => this.#judge.judge({ opened, newer, read: this.#audit?.size, signedAt: this.#signedAt }));
      await attempt(() => this.#prove());
      this.#lastPoll = this.#now;
    });
    if (failures.length > 0) throw failures[0];
  }

  /** Takes a head that somebody else shows, if the log signed it. */
  async consider(note: Uint8Array, source: string): Promise<Shown> {
    let opened: Opened;
    try {
      opened = this.#heads.open(note, source, this.#now);
    } catch (error) {
      if (error instanceof NoteError) return 'ignored';
      throw error;
    }
    return this.#inTurn(async () => {
      const shown = await this.#consider(opened.head);
      if (shown === 'contradiction') await this.#prove();
      return shown;
    });
  }

  /** Takes the proof of what the tree of somebody else contains at the size of ours: two histories show at once. */
  async compare({ checkpoint, root, proof }: PeerProof, size: number, source: string): Promise<void> {
    await this.#inTurn(async () => {
      const { head } = this.#heads.open(checkpoint, source, this.#now);
      const followed = this.followed;
      if (followed === undefined || followed.size !== size || head.size < size || equalBytes(root, followed.root)) return;
      this.#raiseFork(followed, head, { root, proof });
      await this.#prove();
    });
  }

  /**
   * What the followed tree contains at a smaller size, for others to compare.
   * @throws ClientError when the log has to be asked and does not answer as it should
   */
  async contained(size: number): Promise<PeerProof | undefined> {
    const followed = this.followed;
    if (followed === undefined || size < 1 || size > followed.size) return undefined;
    const reader = this.#tree(followed);
    const root = (await restoreRange(reader, size, this.#parts.hasher)).root();
    return { checkpoint: followed.note, root, proof: await proveConsistency(reader, size, followed.size, this.#parts.hasher) };
  }

  /** Keeps how far the audit has come. */
  save(): void {
    this.#audit?.save();
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#queue.then(work);
    this.#queue = next.catch(() => undefined);
    return next;
  }

  async #fetchHead(): Promise<Opened | undefined> {
    try {
      const { head, checkpoint } = this.#heads.open(await this.#reader.checkpoint(), THE_LOG, this.#now);
      this.#trouble = undefined;
      const opened = { head: { ...head, seen: this.#firstSeen(head) }, checkpoint };
      this.#signedAt = this.#dateOf(opened.head);
      return opened;
    } catch (error) {
      if (!(error instanceof ClientError || error instanceof NoteError)) throw error;
      this.#trouble = error.message;
      return undefined;
    }
  }

  /** How old a head is: as the time that it carries, or as the first time that it was seen. */
  #dateOf(head: KnownHead): number {
    const time = this.#heads.timeOf(head);
    return time === undefined || time > this.#now + AHEAD ? head.seen : time;
  }

  #firstSeen(head: KnownHead): number {
    return Math.min(
      head.seen,
      ...this.#known()
        .filter((known) => isSame(known, head))
        .map(({ seen }) => seen),
    );
  }

  /** Every head that is kept. */
  #known(): KnownHead[] {
    const { store } = this.#parts;
    return (['followed', 'served', 'shown'] as const).flatMap((role) => store.heads(this.config.origin, role));
  }

  /** Follows the tree of a head that the log gives out. */
  async #look(head: KnownHead): Promise<void> {
    const { store, hasher } = this.#parts;
    const { origin } = this.config;
    // Two heads of one size prove themselves: no tile has to be read.
    this.#compareWithKnown(head);
    const followed = this.followed;
    if (followed !== undefined && head.size === followed.size && !equalBytes(head.root, followed.root)) return;
    if (followed !== undefined && head.size < followed.size) {
      await this.#consider(head);
      return;
    }
    try {
      const tree = this.#reader.tree(head.size, head.root);
      if (followed !== undefined) await requireContained(tree, followed.size, followed.root, hasher);
      if (await this.#read(head, followed)) store.setHead(origin, 'followed', head);
    } catch (error) {
      this.#explain(error, head, followed);
    }
  }

  /** Reads the entries of a head. @returns whether all were read */
  async #read(head: KnownHead, followed: KnownHead | undefined): Promise<boolean> {
    const { store } = this.#parts;
    const { origin } = this.config;
    const audit = this.#audit;
    if (audit === undefined) return true;
    const before = audit.size;
    let all = false;
    try {
      const after = followed === undefined ? undefined : this.#heads.logTimeOf(followed);
      const between = {
        after,
        before: this.#heads.logTimeOf(head) ?? this.#now,
        size: followed?.size ?? 0,
        earlier: after === undefined ? undefined : followed?.note,
      };
      all = await audit.follow(head, between, performance.now() + READING);
    } finally {
      if (all || audit.size > before) store.setStanding(origin, { ...store.standing(origin, this.#now), advanced: this.#now });
    }
    if (!all || (await audit.keeps(head))) return all;
    audit.reset(0);
    throw new ClientError('client/not-verified', 'what was kept of the tree is damaged; the log is read again');
  }

  #explain(error: unknown, head: KnownHead, followed: KnownHead | undefined): void {
    if (!isFaultOfTheLog(error)) throw error;
    const { store, alarms } = this.#parts;
    const { origin } = this.config;
    // Its tree was not followed to the end: it is compared when that is possible.
    this.#keep(head);
    this.#trouble = error.message;
    if (error instanceof HistoryMismatch && followed !== undefined && error.size === followed.size) {
      this.#raiseFork(followed, head, { root: error.root, proof: error.proof });
    } else if (error instanceof HistoryMismatch) {
      // What was read after the followed head belongs to the tree of another head that the log gave out.
      const largest = store.head(origin, 'served');
      if (largest !== undefined) this.#keep(largest);
      this.#audit?.reset(followed?.size ?? 0);
    } else if (error instanceof EntryMismatch) {
      const { index, served, leaf, inclusion } = error;
      const finding: Finding = { kind: 'bad-entry', about: String(index), message: error.message };
      const place = { head: head.note, index, inclusion: [...inclusion], leaf, ...(served === undefined ? {} : { served }) };
      alarms.raise(origin, finding, { ready: { ...this.#about(), kind: 'bad-entry', ...place } });
    }
  }

  /** Makes the proofs of what was raised. */
  #prove(): Promise<void> {
    return this.#parts.alarms.prove(this.config.origin, (needs) => this.#proofs.build(needs));
  }

  /** Raises an alarm when a head contradicts another one of its size, whoever showed them. */
  #compareWithKnown(head: KnownHead): boolean {
    const rival = this.#known().find(({ size, root }) => size === head.size && !equalBytes(root, head.root));
    if (rival !== undefined) this.#raiseFork(rival, head, undefined);
    return rival !== undefined;
  }

  /**
   * Keeps a head until it can be compared. Where there is no room, one with fewer cosignatures makes way, or a larger one: a log
   * cannot fill all places with sizes that it never reaches. @returns false when there is no place for this one
   */
  #keep(head: KnownHead): boolean {
    const { store } = this.#parts;
    const { origin } = this.config;
    const shown = store.heads(origin, 'shown');
    if (!shown.some((known) => isSame(known, head)) && !store.hasRoomForShown(origin)) {
      const weight = (known: KnownHead): number => this.#heads.cosigned(known);
      const [last] = [head, ...shown].sort((a, b) => weight(a) - weight(b) || b.size - a.size);
      if (last === head) return false;
      store.removeShown(origin, last);
    }
    store.addShown(origin, head);
    return true;
  }

  /** Compares a head with the tree that was followed, or keeps it until that has grown to its size. */
  async #consider(head: KnownHead): Promise<Shown> {
    const { store } = this.#parts;
    if (this.#compareWithKnown(head)) return 'contradiction';
    const verdict = await this.#compareWithTree(head);
    if (verdict !== undefined) return verdict;
    const known = store.heads(this.config.origin, 'shown').find((other) => isSame(other, head));
    if (known === undefined) return this.#keep(head) ? 'kept' : 'ignored';
    store.addShown(this.config.origin, { ...known, note: mergeNotes(known.note, head.note) });
    return 'known';
  }

  /** undefined when the tree that was followed is smaller, or cannot be read now. */
  async #compareWithTree(head: KnownHead): Promise<Shown | undefined> {
    const followed = this.followed;
    if (followed === undefined || head.size > followed.size) return undefined;
    if (head.size === 0) return 'known';
    try {
      const reader = this.#tree(followed);
      const root = (await restoreRange(reader, head.size, this.#parts.hasher)).root();
      if (equalBytes(root, head.root)) return 'known';
      const proof = await proveConsistency(reader, head.size, followed.size, this.#parts.hasher);
      this.#raiseFork(head, followed, head.size === followed.size ? undefined : { root, proof });
      return 'contradiction';
    } catch (error) {
      if (!isFaultOfTheLog(error)) throw error;
      this.#trouble = error.message;
      return undefined;
    }
  }

  /** Compares what was shown and has been reached by now. */
  async #settle(): Promise<void> {
    const { store } = this.#parts;
    const { origin } = this.config;
    const size = this.followed?.size ?? 0;
    for (const head of store.heads(origin, 'shown')) {
      if (head.size > size) return;
      if ((await this.#compareWithTree(head)) !== undefined) store.removeShown(origin, head);
    }
  }

  /** The largest head that others showed and that the log could give out: cosigned by the quorum of the policy. */
  #newestShown(): KnownHead | undefined {
    return this.#parts.store
      .heads(this.config.origin, 'shown')
      .filter((head) => head.source !== THE_LOG && this.#heads.isWitnessed(head))
      .pop();
  }

  /** The tree of a head that was followed: from what was kept, or for a log that is not audited from its tiles. */
  #tree(head: KnownHead): HashReader {
    const { store, hasher } = this.#parts;
    if (this.#audit === undefined) return this.#reader.tree(head.size, head.root);
    return tileHashReader(head.size, store.tiles(this.config.origin), hasher);
  }

  #about() {
    const { origin, keys } = this.config;
    return { v: 1, log: { origin, vkeys: keys.map(formatVerifierKey) } } as const;
  }

  #raiseFork(a: KnownHead, b: KnownHead, contained: { root: Uint8Array; proof: Proof } | undefined): void {
    const finding: Finding = {
      kind: 'fork',
      about: '',
      message:
        a.size === b.size
          ? `the log signed two trees of ${a.size} entries; ${a.source} and ${b.source} show them`
          : `the log signed trees of ${a.size} and ${b.size} entries that do not contain one another; ${a.source} and ${b.source} show them`,
    };
    const proof = { heads: [a.note, b.note] as [Uint8Array, Uint8Array], ...(contained === undefined ? {} : { contained }) };
    this.#parts.alarms.raise(this.config.origin, finding, { ready: { ...this.#about(), kind: 'fork', ...proof } });
  }
}

function isSame(a: KnownHead, b: KnownHead): boolean {
  return a.size === b.size && equalBytes(a.root, b.root);
}
