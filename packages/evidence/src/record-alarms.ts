import { type ChangeRecord, reportDueAt } from '@treering/record';
import type { RECORD_ALARMS } from './alarm-proof.js';
import { timeText } from './log-time.js';

/** An alarm that rests on what an admitted record says. */
export interface RecordAlarm {
  readonly kind: (typeof RECORD_ALARMS)[number];
  /** What the record says, in half a sentence, or undefined when it is no reason for this alarm. */
  says(record: ChangeRecord): string | undefined;
  /** For what time makes an alarm of: what a later record would have said, which is for the monitor to say that none did. */
  readonly unless?: string;
}

/** What somebody observed is not what the log says should run. */
const mismatch: RecordAlarm = {
  kind: 'mismatch',
  says: (record) =>
    record.type === 'verification' && record.verdict === 'mismatch'
      ? `what runs as ${record.subject} is not what was logged`
      : undefined,
};

/** The measured behaviour has left the tolerances. */
const drift: RecordAlarm = {
  kind: 'drift',
  says: (record) =>
    record.type === 'verification' && record.verdict === 'drift'
      ? `${record.subject} behaves otherwise than its logged evaluation, beyond the tolerance`
      : undefined,
};

/** Somebody deployed without the approvals that the policy asks for. */
const breakGlass: RecordAlarm = {
  kind: 'break-glass',
  says: (record) =>
    record.type === 'deployment' && record.break_glass === true
      ? `${record.subject} was deployed without the approvals that its rule asks for`
      : undefined,
};

/** A deployment was announced; that nothing followed is for the monitor to say. */
const undeployed: RecordAlarm = {
  kind: 'undeployed',
  says: (record) =>
    record.type === 'deployment' && record.phase === 'intent'
      ? `a deployment of ${record.subject} was about to begin`
      : undefined,
  unless: 'followed it up',
};

/** An incident is open whose report is due at a time. */
const incidentDue: RecordAlarm = {
  kind: 'incident-due',
  says(record) {
    const due = record.type === 'incident' ? reportDueAt(record) : undefined;
    return due === undefined ? undefined : `the report on ${record.subject} is due at ${timeText(Math.floor(due / 1000))}`;
  },
  unless: 'closed it or moved the date',
};

/** Every alarm of this sort. */
export const recordAlarms: readonly RecordAlarm[] = [mismatch, drift, breakGlass, undeployed, incidentDue];
