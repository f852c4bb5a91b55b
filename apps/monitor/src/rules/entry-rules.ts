import type { Audited } from '@treering/governance';
import { type ChangeRecord, printable } from '@treering/record';
import type { Finding } from '../alarm-book.js';

/** An entry that is in the log against its rules: one that cannot be read, or one that they do not admit. */
export function admission(index: number, audited: Audited): Finding | undefined {
  if (audited.admitted) return undefined;
  const { rule, message } = audited.finding;
  return {
    kind: rule === 'format' ? 'bad-entry' : 'unauthorised',
    about: String(index),
    message: `entry ${index} is in the log against its rules: ${message} (decided by ${rule})`,
  };
}

/** A tree that begins with the charter of another log: its rules are not those of this one. */
export function foreignCharter(record: ChangeRecord | undefined, origin: string): Finding | undefined {
  if (record?.type !== 'charter' || record.origin === origin) return undefined;
  return {
    kind: 'bad-entry',
    about: '0 charter',
    message: `entry 0 is the charter of another log: ${printable(record.origin)}`,
  };
}

/** Times between which an entry was admitted, in seconds; undefined where nothing bounds them. */
export interface Window {
  /** When the log signed a head without the entry. */
  readonly after: number | undefined;
  /** When the log signed a head with it. */
  readonly before: number;
  /** Seconds by which clocks may differ. */
  readonly skew: number;
}

/** The door's rule about time, judged by the heads around an entry (formats.md, policy): dated neither back nor ahead. */
export function dated(index: number, iat: number, { after, before, skew }: Window): Finding | undefined {
  const finding = (how: string): Finding => ({
    kind: 'unauthorised',
    about: `${index} time`,
    message: `entry ${index} is dated ${how} than its place in the log allows`,
  });
  if (iat > before + skew) return finding(`${iat - before} seconds later`);
  if (after !== undefined && iat < after - skew) return finding(`${after - iat} seconds earlier`);
  return undefined;
}
