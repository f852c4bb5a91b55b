import { type AlarmKind, type AlarmProof, signAlarmProof } from '@treering/evidence';
import type { StatementSigner } from '@treering/statement';
import { decodePending, type EntryNeeds, encodePending, type Pending } from './pending.js';
import type { Alarm, MonitorStore } from './store.js';

/** What there is to be raised. */
export interface Finding {
  readonly kind: AlarmKind;
  /** What tells it from other alarms of its kind about the same log. */
  readonly about: string;
  /** A sentence for people. */
  readonly message: string;
}

/** What an alarm book works with. */
export interface AlarmBookParts {
  readonly store: MonitorStore;
  /** The monitor's name and key: what it saw is signed. */
  readonly observer: string;
  readonly signer: StatementSigner;
  /** Who is told. */
  readonly webhooks: readonly string[];
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** Called with each alarm that is opened or closed. */
  readonly onChange?: (alarm: Alarm, event: 'raised' | 'cleared') => void;
}

/** Proofs that are made in one go: the rest has its turn in the next poll. */
const PROOFS_AT_ONCE = 20;

/** Raises alarms, each once until it clears. An alarm never waits for its proof: that needs the log, which may not answer. */
export class AlarmBook {
  readonly #parts: AlarmBookParts;
  /** Alarms that were not opened because too many of their kind were open. */
  suppressed = 0;

  constructor(parts: AlarmBookParts) {
    this.#parts = parts;
  }

  get #now(): number {
    return Math.floor(this.#parts.clock() / 1000);
  }

  /** Raises an alarm unless it is open. */
  raise(origin: string, { kind, about, message }: Finding, pending: Pending): void {
    const { store, webhooks, onChange } = this.#parts;
    if (store.openAlarm(origin, kind, about) !== undefined) return;
    if (!store.hasRoom(origin, kind)) {
      this.suppressed++;
      return;
    }
    const alarm = store.raise({ origin, kind, about, message, raised: this.#now }, encodePending(pending), webhooks);
    if (alarm !== undefined) onChange?.(alarm, 'raised');
  }

  /**
   * Makes and signs proofs that are not made yet.
   * @param build asks the log for what a proof about an entry needs; undefined when the log does not give it out now
   */
  async prove(origin: string, build: (needs: EntryNeeds) => Promise<AlarmProof | undefined>): Promise<void> {
    const { store, observer, signer } = this.#parts;
    for (const { alarm, pending } of store.unproved(origin, PROOFS_AT_ONCE)) {
      const made = decodePending(pending);
      const proof = 'ready' in made ? made.ready : await build(made.needs);
      if (proof === undefined) store.tried(alarm.id);
      else store.setProof(alarm.id, await signAlarmProof(proof, { observer, observedAt: alarm.raised }, signer));
    }
  }

  /** Closes an alarm whose reason is gone. */
  clear(origin: string, kind: AlarmKind, about: string): void {
    const alarm = this.#parts.store.openAlarm(origin, kind, about);
    if (alarm !== undefined) this.close(alarm);
  }

  /** Closes an alarm; of several calls one counts. */
  close(alarm: Alarm): void {
    const { store, webhooks, onChange } = this.#parts;
    if (store.clear(alarm.id, this.#now, webhooks)) onChange?.(alarm, 'cleared');
  }
}
