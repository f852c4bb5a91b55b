import { equalBytes } from '@treering/merkle';
import { isSame } from './followed-tree.js';
import type { WatchedLogConfig } from './log-config.js';
import type { SignedHeads } from './signed-heads.js';
import type { KnownHead, MonitorStore } from './store.js';

/** As the source of a head: the log itself. */
export const THE_LOG = 'the log';

/** What the heads of a log are kept with. */
export interface KnownHeadsParts {
  readonly config: WatchedLogConfig;
  readonly store: MonitorStore;
  readonly heads: SignedHeads;
}

/** Every head of a log that still matters, whoever showed it. */
export class KnownHeads {
  readonly #parts: KnownHeadsParts;

  constructor(parts: KnownHeadsParts) {
    this.#parts = parts;
  }

  /** When a head was first seen, in seconds. */
  firstSeen(head: KnownHead): number {
    const seen = this.#all()
      .filter((known) => isSame(known, head))
      .map((known) => known.seen);
    return Math.min(head.seen, ...seen);
  }

  /** Another head of the same size. */
  rivalOf(head: KnownHead): KnownHead | undefined {
    return this.#all().find(({ size, root }) => size === head.size && !equalBytes(root, head.root));
  }

  /** The largest head that others showed and that the log could give out: cosigned by the quorum of the policy. */
  newestShown(): KnownHead | undefined {
    return this.#parts.store
      .heads(this.#parts.config.origin, 'shown')
      .filter((head) => head.source !== THE_LOG && this.#parts.heads.isWitnessed(head))
      .pop();
  }

  /**
   * Keeps a head until it can be compared. Where there is no room, one with fewer cosignatures makes way, or a larger one: a log
   * cannot fill all places with sizes that it never reaches. @returns false when there is no place for this one
   */
  keep(head: KnownHead): boolean {
    const { store, heads } = this.#parts;
    const { origin } = this.#parts.config;
    const shown = store.heads(origin, 'shown');
    if (!shown.some((known) => isSame(known, head)) && !store.hasRoomForShown(origin)) {
      const weight = (known: KnownHead): number => heads.cosigned(known);
      const [last] = [head, ...shown].sort((a, b) => weight(a) - weight(b) || b.size - a.size);
      if (last === head) return false;
      store.removeShown(origin, last);
    }
    store.addShown(origin, head);
    return true;
  }

  #all(): KnownHead[] {
    const { store, config } = this.#parts;
    return (['followed', 'served', 'shown'] as const).flatMap((role) => store.heads(config.origin, role));
  }
}
