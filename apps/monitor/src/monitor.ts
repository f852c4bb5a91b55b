import type { Fetch } from '@treering/client';
import type { Means } from '@treering/governance';
import type { Hasher } from '@treering/merkle';
import { nodeHasher } from '@treering/merkle/node';
import type { Ed25519 } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import type { StatementSigner } from '@treering/statement';
import { AlarmBook } from './alarm-book.js';
import { Gossip } from './gossip.js';
import type { WatchedLogConfig } from './log-config.js';
import type { Alarm, MonitorStore } from './store.js';
import { WatchedLog } from './watched-log.js';
import { deliver } from './webhooks.js';

/** What a monitor is made of. Clock and network come from outside, so that tests can put theirs in. */
export interface MonitorParts {
  readonly store: MonitorStore;
  readonly name: string;
  readonly signer: StatementSigner;
  readonly logs: readonly WatchedLogConfig[];
  /** URLs of other monitors. */
  readonly peers?: readonly string[];
  /** URLs that are told of alarms. */
  readonly webhooks?: readonly string[];
  readonly means: Means;
  readonly hasher?: Hasher;
  readonly ed25519?: Ed25519;
  /** Milliseconds since the epoch. */
  readonly clock?: () => number;
  readonly fetch?: Fetch;
  /** Milliseconds for one request. */
  readonly timeout?: number;
  readonly onAlarm?: (alarm: Alarm, event: 'raised' | 'cleared') => void;
  readonly onTrouble?: (who: string, error: Error) => void;
  /** Called with what went wrong in the monitor itself when the proof of an alarm was to be made. */
  readonly onUnproved?: (alarm: Alarm, error: unknown) => void;
}

/** Follows logs, compares what everybody shows of them, and raises alarms. */
export class Monitor {
  readonly store: MonitorStore;
  readonly name: string;
  readonly signer: StatementSigner;
  readonly logs: readonly WatchedLog[];
  readonly alarms: AlarmBook;
  readonly clock: () => number;
  readonly #gossip: Gossip;
  readonly #parts: MonitorParts;
  readonly #polling = new Map<WatchedLog, Promise<void>>();
  #telling: Promise<void> | undefined;
  #tellingNext: Promise<void> | undefined;
  #closing = false;

  constructor(parts: MonitorParts) {
    const { store, name, signer, clock = Date.now, means, onAlarm, onTrouble, onUnproved, fetch, timeout } = parts;
    const hasher = parts.hasher ?? nodeHasher;
    const network = { ...(fetch === undefined ? {} : { fetch }), ...(timeout === undefined ? {} : { timeout }) };
    this.#parts = parts;
    this.store = store;
    this.name = name;
    this.signer = signer;
    this.clock = clock;
    this.alarms = new AlarmBook({
      store,
      observer: name,
      signer,
      webhooks: parts.webhooks ?? [],
      clock,
      ...(onAlarm === undefined ? {} : { onChange: onAlarm }),
      ...(onUnproved === undefined ? {} : { onUnproved }),
    });
    this.#gossip = new Gossip({
      peers: parts.peers ?? [],
      hasher,
      ...network,
      ...(onTrouble === undefined ? {} : { onTrouble }),
    });
    const ed25519 = parts.ed25519 ?? nodeEd25519;
    this.logs = parts.logs.map(
      (config) => new WatchedLog({ config, store, alarms: this.alarms, means, hasher, ed25519, clock, ...network }),
    );
  }

  /** The log with this name in gossip: SHA-256 of its origin, in hex. */
  log(originHash: string): WatchedLog | undefined {
    return this.logs.find((log) => log.originHash === originHash);
  }

  /**
   * Looks at every log once, and tells webhooks what there is, whatever becomes of one of them.
   * @throws AggregateError with what went wrong in the monitor itself
   */
  async poll(): Promise<void> {
    const polls = await Promise.allSettled(this.logs.map((log) => this.look(log)));
    const told = await Promise.allSettled([this.tell()]);
    const failures = [...polls, ...told].flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
    if (failures.length > 0) throw new AggregateError(failures, failures.map(({ message }) => message).join('; '));
  }

  /** Looks at one log once. Calls that overlap share one run. */
  look(log: WatchedLog): Promise<void> {
    const running = this.#polling.get(log);
    if (running !== undefined) return running;
    const run = log.poll(() => this.#gossip.ask(log)).finally(() => this.#polling.delete(log));
    this.#polling.set(log, run);
    return run;
  }

  /**
   * Tells webhooks what they were not told yet. A run that is under way may have passed what was raised since: another one follows
   * it, which is shared by all calls until it begins. A monitor that is being closed leaves the rest to the next start.
   */
  tell(): Promise<void> {
    if (this.#closing) return Promise.resolve();
    if (this.#telling !== undefined) {
      this.#tellingNext ??= this.#telling
        .catch(() => undefined)
        .then(() => {
          this.#tellingNext = undefined;
          return this.tell();
        });
      return this.#tellingNext;
    }
    const { fetch, timeout } = this.#parts;
    this.#telling = deliver(this, {
      ...(fetch === undefined ? {} : { fetch }),
      ...(timeout === undefined ? {} : { timeout }),
    }).finally(() => {
      this.#telling = undefined;
    });
    return this.#telling;
  }

  /** Waits for what is under way, and keeps how far every audit has come. */
  async close(): Promise<void> {
    this.#closing = true;
    await Promise.allSettled([...this.#polling.values(), this.#telling]);
    for (const log of this.logs) log.save();
    this.store.close();
  }
}
