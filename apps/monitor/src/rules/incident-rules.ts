import { timeText } from '@treering/evidence';
import { reportDueAt } from '@treering/record';
import type { Finding } from '../alarm-book.js';
import type { RecordRule, SeenRecord } from './record-rules.js';

/** The report on an incident that is open. */
export interface Deadline {
  /** The newest record that says so. */
  readonly index: number;
  /** When it is due, in seconds since the epoch. */
  readonly due: number;
}

/** What is remembered of the incidents before: reports that are due, by subject. */
export type Deadlines = ReadonlyMap<string, Deadline>;

type IncidentRecord = Extract<SeenRecord['record'], { type: 'incident' }>;

/** Takes an incident record into the reports that are due: the newest one of a subject counts. */
export function rememberIncident(deadlines: Map<string, Deadline>, record: IncidentRecord, index: number): void {
  const due = dueOf(record);
  if (due === undefined) deadlines.delete(record.subject);
  else deadlines.set(record.subject, { index, due });
}

/** An incident that is closed, or whose report is due at another time or no more, is no reason for what was raised before. */
export const settled: RecordRule = ({ record }, { deadlines }) => {
  const before = deadlines.get(record.subject);
  if (record.type !== 'incident' || before === undefined || before.due === dueOf(record)) return { raise: [], clear: [] };
  const abouts = [reminderId(record.subject, before), overdueId(record.subject, before)];
  return { raise: [], clear: abouts.map((about) => ({ kind: 'incident-due', about })) };
};

/**
 * Reports that are due within `ahead` seconds, and those that were: one of either sort is another alarm than one of the other.
 * @param now seconds since the epoch
 */
export function* incidentsDue(deadlines: Deadlines, now: number, ahead: number): Generator<Finding & Deadline> {
  for (const [subject, deadline] of deadlines) {
    const { index, due } = deadline;
    if (due - now > ahead) continue;
    const at = timeText(due);
    yield now < due
      ? {
          ...deadline,
          kind: 'incident-due',
          about: reminderId(subject, deadline),
          message: `the report on ${subject} is due at ${at}, in ${inWords(due - now)} (entry ${index})`,
        }
      : {
          ...deadline,
          kind: 'incident-due',
          about: overdueId(subject, deadline),
          message: `the report on ${subject} was due at ${at}, ${inWords(now - due)} ago, and the log says neither that it was made nor that the incident is closed (entry ${index})`,
        };
  }
}

/** When the report is due, in seconds; undefined when the record says that none is. */
function dueOf(record: IncidentRecord): number | undefined {
  const due = reportDueAt(record);
  return due === undefined ? undefined : Math.floor(due / 1000);
}

/** The same for every record that says the same time: more that is affected is no new reason. */
function reminderId(subject: string, { due }: Deadline): string {
  return `${subject}@${timeText(due)}`;
}

function overdueId(subject: string, deadline: Deadline): string {
  return `${reminderId(subject, deadline)}-overdue`;
}

/** A span in words, rounded down. */
function inWords(seconds: number): string {
  const [size, unit] = seconds >= 172_800 ? [86_400, 'days'] : seconds >= 7200 ? [3600, 'hours'] : [60, 'minutes'];
  const count = Math.floor(seconds / size);
  return count === 1 ? `1 ${unit.slice(0, -1)}` : `${count} ${unit}`;
}
