import { recordAlarms } from '@treering/evidence';
import type { ChangeRecord } from '@treering/record';
import type { Finding } from '../alarm-book.js';
import { type Deadline, type Deadlines, rememberIncident, settled } from './incident-rules.js';

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

/** What is remembered, to be changed record by record: a copy for each one would cost as much as all that is remembered. */
export interface Memory extends Remembered {
  readonly intents: Map<string, Intent>;
  readonly deadlines: Map<string, Deadline>;
}

/** What is remembered before the first entry. */
export function emptyMemory(): Memory {
  return { intents: new Map(), deadlines: new Map() };
}

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

/** Takes a record into what is remembered. */
export function remember({ intents, deadlines }: Memory, seen: SeenRecord): void {
  const { record, index, iat } = seen;
  if (record.type === 'incident') rememberIncident(deadlines, record, index);
  if (record.type !== 'deployment') return;
  if (record.phase === 'intent') intents.set(record.subject, { index, iat });
  else intents.delete(record.subject);
}

/** Deployments that were announced longer ago than `limit` seconds, and never came to anything that was logged. */
export function* undeployed(intents: Intents, now: number, limit: number): Generator<Finding & Intent> {
  for (const [subject, { index, iat }] of intents) {
    if (now - iat <= limit) continue;
    const about = intentId(subject, { index });
    const message = `entry ${index} announces a deployment of ${subject}, and ${now - iat} seconds later the log does not say what came of it`;
    yield { index, iat, kind: 'undeployed', about, message };
  }
}

function intentId(subject: string, { index }: Pick<Intent, 'index'>): string {
  return `${subject}@${index}`;
}
