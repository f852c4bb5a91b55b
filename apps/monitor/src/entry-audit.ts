import { type EntryBatch, Follower, type TlogReader } from '@treering/client';
import {
  Audit,
  type Audited,
  clockSkew,
  GovernanceError,
  GovernanceState,
  type Means,
  type Prepared,
  prepareAhead,
  restoreState,
  saveState,
} from '@treering/governance';
import { type Hasher, TILE_HEIGHT, tileHashReader } from '@treering/merkle';
import type { ChangeRecord } from '@treering/record';
import { parseStatement, StatementError } from '@treering/statement';
import type { AlarmBook, Finding } from './alarm-book.js';
import { leadsTo } from './entry-proofs.js';
import type { WatchedLogConfig } from './log-config.js';
import type { EntryNeeds } from './pending.js';
import { decodeRemembered, encodeRemembered } from './remembered.js';
import { admission, dated, foreignCharter } from './rules/entry-rules.js';
import { incidentsDue } from './rules/incident-rules.js';
import { emptyMemory, recordRules, remember, undeployed } from './rules/record-rules.js';
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
  /** When it signed a head of `size` entries, and that head. */
  readonly after: number | undefined;
  readonly before: number;
  readonly size: number;
  readonly earlier: Uint8Array | undefined;
}

/** Entries that were read and wait to be decided. */
interface Read extends EntryBatch {
  readonly nodes: readonly NewNodes[];
  /** Where a follower goes on behind them. */
  readonly position: Uint8Array;
}

/** What follows from an entry. */
type Action =
  | { readonly raise: Finding; readonly needs: EntryNeeds }
  | { readonly clear: Pick<Finding, 'kind' | 'about'>; readonly index: number }
  | { readonly governing: Uint8Array; readonly index: number };

/** Batches in one transaction. */
const FLUSH = 16;
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
  'evaluation',
  'change-plan',
  'assessment',
  'incident',
];

/**
 * Decides the admission of every entry of a log again, and applies the rules about records. Deciding needs nothing but the
 * entries; what follows is stored together with how far it went, so that no entry is judged twice and none is passed over.
 */
export class EntryAudit {
  readonly #parts: EntryAuditParts;
  #follower!: Follower;
  #audit!: Audit;
  /** Changed record by record, as the state of the audit is: after a failure both are loaded again as they were saved. */
  #remembered = emptyMemory();
  /** Where the audit stands: behind what was decided. */
  #position!: Uint8Array;
  #saved = 0;
  #nodes: NewNodes[] = [];
  #unflushed: { readonly nodes: readonly NewNodes[]; readonly actions: readonly Action[] }[] = [];

  constructor(parts: EntryAuditParts) {
    this.#parts = parts;
    this.#load(Number.POSITIVE_INFINITY);
  }

  /** Entries that were decided. */
  get size(): number {
    return this.#audit.size;
  }

  /** Goes on from what was saved, or begins again when that is more than the first `most` entries. */
  #load(most: number): void {
    const { config, store, means } = this.#parts;
    const saved = store.progress(config.origin);
    const remembered = saved === undefined ? undefined : decodeRemembered(saved.intents);
    let state = saved === undefined || remembered === undefined ? undefined : restored(saved.state);
    this.#follower = this.#newFollower(state === undefined ? undefined : saved?.position);
    if (this.#follower.size > most) {
      state = undefined;
      this.#follower = this.#newFollower(undefined);
    }
    this.#position = this.#follower.position();
    this.#saved = this.#follower.size;
    this.#audit = new Audit(means, { state: state ?? new GovernanceState(), size: this.#follower.size });
    this.#remembered = state === undefined || remembered === undefined ? emptyMemory() : remembered;
    this.#nodes = [];
    this.#unflushed = [];
  }

  /** Begins again: what was read behind the first `size` entries is of a tree that does not count. */
  reset(size: number): void {
    this.forget(size);
    this.#load(size);
  }

  /** Judges entries from an index on once more, also those that were judged before a restart: they were of another tree. */
  forget(size = this.size): void {
    const { store, config } = this.#parts;
    const standing = store.standing(config.origin, this.#now);
    store.transaction(() => {
      store.dropGoverning(config.origin, size);
      store.setStanding(config.origin, { ...standing, judged: Math.min(standing.judged, size) });
    });
  }

  get #now(): number {
    return Math.floor(this.#parts.clock() / 1000);
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
   * @param until when to break off, by `performance.now()`
   * @returns whether all were decided
   * @throws ClientError for a log that does not give out what its tree contains
   */
  async follow(head: KnownHead, between: Between, until = Number.POSITIVE_INFINITY): Promise<boolean> {
    try {
      const enough = (): boolean => performance.now() > until;
      for await (const { batch, prepared } of prepareAhead(this.#audit, this.#read(head), enough))
        await this.#decide(batch, prepared, head, between);
    } finally {
      this.#flush();
    }
    if (this.size - this.#saved >= Math.max(1024, this.size / 20)) this.save();
    return this.size === head.size;
  }

  /** The entries up to a head, with the nodes that they add to its tree. */
  async *#read(head: KnownHead): AsyncGenerator<Read> {
    for await (const batch of this.#follower.follow(head)) {
      const nodes = this.#nodes;
      this.#nodes = [];
      yield { ...batch, nodes, position: this.#follower.position() };
    }
  }

  /** Whether what was kept of the tree leads to the root of a head. */
  keeps({ size, root }: KnownHead): Promise<boolean> {
    const { store, config, hasher } = this.#parts;
    return leadsTo(tileHashReader(size, store.tiles(config.origin), hasher), size, root, hasher);
  }

  /** Keeps where the audit stands. */
  save(): void {
    if (this.size === this.#saved) return;
    const { store, config } = this.#parts;
    store.setProgress(config.origin, {
      position: this.#position,
      state: saveState(this.#audit.state),
      intents: encodeRemembered(this.#remembered),
    });
    this.#saved = this.size;
  }

  /** Raises what time alone makes a reason: what was announced and never came to anything, and reports that are due. */
  async raiseByTime(): Promise<void> {
    const { config, alarms, store } = this.#parts;
    const head = store.head(config.origin, 'followed');
    if (head === undefined) return;
    // While entries are read again, one of the next ones may say what came of it; it was judged, and would clear nothing.
    if (this.size < Math.max(head.size, store.standing(config.origin, this.#now).judged)) return;
    const { intents, deadlines } = this.#remembered;
    const now = this.#now;
    const raise = (kind: Finding['kind'], findings: Iterable<Finding & { index: number }>): Promise<void> =>
      alarms.raiseAll(config.origin, kind, within(findings, head.size), (finding) => ({
        // The entry is asked for when the proof is made.
        needs: needsOf(finding, finding.index, new Uint8Array(0), head),
      }));
    await raise('undeployed', undeployed(intents, now, config.deployWithin));
    await raise('incident-due', incidentsDue(deadlines, now, config.remindBefore));
  }

  /** Decides, and says what follows; changes nothing that lasts. */
  async #decide(read: Read, prepared: readonly Prepared[], head: KnownHead, between: Between): Promise<void> {
    const { start, entries } = read;
    const actions: Action[] = [];
    // As the policy before the entry has it.
    let skew = 0;
    try {
      await this.#audit.decide(prepared, {
        onRead: () => {
          skew = clockSkew(this.#audit.state);
        },
        onDecided: (audited, index) => {
          actions.push(...this.#consequences(index, entries[index - start], audited, head, between, skew));
        },
      });
    } catch (error) {
      // The state may have taken in a part: only what was saved is whole.
      this.#load(Number.POSITIVE_INFINITY);
      throw error;
    }
    this.#position = read.position;
    this.#unflushed.push({ nodes: read.nodes, actions });
    if (this.#unflushed.length >= FLUSH) {
      this.#flush();
      if (this.size - this.#saved >= Math.max(65_536, this.size / 4)) this.save();
    }
  }

  #consequences(
    index: number,
    entry: Uint8Array,
    audited: Audited,
    head: KnownHead,
    between: Between,
    skew: number,
  ): readonly Action[] {
    const refused = admission(index, audited);
    if (!audited.admitted) {
      if (refused === undefined) return [];
      const { code, rule, message } = audited.finding;
      const why = { code, rule, reason: message, related: this.#related(entry) };
      return [{ raise: refused, needs: { ...needsOf(refused, index, entry, head), ...why } }];
    }
    const { statement, record, verified } = audited.candidate;
    const actions: Action[] = [];
    const raise = (finding: Finding, more: Partial<EntryNeeds> = {}): void => {
      actions.push({ raise: finding, needs: { ...needsOf(finding, index, entry, head), ...more } });
    };
    if (record !== undefined && GOVERNING.includes(record.type)) actions.push({ governing: entry, index });
    const foreign = index === 0 ? foreignCharter(record, this.#parts.config.origin) : undefined;
    if (foreign !== undefined) raise(foreign);
    if (statement.iat !== undefined && verified?.enrolled === true) {
      const { after, before, size, earlier } = between;
      const finding = dated(index, statement.iat, { after: index >= size ? after : undefined, before, skew });
      if (finding !== undefined) raise(finding, { code: 'governance/clock', rule: 'clock', earlier });
    }
    if (record !== undefined) actions.push(...this.#ofRecord(index, entry, record, statement.iat ?? 0, head));
    return actions;
  }

  #ofRecord(index: number, entry: Uint8Array, record: ChangeRecord, iat: number, head: KnownHead): Action[] {
    const seen = { index, record, iat };
    const actions = recordRules.flatMap((rule): Action[] => {
      const { raise, clear } = rule(seen, this.#remembered);
      return [
        ...clear.map((alarm) => ({ clear: alarm, index })),
        ...raise.map((finding) => ({ raise: finding, needs: needsOf(finding, index, entry, head) })),
      ];
    });
    remember(this.#remembered, seen);
    return actions;
  }

  /** Stores nodes and consequences of what was decided, and that it was: all or nothing. */
  #flush(): void {
    if (this.#unflushed.length === 0) return;
    const { store, config, alarms } = this.#parts;
    const standing = store.standing(config.origin, this.#now);
    // What was judged before a restart has been raised, and perhaps cleared since.
    const isNew = (index: number): boolean => index >= standing.judged;
    try {
      store.transaction(() => {
        for (const { nodes, actions } of this.#unflushed) {
          for (const node of nodes) store.addNodes(config.origin, node);
          for (const action of actions) {
            if ('governing' in action) store.addGoverning(config.origin, action.index, action.governing);
            else if ('clear' in action) {
              if (isNew(action.index)) alarms.clear(config.origin, action.clear.kind, action.clear.about);
            } else if (isNew(action.needs.index)) alarms.raise(config.origin, action.raise, { needs: action.needs });
          }
        }
        store.setStanding(config.origin, { ...standing, judged: Math.max(standing.judged, this.size) });
      });
    } catch (error) {
      this.#load(Number.POSITIVE_INFINITY);
      throw error;
    }
    this.#unflushed = [];
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
}

function needsOf({ kind, message }: Finding, index: number, entry: Uint8Array, { note, size, root }: KnownHead): EntryNeeds {
  const head = { note, size, root };
  return { kind: kind as EntryNeeds['kind'], index, entry, head, code: '', rule: '', reason: message, related: [] };
}

/** Those about the first `size` entries. */
function* within<F extends { readonly index: number }>(findings: Iterable<F>, size: number): Generator<F> {
  for (const finding of findings) if (finding.index < size) yield finding;
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
