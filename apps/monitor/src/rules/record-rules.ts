import { recordAlarms } from '@treering/evidence';
import type { ChangeRecord } from '@treering/record';
import type { Finding } from '../alarm-book.js';
import { afterIncident, type Deadlines, settled } from './incident-rules.js';

/** A deployment that was announced. */
export interface Intent {
  readonly index: number;
  /** Seconds since the epoch. */
  readonly iat: number;
}

/** Announced deployments by subject. */
export type Intents = ReadonlyMap<string, Intent>;

/** What record rules remember of the entries before. */
export interface Remembered {
  readonly intents: Intents;
  readonly deadlines: Deadlines;
}

/** What is remembered before the first entry. */
export const NOTHING_REMEMBERED: Remembered = { intents: new Map(), deadlines: new Map() };

/** An admitted record, as rules see it. */
export interface SeenRecord {
  readonly index: number;
  readonly record: ChangeRecord;
  readonly iat: number;
}

/** What follows from a record. */
interface Consequences {
  readonly raise: readonly Finding[];
  /** Alarms whose reason is gone, by kind and what they are about. */
  readonly clear: readonly Pick<Finding, 'kind' | 'about'>[];
}

/** Decides from one record and what was remembered, without side effects. */
export type RecordRule = (seen: SeenRecord, remembered: Remembered) => Consequences;

const NOTHING: Consequences = { raise: [], clear: [] };

/** What runs is not what was logged, or behaves otherwise; a verification that matches ends what it looked at. */
export const verification: RecordRule = ({ record, index }) => {
  if (record.type !== 'verification') return NOTHING;
  const { subject, host, verdict } = record;
  // What one machine runs says nothing about another one.
  const about = host === undefined ? subject : `${subject} on ${host}`;
  switch (verdict) {
    case 'match': {
      const seen = record.about === undefined ? (['state', 'behaviour'] as const) : [record.about];
      return { raise: [], clear: seen.map((what) => ({ kind: what === 'state' ? 'mismatch' : 'drift', about })) };
    }
    case 'mismatch':
    case 'drift': {
      const message = recordAlarms.find(({ kind }) => kind === verdict)?.says(record) ?? verdict;
      return { raise: [{ kind: verdict, about, message: `entry ${index}: ${message}` }], clear: [] };
    }
    case 'inconclusive':
      return NOTHING;
  }
};

/** A deployment without the approvals that its rule asks for is allowed to those whom the policy names, and always an alarm. */
export const breakGlass: RecordRule = ({ record, index }) => {
  const message = recordAlarms.find(({ kind }) => kind === 'break-glass')?.says(record);
  if (message === undefined) return NOTHING;
  return { raise: [{ kind: 'break-glass', about: String(index), message: `entry ${index}: ${message}` }], clear: [] };
};

/** An announced deployment that is followed up is none any more. */
export const followedUp: RecordRule = ({ record }, { intents }) => {
  if (record.type !== 'deployment') return NOTHING;
  const before = intents.get(record.subject);
  return before === undefined
    ? NOTHING
    : { raise: [], clear: [{ kind: 'undeployed', about: intentId(record.subject, before) }] };
};

/** Every rule about one record. */
export const recordRules: readonly RecordRule[] = [verification, breakGlass, followedUp, settled];

/** What is remembered after a record. */
export function afterRecord({ intents, deadlines }: Remembered, seen: SeenRecord): Remembered {
  return { intents: afterDeployment(intents, seen), deadlines: afterIncident(deadlines, seen) };
}

function afterDeployment(intents: Intents, { record, index, iat }: SeenRecord): Intents {
  if (record.type !== 'deployment') return intents;
  const next = new Map(intents);
  if (record.phase === 'intent') next.set(record.subject, { index, iat });
  else next.delete(record.subject);
  return next;
}

/** Deployments that were announced longer ago than `limit` seconds, and never came to anything that was logged. */
export function undeployed(intents: Intents, now: number, limit: number): (Finding & Intent)[] {
  return [...intents]
    .filter(([, { iat }]) => now - iat > limit)
    .map(([subject, intent]) => ({
      ...intent,
      kind: 'undeployed',
      about: intentId(subject, intent),
      message: `entry ${intent.index} announces a deployment of ${subject}, and ${now - intent.iat} seconds later the log does not say what came of it`,
    }));
}

function intentId(subject: string, { index }: Intent): string {
  return `${subject}@${index}`;
}
