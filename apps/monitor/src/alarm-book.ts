import { type AlarmKind, type AlarmProof, signAlarmProof } from '@treering/evidence';
import type { StatementSigner } from '@treering/statement';
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

/** Raises alarms, each once until it clears, with a signed proof file. */
export class AlarmBook {
  readonly #parts: AlarmBookParts;
  /** Alarms that were not opened because too many were open. */
  suppressed = 0;

  constructor(parts: AlarmBookParts) {
    this.#parts = parts;
  }

  get #now(): number {
    return Math.floor(this.#parts.clock() / 1000);
  }

  /**
   * Raises an alarm unless it is open.
   * @param prove called only when the alarm is new
   */
  async raise(origin: string, { kind, about, message }: Finding, prove: () => AlarmProof | Promise<AlarmProof>): Promise<void> {
    const { store, observer, signer, webhooks, onChange } = this.#parts;
    if (store.openAlarm(origin, kind, about) !== undefined) return;
    if (!store.hasRoom(origin)) {
      this.suppressed++;
      return;
    }
    const now = this.#now;
    const proof = await signAlarmProof(await prove(), { observer, observedAt: now }, signer);
    const alarm = store.raise({ origin, kind, about, message, raised: now }, proof, webhooks);
    if (alarm !== undefined) onChange?.(alarm, 'raised');
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
