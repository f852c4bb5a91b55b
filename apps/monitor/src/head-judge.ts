import type { AlarmProof } from '@treering/evidence';
import { evaluateQuorum, formatVerifierKey } from '@treering/note';
import type { AlarmBook, Finding } from './alarm-book.js';
import type { WatchedLogConfig } from './log-config.js';
import {
  type HeadRule,
  type HeadView,
  hidden,
  paced,
  points,
  rollback,
  stale,
  uncompared,
  unwitnessed,
  withheld,
} from './rules/head-rules.js';
import type { Opened, SignedHeads } from './signed-heads.js';
import type { Standing } from './standings.js';
import type { KnownHead, MonitorStore } from './store.js';

/** What heads of a log are judged with. */
export interface HeadJudgeParts {
  readonly config: WatchedLogConfig;
  readonly store: MonitorStore;
  readonly alarms: AlarmBook;
  readonly heads: SignedHeads;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
}

/** What a poll found. */
export interface Seen {
  /** What the log gave out; undefined when it could not be read. */
  readonly opened: Opened | undefined;
  /** Whether the largest head before may be forgotten when this one is larger. */
  readonly succeeds: boolean;
  /** What others had shown before. */
  readonly newer: KnownHead | undefined;
  /**
   * Entries that were read, whether that was broken off only because it takes long, and whether it began again (after a start, say);
   * undefined when entries are not read.
   */
  readonly read: { readonly size: number; readonly broken: boolean; readonly again: boolean } | undefined;
  /** The oldest head that was shown, is not larger than what was followed, and cannot be compared. */
  readonly uncompared: KnownHead | undefined;
  readonly signedAt: number | undefined;
}

/** Applies the rules about heads after every poll. */
export class HeadJudge {
  readonly #parts: HeadJudgeParts;

  constructor(parts: HeadJudgeParts) {
    this.#parts = parts;
  }

  get #now(): number {
    return Math.floor(this.#parts.clock() / 1000);
  }

  judge(seen: Seen): void {
    const { store, alarms, config } = this.#parts;
    const { origin } = config;
    const { opened, newer, signedAt } = seen;
    const largest = store.head(origin, 'served');
    const standing = this.#standing(seen, largest);
    const view = this.#view(seen, largest, standing);
    const served = opened?.head ?? largest ?? store.head(origin, 'followed');
    const last = { served, newer, largest, standing, signedAt, view, waiting: seen.uncompared };
    const rules: readonly (readonly [HeadRule, Pick<Finding, 'kind' | 'about'>, boolean])[] = [
      [rollback, { kind: 'rollback', about: '' }, standing.smaller > 0],
      [stale, { kind: 'stale', about: 'old' }, false],
      [withheld, { kind: 'stale', about: 'entries' }, false],
      [uncompared, { kind: 'stale', about: 'compare' }, false],
      [hidden, { kind: 'stale', about: 'hidden' }, standing.hidden > 0],
      [unwitnessed, { kind: 'unwitnessed', about: '' }, false],
    ];
    store.transaction(() => {
      store.setStanding(origin, standing);
      for (const [rule, { kind, about }, lingers] of rules) {
        const finding = rule(view);
        if (finding !== undefined) alarms.raise(origin, finding, { ready: this.#prove(finding, last) });
        // A log that cannot be read has not mended anything.
        else if (opened !== undefined && !lingers) alarms.clear(origin, kind, about);
      }
      // A head that was neither compared nor kept is the only witness to its history.
      if (opened !== undefined && (largest === undefined || (seen.succeeds && opened.head.size >= largest.size)))
        store.setHead(origin, 'served', opened.head);
    });
  }

  /** How the log has behaved with this poll. */
  #standing({ opened, newer, read, uncompared: waiting }: Seen, largest: KnownHead | undefined): Standing {
    const now = this.#now;
    const known = this.#parts.store.standing(this.#parts.config.origin, now);
    const before = { ...known, uncompared: waiting === undefined ? null : (known.uncompared ?? now) };
    if (opened === undefined) return before;
    const { size } = opened.head;
    const left = read === undefined ? 0 : Math.max(size, largest?.size ?? 0) - read.size;
    const { broken = false, again = false } = read ?? {};
    return {
      ...before,
      smaller: points(before.smaller, largest !== undefined && size < largest.size),
      hidden: points(before.hidden, newer !== undefined && size < newer.size),
      ...paced(before, { left, broken, again, passed: now - before.looked }),
      looked: now,
    };
  }

  #view(
    { opened, newer, read, uncompared: waiting, signedAt }: Seen,
    largest: KnownHead | undefined,
    standing: Standing,
  ): HeadView {
    const { config, heads } = this.#parts;
    const { policy, staleAfter } = config;
    const quorum =
      opened === undefined || policy === undefined ? undefined : evaluateQuorum(policy, opened.checkpoint.cosignatures);
    const missing = policy?.witnesses.map(({ name }) => name).filter((name) => !quorum?.witnesses.includes(name)) ?? [];
    const [t1, t2] = [largest, opened?.head].map((head) => (head === undefined ? undefined : heads.logTimeOf(head)));
    return {
      now: this.#now,
      served:
        opened === undefined ? undefined : { size: opened.head.size, met: quorum?.met ?? true, missing: missing.join(', ') },
      largest,
      smaller: standing.smaller,
      signedLater: t1 !== undefined && t2 !== undefined && t2 > t1,
      signedAt,
      since: standing.since,
      hidden: newer,
      hiding: standing.hidden,
      read: read === undefined ? undefined : { size: read.size, advanced: standing.advanced, lag: standing.lag },
      uncompared: waiting === undefined ? undefined : { ...waiting, since: Math.max(waiting.seen, standing.uncompared ?? 0) },
      staleAfter,
    };
  }

  #prove(
    { kind, about }: Finding,
    last: {
      readonly served: KnownHead | undefined;
      readonly newer: KnownHead | undefined;
      readonly largest: KnownHead | undefined;
      readonly standing: Standing;
      readonly signedAt: number | undefined;
      readonly view: HeadView;
      readonly waiting: KnownHead | undefined;
    },
  ): AlarmProof {
    const { origin, keys, policyText, staleAfter } = this.#parts.config;
    const log = { v: 1, log: { origin, vkeys: keys.map(formatVerifierKey) } } as const;
    const { served, newer, largest, standing, signedAt, view, waiting } = last;
    const limit = staleAfter;
    if (about === 'compare' && waiting !== undefined && view.uncompared !== undefined)
      return { ...log, kind: 'stale', head: waiting.note, withheld: 0, since: view.uncompared.since, limit };
    if (served === undefined) return { ...log, kind: 'stale', since: standing.since, limit };
    const head = served.note;
    if (kind === 'unwitnessed') return { ...log, kind, head, policy: policyText ?? '' };
    if (kind === 'rollback' && largest !== undefined)
      return { ...log, kind, larger: largest.note, smaller: head, seen: [largest.seen, this.#now] };
    if (about === 'hidden' && newer !== undefined)
      return { ...log, kind: 'stale', head, newer: newer.note, since: Math.min(newer.seen, this.#now - 1), limit: 0 };
    if (about === 'entries') {
      // From when on these were kept back: since something last came, or while only some of them did.
      const since = Math.min(standing.advanced, this.#now - standing.lag);
      return { ...log, kind: 'stale', head, withheld: Math.min(standing.judged, served.size - 1), since, limit };
    }
    return { ...log, kind: 'stale', head, since: signedAt ?? served.seen, limit };
  }
}
