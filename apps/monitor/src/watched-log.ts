import { createHash } from 'node:crypto';
import { ClientError, EntryMismatch, type Fetch, HistoryMismatch, requireContained, TlogReader } from '@treering/client';
import type { Means } from '@treering/governance';
import { equalBytes, type Hasher } from '@treering/merkle';
import { type Ed25519, NoteError } from '@treering/note';
import type { AlarmBook, Finding } from './alarm-book.js';
import { EntryAudit } from './entry-audit.js';
import { EntryProofs, isFaultOfTheLog } from './entry-proofs.js';
import { type Contained, FollowedTree, isSame } from './followed-tree.js';
import { aboutLog, raiseFork } from './fork.js';
import { HeadJudge } from './head-judge.js';
import { KnownHeads, THE_LOG } from './known-heads.js';
import type { WatchedLogConfig } from './log-config.js';
import { mergeNotes, type Opened, SignedHeads } from './signed-heads.js';
import type { KnownHead, MonitorStore } from './store.js';
import { Turns } from './turns.js';

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

/**
 * What came of a head that somebody showed. unsigned: the log did not sign it; ignored: it cannot be compared now, and there is no
 * place to keep it; busy: too many wait to be compared.
 */
export type Shown = 'known' | 'kept' | 'contradiction' | 'unsigned' | 'ignored' | 'busy';

/** What somebody else's tree contains at the size of ours. */
export interface PeerProof extends Contained {
  /** The signed note that it is proved for. */
  readonly checkpoint: Uint8Array;
}

/** The largest answer that is read of a log, in bytes: an entry bundle has at most 16 MiB. */
const LARGEST = 17 * 1024 * 1024;

/** Milliseconds in which one poll reads entries or compares heads: others have their turn in between, however much there is. */
const READING = 10_000;

/** Heads of visitors that wait to be compared. */
const MOST_WAITING = 64;

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
  readonly #known: KnownHeads;
  readonly #judge: HeadJudge;
  readonly #audit: EntryAudit | undefined;
  readonly #proofs: EntryProofs;
  readonly #tree: FollowedTree;
  /** Heads are compared one after the other. */
  readonly #turns = new Turns();
  #signedAt: number | undefined;
  #lastPoll: number | undefined;
  #trouble: string | undefined;
  /** Entries that were read in the last poll. */
  #lastRead = Number.POSITIVE_INFINITY;

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
    this.#known = new KnownHeads({ ...parts, heads: this.#heads });
    this.#judge = new HeadJudge({ ...parts, heads: this.#heads });
    this.#audit = config.audit ? new EntryAudit({ ...parts, log: this.#reader }) : undefined;
    this.#proofs = new EntryProofs({ ...parts, log: this.#reader });
    this.#tree = new FollowedTree({ ...parts, log: this.#reader });
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
    const newer = this.#known.newestShown();
    await attempt(ask);
    await this.#turns.take(async () => {
      store.setStanding(origin, store.standing(origin, this.#now));
      let opened: Opened | undefined;
      let [succeeds, broken] = [false, false];
      let uncompared: KnownHead | undefined;
      await attempt(async () => {
        opened = await this.#fetchHead();
        if (opened === undefined) return;
        succeeds = await this.#compareWithServed(opened.head);
        broken = await this.#look(opened.head);
      });
      await attempt(async () => {
        uncompared = await this.#settle();
      });
      await attempt(() => this.#audit?.raiseByTime());
      const size = this.#audit?.size;
      const read = size === undefined ? undefined : { size, broken, again: size < this.#lastRead };
      this.#lastRead = size ?? 0;
      await attempt(() => this.#judge.judge({ opened, succeeds, newer, read, uncompared, signedAt: this.#signedAt }));
      await attempt(() => this.#prove());
      this.#lastPoll = this.#now;
    }, true);
    if (failures.length > 0) throw failures[0];
  }

  /**
   * Takes a head that somebody else shows, if the log signed it.
   * @param visitor whether anybody may show it: polls go first then, and only so many wait
   */
  async consider(note: Uint8Array, source: string, { visitor = false } = {}): Promise<Shown> {
    let opened: Opened;
    try {
      opened = this.#heads.open(note, source, this.#now);
    } catch (error) {
      if (error instanceof NoteError) return 'unsigned';
      throw error;
    }
    const { head } = opened;
    if (this.#tree.isKnown(head)) return 'known';
    if (visitor && this.#turns.waiting >= MOST_WAITING) return 'busy';
    return this.#turns.take(async () => {
      const shown = await this.#consider(head);
      if (shown === 'contradiction') await this.#prove();
      return shown;
    }, !visitor);
  }

  /** Takes the proof of what the tree of somebody else contains at the size of ours: two histories show at once. */
  async compare({ checkpoint, root, proof }: PeerProof, size: number, source: string): Promise<void> {
    await this.#turns.take(async () => {
      const { head } = this.#heads.open(checkpoint, source, this.#now);
      const followed = this.followed;
      if (followed === undefined || followed.size !== size || head.size < size || equalBytes(root, followed.root)) return;
      raiseFork(this.#parts, followed, head, { root, proof });
      await this.#prove();
    }, true);
  }

  /**
   * What the followed tree contains at a smaller size, for others to compare.
   * @throws ClientError when the log has to be asked and does not answer as it should
   */
  async contained(size: number): Promise<PeerProof | undefined> {
    const followed = this.followed;
    if (followed === undefined || size < 1 || size > followed.size) return undefined;
    return { checkpoint: followed.note, ...(await this.#tree.at(size, followed)) };
  }

  /** Keeps how far the audit has come. */
  save(): void {
    this.#audit?.save();
  }

  async #fetchHead(): Promise<Opened | undefined> {
    try {
      const { head, checkpoint } = this.#heads.open(await this.#reader.checkpoint(), THE_LOG, this.#now);
      this.#trouble = undefined;
      const opened = { head: { ...head, seen: this.#known.firstSeen(head) }, checkpoint };
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

  /**
   * Compares a head that the log gives out with the largest one before, which may be far beyond what was followed.
   * @returns whether that one may be forgotten: it is of the same history, the alarm has it, or it is kept until it can be compared
   */
  async #compareWithServed(head: KnownHead): Promise<boolean> {
    const { store, config, hasher } = this.#parts;
    const served = store.head(config.origin, 'served');
    const { followed } = this;
    // What was followed is compared when the head is.
    if (served === undefined || (followed !== undefined && (isSame(served, followed) || head.size <= followed.size)))
      return true;
    // Two heads of one size prove themselves.
    if (served.size === head.size) return true;
    if (followed !== undefined && served.size < followed.size)
      return (await this.#compareWithTree(served)) !== undefined || this.#known.keep(served);
    const [smaller, larger] = served.size < head.size ? [served, head] : [head, served];
    try {
      await requireContained(this.#reader.tree(larger.size, larger.root), smaller.size, smaller.root, hasher);
      return true;
    } catch (error) {
      if (!isFaultOfTheLog(error)) throw error;
      this.#trouble = error.message;
      if (!(error instanceof HistoryMismatch)) return this.#known.keep(smaller);
      raiseFork(this.#parts, smaller, larger, error);
      // What was judged of one history before a restart says nothing about the entries of the other.
      this.#audit?.forget();
      return true;
    }
  }

  /** Follows the tree of a head that the log gives out. @returns whether reading was broken off only because it takes long */
  async #look(head: KnownHead): Promise<boolean> {
    const { store, hasher } = this.#parts;
    const { origin } = this.config;
    // Two heads of one size prove themselves: no tile has to be read.
    this.#compareWithKnown(head);
    const followed = this.followed;
    if (followed !== undefined && head.size === followed.size && !equalBytes(head.root, followed.root)) return false;
    if (followed !== undefined && head.size < followed.size) {
      await this.#consider(head);
      return false;
    }
    try {
      const tree = this.#reader.tree(head.size, head.root);
      if (followed !== undefined) await requireContained(tree, followed.size, followed.root, hasher);
      const all = await this.#read(head, followed);
      if (all) store.setHead(origin, 'followed', head);
      return !all;
    } catch (error) {
      this.#explain(error, head, followed);
      return false;
    }
  }

  /** Reads the entries of a head. @returns whether all were read; when not, reading took too long */
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
    this.#known.keep(head);
    this.#trouble = error.message;
    if (error instanceof HistoryMismatch && followed !== undefined && error.size === followed.size) {
      raiseFork(this.#parts, followed, head, error);
    } else if (error instanceof HistoryMismatch) {
      // What was read after the followed head belongs to the tree of another head that the log gave out.
      const largest = store.head(origin, 'served');
      if (largest !== undefined) this.#known.keep(largest);
      this.#audit?.reset(followed?.size ?? 0);
    } else if (error instanceof EntryMismatch) {
      const { index, served, leaf, inclusion } = error;
      const finding: Finding = { kind: 'bad-entry', about: String(index), message: error.message };
      const place = { head: head.note, index, inclusion: [...inclusion], leaf, ...(served === undefined ? {} : { served }) };
      alarms.raise(origin, finding, { ready: { ...aboutLog(this.config), kind: 'bad-entry', ...place } });
    }
  }

  /** Makes the proofs of what was raised. */
  #prove(): Promise<void> {
    return this.#parts.alarms.prove(this.config.origin, (needs) => this.#proofs.build(needs));
  }

  /** Raises an alarm when a head contradicts another one of its size, whoever showed them. */
  #compareWithKnown(head: KnownHead): boolean {
    const rival = this.#known.rivalOf(head);
    if (rival !== undefined) raiseFork(this.#parts, rival, head);
    return rival !== undefined;
  }

  /** Compares a head with the tree that was followed, or keeps it until that has grown to its size. */
  async #consider(head: KnownHead): Promise<Shown> {
    const { store } = this.#parts;
    if (this.#compareWithKnown(head)) return 'contradiction';
    const verdict = await this.#compareWithTree(head);
    if (verdict !== undefined) return verdict;
    const known = store.heads(this.config.origin, 'shown').find((other) => isSame(other, head));
    if (known === undefined) return this.#known.keep(head) ? 'kept' : 'ignored';
    store.addShown(this.config.origin, { ...known, note: mergeNotes(known.note, head.note) });
    return 'known';
  }

  /** undefined when the tree that was followed is smaller, or cannot be read now. */
  async #compareWithTree(head: KnownHead): Promise<Shown | undefined> {
    const followed = this.followed;
    if (followed === undefined || head.size > followed.size) return undefined;
    try {
      const contained = await this.#tree.instead(head, followed);
      if (contained === undefined) return 'known';
      raiseFork(this.#parts, head, followed, head.size === followed.size ? undefined : contained);
      return 'contradiction';
    } catch (error) {
      if (!isFaultOfTheLog(error)) throw error;
      this.#trouble = error.message;
      return undefined;
    }
  }

  /** Compares what was shown and has been reached by now. @returns the oldest one that cannot be compared */
  async #settle(): Promise<KnownHead | undefined> {
    const { store } = this.#parts;
    const { origin } = this.config;
    const size = this.followed?.size ?? 0;
    const until = performance.now() + READING;
    let oldest: KnownHead | undefined;
    for (const head of store.heads(origin, 'shown')) {
      if (head.size > size) break;
      if (performance.now() < until && (await this.#compareWithTree(head)) !== undefined) store.removeShown(origin, head);
      else if (oldest === undefined || head.seen < oldest.seen) oldest = head;
    }
    return oldest;
  }
}
