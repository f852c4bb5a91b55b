import type { AuditFinding, GovernanceState, Identity } from '@treering/governance';
import type { ChangeRecord } from '@treering/record';
import type { SignedStatement } from '@treering/statement';
import type { HeadSeen } from './head-seen.js';

/** An entry of a pack as it was examined. Nothing about it is proved before the last head of the file is. */
export interface PackEntry {
  readonly index: number;
  /** The signed statement as it stands in the log. */
  readonly entry: Uint8Array;
  /** RFC 6962 leaf hash, 32 bytes. */
  readonly leaf: Uint8Array;
  /** Undefined for bytes that are none. */
  readonly statement: SignedStatement | undefined;
  /** Undefined for a foreign statement. */
  readonly record: ChangeRecord | undefined;
  /** Whose key signed it, by the entries before it in the file; undefined for foreign statements. */
  readonly signer: Identity | undefined;
  /** The rule that admits it, or why the rules do not. */
  readonly admission: { readonly rule: string } | { readonly finding: AuditFinding };
  /** Whether it is about a subject that was asked about, within the period. */
  readonly asked: boolean;
  /** The last head before it that the reader's keys signed. */
  readonly after: HeadSeen | undefined;
}

/** What looks at each entry in turn, and has something to say at the end. */
export interface Examiner {
  /** @param state the rules with this entry taken in, if they admit it */
  see(entry: PackEntry, state: GovernanceState): void;
}

/** True when the rules admit an entry. */
export function isAdmitted({ admission }: Pick<PackEntry, 'admission'>): boolean {
  return 'rule' in admission;
}

/** "entry 3", "entries 3 and 5", "entries 3, 5, 8 and 12 others". */
export function listEntries(indices: readonly number[]): string {
  if (indices.length === 1) return `entry ${indices[0]}`;
  const shown = indices.slice(0, indices.length > 6 ? 5 : indices.length);
  const rest = indices.length - shown.length;
  if (rest > 0) return `entries ${shown.join(', ')} and ${rest} others`;
  return `entries ${shown.slice(0, -1).join(', ')} and ${shown[shown.length - 1]}`;
}

/** "1 record", "2 records". */
export function plural(count: number, what: string, many = `${what}s`): string {
  return `${count} ${count === 1 ? what : many}`;
}
