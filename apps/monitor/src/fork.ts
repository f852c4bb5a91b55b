import { formatVerifierKey } from '@treering/note';
import type { AlarmBook } from './alarm-book.js';
import type { Contained } from './followed-tree.js';
import type { WatchedLogConfig } from './log-config.js';
import type { KnownHead } from './store.js';

/** What every proof about a log begins with. */
export function aboutLog({ origin, keys }: WatchedLogConfig) {
  return { v: 1, log: { origin, vkeys: keys.map(formatVerifierKey) } } as const;
}

/**
 * Raises the alarm about two heads that contradict one another.
 * @param contained what the larger tree contains at the size of the smaller one; undefined for two of one size
 */
export function raiseFork(
  { alarms, config }: { readonly alarms: AlarmBook; readonly config: WatchedLogConfig },
  a: KnownHead,
  b: KnownHead,
  contained?: Contained,
): void {
  const message =
    a.size === b.size
      ? `the log signed two trees of ${a.size} entries; ${a.source} and ${b.source} show them`
      : `the log signed trees of ${a.size} and ${b.size} entries that do not contain one another; ${a.source} and ${b.source} show them`;
  const heads: [Uint8Array, Uint8Array] = [a.note, b.note];
  const inside = contained === undefined ? {} : { contained: { root: contained.root, proof: contained.proof } };
  const proof = { ...aboutLog(config), kind: 'fork', heads, ...inside } as const;
  alarms.raise(config.origin, { kind: 'fork', about: '', message }, { ready: proof });
}
