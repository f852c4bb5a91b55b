import { type EntryBatch, Follower, type TlogReader } from '@treering/client';
import type { AlarmProof } from '@treering/evidence';
import {
  Audit,
  type Audited,
  clockSkew,
  GovernanceError,
  GovernanceState,
  type Means,
  type Prepared,
  restoreState,
  saveState,
} from '@treering/governance';
import {
  equalBytes,
  type Hasher,
  proveConsistency,
  proveInclusion,
  TILE_HEIGHT,
  TILE_WIDTH,
  tileHashReader,
} from '@treering/merkle';
import { formatVerifierKey } from '@treering/note';
import { decodeCbor, encodeCbor, parseStatement, StatementError } from '@treering/statement';
import type { AlarmBook, Finding } from './alarm-book.js';
import type { WatchedLogConfig } from './log-config.js';
import { admission, dated } from './rules/entry-rules.js';
import { afterRecord, type Intents, recordRules, type SeenRecord, undeployed } from './rules/record-rules.js';
import type { KnownHead, MonitorStore, NewNodes } from './store.js';

/** What the audit of a log's entries works with. */
export interface EntryAuditParts {
  readonly config: WatchedLogConfig;
  readonly store: MonitorStore;
  readonly alarms: AlarmBook;
  readonly means: Means;
  readonly hasher: Hasher;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  readonly log: TlogReader;
}

/** When the new entries of a head were admitted, as far as the log's own heads say, in seconds. */
export interface Between {
  /** When it signed a head of `size` entries. */
  readonly after: number | undefined;
  readonly before: number;
  readonly size: number;
}

/** Entries that were read and wait to be decided. */
interface Read {
  readonly batch: EntryBatch;
  readonly prepared: readonly Prepared[];
  readonly nodes: readonly NewNodes[];
  /** Where a follower goes on behind them. */
  readonly position: Uint8Array;
}

/** Batches in one transaction. */
const FLUSH = 16;
/** The largest prefix of a log that a proof carries whole: entries, and bytes. */
const WHOLE_ENTRIES = 20_000;
const WHOLE_BYTES = 8 * 1024 * 1024;
/** Records that make rules: what a proof of an entry against the rules carries of a larger log. */
const GOVERNING: readonly string[] = [
  'charter',
  'amendment',
  'policy',
  'identity',
  'approval',
  'freeze',
  'correction',
  'deployment',
];

/** Decides the admission of every entry of a log again, and applies the rules about records. */
export class EntryAudit {
  readonly #parts: EntryAuditParts;
  #follower: Follower;
  #audit: Audit;
  #intents: Intents = new Map();
  /** Where the audit stands: behind what was decided. */
  #position: Uint8Array;
  #saved: number;
  #nodes: NewNodes[] = [];
  #unflushed: Read[] = [];
  #governing: { readonly index: number; readonly entry: Uint8Array }[] = [];

  constructor(parts: EntryAuditParts) {
    this.#parts = parts;
    const { config, store, means } = parts;
    const saved = store.progress(config.origin);
    const state = saved === undefined ? undefined : restored(saved.state);
    const position = state === undefined ? undefined : saved?.position;
    this.#follower = this.#newFollower(position);
    this.#position = this.#follower.position();
    this.#saved = this.#follower.size;
    this.#audit = new Audit(means, { state: state ?? new GovernanceState(), size: this.#follower.size });
    if (saved !== undefined && state !== undefined) this.#intents = decodeIntents(saved.intents);
  }

  /** Entries that were decided. */
  get size(): number {
    return this.#audit.size;
  }

  /** Begins again when entries were read that the tree of the head that counts, of `size` entries, may not contain. */
  reset(size: number): void {
    if (this.size <= size) return;
    this.#follower = this.#newFollower(undefined);
    this.#position = this.#follower.position();
    this.#audit = new Audit(this.#parts.means);
    this.#intents = new Map();
    this.#saved = 0;
  }

  #newFollower(position: Uint8Array | undefined): Follower {
    const { log, hasher } = this.#parts;
    return new Follower(log, {
      hasher,
      ...(position === undefined ? {} : { position }),
      visit: (level, start, hashes) => {
        if (level % TILE_HEIGHT === 0) this.#nodes.push({ level, start, hashes: hashes.slice() });
      },
    });
  }

  /**
   * Reads and decides the entries up to a head of the log. While some are decided, the signatures of the next ones are checked.
   * @throws ClientError for a log that does not give out what its tree contains
   */
  async follow(head: KnownHead, between: Between): Promise<void> {
    let previous: Read | undefined;
    try {
      for await (const batch of this.#follower.follow(head)) {
        const read = {
          batch,
          prepared: this.#audit.prepare(batch.entries),
          nodes: this.#nodes,
          position: this.#follower.position(),
        };
        this.#nodes = [];
        if (previous !== undefined) await this.#decide(previous, head, between);
        previous = read;
      }
    } finally {
      if (previous !== undefined) await this.#decide(previous, head, between);
      this.#flush();
    }
    if (this.size - this.#saved >= Math.max(1024, this.size / 20)) this.save();
  }

  /** Keeps where the audit stands. */
  save(): void {
    if (this.size === this.#saved) return;
    const { store, config } = this.#parts;
    store.setProgress(config.origin, {
      position: this.#position,
      state: saveState(this.#audit.state),
      intents: encodeIntents(this.#intents),
    });
    this.#saved = this.size;
  }

  /** Raises what was announced and never came to anything. */
  async raiseUndeployed(): Promise<void> {
    const { config, alarms, store, clock } = this.#parts;
    const head = store.head(config.origin, 'followed');
    if (head === undefined) return;
    for (const finding of undeployed(this.#intents, Math.floor(clock() / 1000), config.deployWithin)) {
      if (finding.index >= head.size || store.openAlarm(config.origin, finding.kind, finding.about) !== undefined) continue;
      const entry = await this.#entry(finding.index, head);
      // A log that does not give it out now is asked again.
      if (entry !== undefined)
        await alarms.raise(config.origin, finding, () => this.#proveRecord(finding, finding.index, entry, head));
    }
  }

  async #decide(read: Read, head: KnownHead, between: Between): Promise<void> {
    const { start, entries } = read.batch;
    for (const [i, prepared] of read.prepared.entries()) {
      const index = start + i;
      const skew = clockSkew(this.#audit.state);
      const before = this.#audit.state;
      const audited = await this.#audit.next(prepared);
      await this.#raiseAdmission(index, entries[i], audited, head);
      if (!audited.admitted) continue;
      const { statement, record, verified } = audited.candidate;
      const type = record?.type ?? '';
      if (GOVERNING.includes(type)) this.#governing.push({ index, entry: entries[i] });
      if (statement.iat !== undefined && verified?.enrolled === true) {
        const after = index >= between.size ? between.after : undefined;
        const finding = dated(index, statement.iat, { after, before: between.before, skew });
        if (finding !== undefined) await this.#raiseDated(finding, index, entries[i], head, before);
      }
      if (record !== undefined) await this.#applyRules({ index, record, iat: statement.iat ?? 0 }, entries[i], head);
    }
    this.#position = read.position;
    this.#unflushed.push(read);
    if (this.#unflushed.length >= FLUSH) {
      this.#flush();
      if (this.size - this.#saved >= Math.max(65_536, this.size / 4)) this.save();
    }
  }

  #flush(): void {
    if (this.#unflushed.length === 0) return;
    const { store, config } = this.#parts;
    store.transaction(() => {
      for (const { nodes } of this.#unflushed) for (const node of nodes) store.addNodes(config.origin, node);
      for (const { index, entry } of this.#governing) store.addGoverning(config.origin, index, entry);
    });
    this.#unflushed = [];
    this.#governing = [];
  }

  async #applyRules(seen: SeenRecord, entry: Uint8Array, head: KnownHead): Promise<void> {
    const { alarms, config } = this.#parts;
    for (const rule of recordRules) {
      const { raise, clear } = rule(seen, this.#intents);
      for (const { kind, about } of clear) alarms.clear(config.origin, kind, about);
      for (const finding of raise)
        await alarms.raise(config.origin, finding, () => this.#proveRecord(finding, seen.index, entry, head));
    }
    this.#intents = afterRecord(this.#intents, seen);
  }

  async #raiseAdmission(index: number, entry: Uint8Array, audited: Audited, head: KnownHead): Promise<void> {
    const finding = admission(index, audited);
    if (finding === undefined || audited.admitted) return;
    const { alarms, config, hasher } = this.#parts;
    const { code, rule, message } = audited.finding;
    await alarms.raise(config.origin, finding, async () => {
      if (finding.kind === 'bad-entry')
        return { ...(await this.#place(index, head)), kind: 'bad-entry', leaf: hasher.hashLeaf(entry), served: entry };
      return this.#proveUnauthorised(index, entry, head, { code, rule, reason: message });
    });
  }

  async #raiseDated(finding: Finding, index: number, entry: Uint8Array, head: KnownHead, _: GovernanceState): Promise<void> {
    const { alarms, config, store } = this.#parts;
    const earlier = store.head(config.origin, 'followed')?.note;
    await alarms.raise(config.origin, finding, async () => ({
      ...(await this.#proveUnauthorised(index, entry, head, {
        code: 'governance/clock',
        rule: 'clock',
        reason: finding.message,
      })),
      ...(earlier === undefined ? {} : { earlier }),
    }));
  }

  async #proveUnauthorised(
    index: number,
    entry: Uint8Array,
    head: KnownHead,
    why: { readonly code: string; readonly rule: string; readonly reason: string },
  ): Promise<Extract<AlarmProof, { kind: 'unauthorised' }>> {
    const { log, hasher, store, config } = this.#parts;
    const place = await this.#place(index, head);
    const tree = log.tree(head.size, head.root);
    const all = await this.#prefix(index, head);
    if (all !== undefined) {
      const proof = index === 0 ? [] : await proveConsistency(tree, index, head.size, hasher);
      return { ...place, kind: 'unauthorised', entry, ...why, before: { all, proof } };
    }
    const chosen = new Map(store.governing(config.origin, index).map((item) => [item.index, item.entry]));
    for (const item of this.#governing) chosen.set(item.index, item.entry);
    for (const other of this.#related(entry)) {
      const bytes = other < index && !chosen.has(other) ? await this.#entry(other, head) : undefined;
      if (bytes !== undefined) chosen.set(other, bytes);
    }
    const some = [];
    for (const [at, bytes] of [...chosen].sort(([a], [b]) => a - b))
      some.push({ index: at, entry: bytes, inclusion: await proveInclusion(tree, at, head.size, hasher) });
    return { ...place, kind: 'unauthorised', entry, ...why, before: { some } };
  }

  /** Entries that the decision about a statement may rest upon besides those that make rules: the newest of its subject. */
  #related(entry: Uint8Array): number[] {
    try {
      const latest = this.#audit.state.latest(parseStatement(entry).sub);
      return latest === undefined ? [] : [latest.index];
    } catch (error) {
      if (error instanceof StatementError) return [];
      throw error;
    }
  }

  /** All entries before an index, or undefined when they are too many for a file. */
  async #prefix(index: number, head: KnownHead): Promise<Uint8Array[] | undefined> {
    if (index > WHOLE_ENTRIES) return undefined;
    const all: Uint8Array[] = [];
    let bytes = 0;
    if (index === 0) return all;
    for await (const { entries } of new Follower(this.#parts.log, { hasher: this.#parts.hasher }).follow(head)) {
      for (const entry of entries) {
        if (all.length === index) return all;
        bytes += entry.length;
        if (bytes > WHOLE_BYTES) return undefined;
        all.push(entry);
      }
    }
    return all.length === index ? all : undefined;
  }

  async #proveRecord(finding: Finding, index: number, entry: Uint8Array, head: KnownHead): Promise<AlarmProof> {
    const kind = finding.kind as 'mismatch' | 'drift' | 'break-glass' | 'undeployed';
    return { ...(await this.#place(index, head)), kind, entry, reason: finding.message };
  }

  /** Where an entry stands in the tree of a head. */
  async #place(index: number, head: KnownHead) {
    const { config, log, hasher } = this.#parts;
    const inclusion = await proveInclusion(log.tree(head.size, head.root), index, head.size, hasher);
    const about = { origin: config.origin, vkeys: config.keys.map(formatVerifierKey) };
    return { v: 1 as const, log: about, head: head.note, index, inclusion };
  }

  /** One entry as the log gives it out, if it is the one that was followed. */
  async #entry(index: number, head: KnownHead): Promise<Uint8Array | undefined> {
    const { log, hasher, store, config } = this.#parts;
    const bundle = Math.floor(index / TILE_WIDTH);
    const width = Math.min(TILE_WIDTH, head.size - bundle * TILE_WIDTH);
    const [entries, leaf] = await Promise.all([
      log.bundle(bundle, width),
      tileHashReader(head.size, store.tiles(config.origin), hasher).readHashes([{ level: 0, index }]),
    ]).catch(() => [undefined, undefined]);
    const entry = entries?.[index % TILE_WIDTH];
    if (entry === undefined || leaf === undefined || !equalBytes(hasher.hashLeaf(entry), leaf)) return undefined;
    return entry;
  }
}

/** A state that this program saved, or undefined when another version did: the log is replayed then. */
function restored(bytes: Uint8Array): GovernanceState | undefined {
  try {
    return restoreState(bytes);
  } catch (error) {
    if (error instanceof GovernanceError) return undefined;
    throw error;
  }
}

function encodeIntents(intents: Intents): Uint8Array {
  return encodeCbor(new Map([...intents].map(([subject, { index, iat }]) => [subject, [index, iat]])));
}

function decodeIntents(bytes: Uint8Array): Intents {
  const saved = decodeCbor(bytes, { tags: [] }) as ReadonlyMap<string, readonly [number, number]>;
  return new Map([...saved].map(([subject, [index, iat]]) => [subject, { index, iat }]));
}
