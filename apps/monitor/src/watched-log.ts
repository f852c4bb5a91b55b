import { createHash } from 'node:crypto';
import { ClientError, EntryMismatch, type Fetch, HistoryMismatch, requireContained, TlogReader } from '@treering/client';
import { type AlarmProof, newestTime } from '@treering/evidence';
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
import {
  type Ed25519,
  evaluateQuorum,
  formatNote,
  formatVerifierKey,
  NoteError,
  type OpenedCheckpoint,
  openCheckpoint,
  parseNote,
} from '@treering/note';
import type { AlarmBook, Finding } from './alarm-book.js';
import { EntryAudit } from './entry-audit.js';
import type { WatchedLogConfig } from './log-config.js';
import { type HeadRule, type HeadView, hidden, rollback, stale, unwitnessed } from './rules/head-rules.js';
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

/** A head whose signature was verified. */
interface Opened {
  readonly head: KnownHead;
  readonly checkpoint: OpenedCheckpoint;
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

/** Verified heads that are remembered. */
const MOST_OPENED = 256;

/** As the source of a head: the log itself. */
const THE_LOG = 'the log';

/** Sizes beyond this are no log's that can be followed. */
const MOST_ENTRIES = BigInt(Number.MAX_SAFE_INTEGER);

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
  readonly #audit: EntryAudit | undefined;
  /** Heads are compared one after the other. */
  #queue: Promise<unknown> = Promise.resolve();
  readonly #opened = new Map<string, OpenedCheckpoint>();
  #smallerPolls = 0;
  #hiddenPolls = 0;
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
      ...(fetch === undefined ? {} : { fetch }),
      ...(timeout === undefined ? {} : { timeout }),
    });
    this.#audit = config.audit ? new EntryAudit({ ...parts, log: this.#reader, store }) : undefined;
    const followed = this.followed;
    this.#signedAt = followed === undefined ? undefined : this.#timeOf(followed);
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

  /**
   * Looks once at what the log gives out.
   * @param ask first asks others which heads they know, so that what the log hides is noticed
   */
  async poll(ask: () => Promise<void> = async () => undefined): Promise<void> {
    // What others had shown before this poll began.
    const newer = this.#newestShown();
    await ask();
    await this.#inTurn(async () => {
      const opened = await this.#fetchHead();
      if (opened !== undefined) await this.#look(opened);
      await this.#settle();
      await this.#judge(opened, newer);
      await this.#audit?.raiseUndeployed();
      this.#lastPoll = this.#now;
    });
  }

  /** Takes a head that somebody else shows, if the log signed it. */
  async consider(note: Uint8Array, source: string): Promise<Shown> {
    let opened: Opened;
    try {
      opened = this.#open(note, source);
    } catch (error) {
      if (error instanceof NoteError) return 'ignored';
      throw error;
    }
    return this.#inTurn(() => this.#consider(opened.head));
  }

  /** Takes the proof of what the tree of somebody else contains at the size of ours: two histories show at once. */
  async compare({ checkpoint, root, proof }: PeerProof, size: number, source: string): Promise<void> {
    await this.#inTurn(async () => {
      const { head } = this.#open(checkpoint, source);
      const followed = this.followed;
      if (followed === undefined || followed.size !== size || head.size < size || equalBytes(root, followed.root)) return;
      await this.#raiseFork(followed, head, { root, proof });
    });
  }

  /** What the followed tree contains at a smaller size, for others to compare. */
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

  /** @throws NoteError for a note that the log did not sign */
  #open(note: Uint8Array, source: string): Opened {
    // The same heads come again and again, and each has several signatures.
    const id = createHash('sha256').update(note).digest('hex');
    const checkpoint = this.#opened.get(id) ?? this.#verify(note);
    this.#opened.delete(id);
    this.#opened.set(id, checkpoint);
    if (this.#opened.size > MOST_OPENED) this.#opened.delete(this.#opened.keys().next().value as string);
    const { size, root } = checkpoint.checkpoint;
    // Lines of unknown keys are nobody's word, and take room.
    const { text, verified } = checkpoint.note;
    const kept = formatNote({ text, signatures: verified });
    return { head: { size: Number(size), root, note: kept, seen: this.#now, source }, checkpoint };
  }

  #verify(note: Uint8Array): OpenedCheckpoint {
    const { origin, keys, policy } = this.config;
    const witnessKeys = policy?.witnesses.map(({ key }) => key) ?? [];
    const opened = openCheckpoint(note, { origin, logKeys: keys, witnessKeys }, this.#parts.ed25519);
    const { size } = opened.checkpoint;
    if (size > MOST_ENTRIES) throw new NoteError('note/malformed', `a tree of ${size} entries cannot be followed`);
    return opened;
  }

  async #fetchHead(): Promise<Opened | undefined> {
    try {
      const opened = this.#open(await this.#reader.checkpoint(), THE_LOG);
      this.#trouble = undefined;
      return opened;
    } catch (error) {
      if (!(error instanceof ClientError || error instanceof NoteError)) throw error;
      this.#trouble = error.message;
      return undefined;
    }
  }

  /** Follows the tree of a head that the log gives out. */
  async #look({ head, checkpoint }: Opened): Promise<void> {
    const { store } = this.#parts;
    const { origin } = this.config;
    this.#signedAt = newestTime(checkpoint) ?? (await this.#firstSeen(head));
    const followed = this.followed;
    try {
      if (followed !== undefined && head.size < followed.size) {
        await this.#consider(head);
        return;
      }
      if (followed !== undefined && head.size === followed.size && !equalBytes(head.root, followed.root)) {
        await this.#raiseFork(followed, head, undefined);
        return;
      }
      const tree = this.#reader.tree(head.size, head.root);
      if (followed !== undefined) await requireContained(tree, followed.size, followed.root, this.#parts.hasher);
      await this.#audit?.follow(head, {
        after: followed === undefined ? undefined : this.#logTimeOf(followed),
        before: this.#logTimeOf(head) ?? this.#now,
        size: followed?.size ?? 0,
      });
      const seen = followed?.size === head.size ? followed.seen : head.seen;
      store.setHead(origin, 'followed', { ...head, seen });
    } catch (error) {
      await this.#explain(error, head, followed);
    }
  }

  /** A head without a time of its own is as old as the first time that it was seen. */
  async #firstSeen(head: KnownHead): Promise<number> {
    const followed = this.followed;
    const same = followed !== undefined && followed.size === head.size && equalBytes(followed.root, head.root);
    return same ? followed.seen : head.seen;
  }

  async #explain(error: unknown, head: KnownHead, followed: KnownHead | undefined): Promise<void> {
    if (!(error instanceof ClientError)) throw error;
    // Its tree was not followed to the end: it is compared when that is possible.
    this.#parts.store.addShown(this.config.origin, head);
    if (error instanceof HistoryMismatch && followed !== undefined && error.size === followed.size) {
      await this.#raiseFork(followed, head, { root: error.root, proof: error.proof });
      return;
    }
    if (error instanceof EntryMismatch) {
      const { index, served, leaf, inclusion } = error;
      const finding: Finding = { kind: 'bad-entry', about: String(index), message: error.message };
      await this.#parts.alarms.raise(this.config.origin, finding, () => ({
        ...this.#about(),
        kind: 'bad-entry',
        head: head.note,
        index,
        inclusion,
        leaf,
        ...(served === undefined ? {} : { served }),
      }));
      this.#trouble = error.message;
      return;
    }
    // What was read after the followed head belongs to another tree than this one.
    if (error instanceof HistoryMismatch) this.#audit?.reset(followed?.size ?? 0);
    this.#trouble = error.message;
  }

  /** Compares a head with the tree that was followed, or keeps it until that has grown to its size. */
  async #consider(head: KnownHead): Promise<Shown> {
    const { store } = this.#parts;
    const { origin } = this.config;
    const rival = store.heads(origin, 'shown').find(({ size, root }) => size === head.size && !equalBytes(root, head.root));
    if (rival !== undefined) {
      await this.#raiseFork(rival, head, undefined);
      return 'contradiction';
    }
    const verdict = await this.#compareWithTree(head);
    if (verdict !== undefined) return verdict;
    const known = store.heads(origin, 'shown').find(({ size, root }) => size === head.size && equalBytes(root, head.root));
    if (known !== undefined) {
      store.addShown(origin, { ...known, note: this.#merge(known.note, head.note) });
      return 'known';
    }
    return store.addShown(origin, head) ? 'kept' : 'ignored';
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
      await this.#raiseFork(head, followed, head.size === followed.size ? undefined : { root, proof });
      return 'contradiction';
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
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

  /** Applies the rules about heads. */
  async #judge(opened: Opened | undefined, newer: KnownHead | undefined): Promise<void> {
    const { store } = this.#parts;
    const { origin, policy, staleAfter } = this.config;
    const largest = store.head(origin, 'served');
    const size = opened?.head.size;
    if (size !== undefined) {
      this.#smallerPolls = largest !== undefined && size < largest.size ? this.#smallerPolls + 1 : 0;
      this.#hiddenPolls = newer !== undefined && size < newer.size ? this.#hiddenPolls + 1 : 0;
    }
    const quorum =
      opened === undefined || policy === undefined ? undefined : evaluateQuorum(policy, opened.checkpoint.cosignatures);
    const missing = policy?.witnesses.map(({ name }) => name).filter((name) => !quorum?.witnesses.includes(name)) ?? [];
    const view: HeadView = {
      now: this.#now,
      served: size === undefined ? undefined : { size, met: quorum?.met ?? true, missing: missing.join(', ') },
      largest,
      smallerPolls: this.#smallerPolls,
      signedAt: this.#signedAt,
      hidden: newer,
      hiddenPolls: this.#hiddenPolls,
      staleAfter,
    };
    const served = opened?.head ?? largest;
    const proofs: readonly (readonly [HeadRule, Pick<Finding, 'kind' | 'about'>, () => AlarmProof])[] = [
      [rollback, { kind: 'rollback', about: '' }, () => this.#proveRollback(largest as KnownHead, opened?.head as KnownHead)],
      [stale, { kind: 'stale', about: 'old' }, () => this.#proveStale(served as KnownHead, undefined)],
      [hidden, { kind: 'stale', about: 'hidden' }, () => this.#proveStale(served as KnownHead, newer)],
      [unwitnessed, { kind: 'unwitnessed', about: '' }, () => this.#proveUnwitnessed(served as KnownHead)],
    ];
    for (const [rule, { kind, about }, prove] of proofs) {
      const finding = rule(view);
      if (finding !== undefined) await this.#parts.alarms.raise(origin, finding, prove);
      // A log that cannot be read has not mended anything.
      else if (opened !== undefined) this.#settleAlarm(rule, kind, about, view);
    }
    if (opened !== undefined && (largest === undefined || opened.head.size >= largest.size))
      store.setHead(origin, 'served', opened.head);
  }

  /** Closes an alarm about heads when its reason is gone, not merely not seen a second time yet. */
  #settleAlarm(rule: HeadRule, kind: Finding['kind'], about: string, view: HeadView): void {
    if (rule === rollback && view.smallerPolls > 0) return;
    if (rule === hidden && view.hiddenPolls > 0) return;
    this.#parts.alarms.clear(this.config.origin, kind, about);
  }

  /** The largest head that others showed and that the log could give out: cosigned by the quorum of the policy. */
  #newestShown(): KnownHead | undefined {
    const { policy, origin } = this.config;
    return this.#parts.store
      .heads(origin, 'shown')
      .filter(({ source }) => source !== THE_LOG)
      .filter(({ note }) => policy === undefined || evaluateQuorum(policy, this.#open(note, '').checkpoint.cosignatures).met)
      .pop();
  }

  /** One note with the signatures of two, which are over the same text. */
  #merge(a: Uint8Array, b: Uint8Array): Uint8Array {
    const [one, two] = [parseNote(a), parseNote(b)];
    if (one.text !== two.text) return a;
    const lines = [...one.signatures, ...two.signatures];
    // The last line of a key is its newest.
    const byKey = new Map(lines.map((line) => [`${line.name}+${line.id}`, line]));
    return formatNote({ text: one.text, signatures: [...byKey.values()] });
  }

  /** The tree of a head that was followed: from what was kept, or for a log that is not audited from its tiles. */
  #tree(head: KnownHead): HashReader {
    const { store, hasher } = this.#parts;
    if (this.#audit === undefined) return this.#reader.tree(head.size, head.root);
    return tileHashReader(head.size, store.tiles(this.config.origin), hasher);
  }

  #timeOf(head: KnownHead): number {
    return newestTime(this.#open(head.note, head.source).checkpoint) ?? head.seen;
  }

  /** When the log itself says that it signed a head, in seconds; undefined when it does not say. */
  #logTimeOf(head: KnownHead): number | undefined {
    const { checkpoint } = this.#open(head.note, head.source);
    const times = checkpoint.logSignatures.flatMap(({ timestamp }) => (timestamp === undefined ? [] : [Number(timestamp)]));
    return times.length === 0 ? undefined : Math.max(...times);
  }

  #about() {
    const { origin, keys } = this.config;
    return { v: 1, log: { origin, vkeys: keys.map(formatVerifierKey) } } as const;
  }

  async #raiseFork(a: KnownHead, b: KnownHead, contained: { root: Uint8Array; proof: Proof } | undefined): Promise<void> {
    const finding: Finding = {
      kind: 'fork',
      about: '',
      message:
        a.size === b.size
          ? `the log signed two trees of ${a.size} entries; ${a.source} and ${b.source} show them`
          : `the log signed trees of ${a.size} and ${b.size} entries that do not contain one another; ${a.source} and ${b.source} show them`,
    };
    await this.#parts.alarms.raise(this.config.origin, finding, () => ({
      ...this.#about(),
      kind: 'fork',
      heads: [a.note, b.note],
      ...(contained === undefined ? {} : { contained }),
    }));
  }

  #proveRollback(larger: KnownHead, smaller: KnownHead): AlarmProof {
    return {
      ...this.#about(),
      kind: 'rollback',
      larger: larger.note,
      smaller: smaller.note,
      seen: [larger.seen, this.#now],
    };
  }

  #proveStale(head: KnownHead, newer: KnownHead | undefined): AlarmProof {
    const { staleAfter } = this.config;
    const about = { ...this.#about(), kind: 'stale', head: head.note } as const;
    if (newer !== undefined) return { ...about, newer: newer.note, since: Math.min(newer.seen, this.#now - 1), limit: 0 };
    return { ...about, since: this.#signedAt ?? head.seen, limit: staleAfter };
  }

  #proveUnwitnessed(head: KnownHead): AlarmProof {
    return { ...this.#about(), kind: 'unwitnessed', head: head.note, policy: this.config.policyText ?? '' };
  }
}
