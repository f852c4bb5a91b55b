import { setImmediate } from 'node:timers/promises';
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
  /** Called with what went wrong in the monitor itself when a proof was to be made. */
  readonly onUnproved?: (alarm: Alarm, error: unknown) => void;
}

/** Proofs that are made in one go: the rest has its turn in the next poll. */
const PROOFS_AT_ONCE = 20;
/** Alarms that are opened in one transaction, and findings that are looked at before other work has its turn. */
const RAISED_AT_ONCE = 100;
const LOOKED_AT = 1000;

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
    const { store } = this.#parts;
    if (store.openAlarm(origin, kind, about) !== undefined) return;
    if (store.room(origin, kind) <= 0) {
      this.suppressed++;
      return;
    }
    this.#open(origin, [{ kind, about, message }], () => pending);
  }

  /**
   * Raises findings of one kind that are not open. Of the store it is asked once what is open, so that many findings cost little,
   * and other work of the process has its turn between them. Those for which there is no room count as suppressed.
   */
  async raiseAll<F extends Finding>(
    origin: string,
    kind: AlarmKind,
    findings: Iterable<F>,
    pendingOf: (finding: F) => Pending,
  ): Promise<void> {
    const { store } = this.#parts;
    const open = store.openAbouts(origin, kind);
    let room = store.room(origin, kind);
    let batch: F[] = [];
    let looked = 0;
    for (const finding of findings) {
      if (++looked % LOOKED_AT === 0) await setImmediate();
      if (open.has(finding.about)) continue;
      if (room <= 0) {
        this.suppressed++;
        continue;
      }
      room--;
      batch.push(finding);
      if (batch.length < RAISED_AT_ONCE) continue;
      this.#open(origin, batch, pendingOf);
      batch = [];
      await setImmediate();
    }
    this.#open(origin, batch, pendingOf);
  }

  /** Opens alarms, all or none. */
  #open<F extends Finding>(origin: string, findings: readonly F[], pendingOf: (finding: F) => Pending): void {
    if (findings.length === 0) return;
    const { store, webhooks, onChange } = this.#parts;
    const opened = store.transaction(() =>
      findings.map((finding) => {
        const { kind, about, message } = finding;
        const alarm = { origin, kind, about, message, raised: this.#now };
        return store.raise(alarm, encodePending(pendingOf(finding)), webhooks);
      }),
    );
    for (const alarm of opened) if (alarm !== undefined) onChange?.(alarm, 'raised');
  }

  /**
   * Makes and signs proofs that are not made yet. One that fails, for whatever reason, has its turn again after the others.
   * @param build asks the log for what a proof about an entry needs; undefined when the log does not give it out now
   */
  async prove(origin: string, build: (needs: EntryNeeds) => Promise<AlarmProof | undefined>): Promise<void> {
    const { store, observer, signer, onUnproved } = this.#parts;
    for (const { alarm, pending } of store.unproved(origin, PROOFS_AT_ONCE)) {
      let signed: Uint8Array | undefined;
      try {
        const made = decodePending(pending);
        const proof = 'ready' in made ? made.ready : await build(made.needs);
        if (proof !== undefined) signed = await signAlarmProof(proof, { observer, observedAt: alarm.raised }, signer);
      } catch (error) {
        onUnproved?.(alarm, error);
      }
      if (signed === undefined) store.tried(alarm.id);
      else store.setProof(alarm.id, signed);
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
