import type { RecordOf } from './record.js';

/** What decides by when an incident is reported. */
export interface IncidentFacts {
  readonly severity: RecordOf<'incident'>['severity'];
  /** What came of it; undefined when nobody has said so yet. */
  readonly harm?: RecordOf<'incident'>['harm'];
  /** When the provider or the deployer became aware of it, in milliseconds since the epoch. */
  readonly awareAt: number;
}

/** By when an incident is reported to the market surveillance authority, and why. */
export interface ReportDeadline {
  /** Milliseconds since the epoch. */
  readonly dueAt: number;
  readonly days: number;
  /** The paragraph of Regulation (EU) 2024/1689, such as `Article 73(2)`. */
  readonly basis: string;
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/**
 * By when AI Act Art. 73 wants an incident reported at the latest; undefined when it is none that has to be. A named harm is a serious
 * incident of Art. 3(49), or a widespread infringement, whatever the severity. Without one, `high` and `critical` are taken for a
 * serious incident and `low` and `medium` for none: so nothing that may be serious waits until somebody has named the harm.
 *
 * The period is counted from the moment of becoming aware, n times 24 hours. Regulation (EEC, Euratom) No 1182/71 leaves out the day
 * of the event, ends a period with the last hour of its last day, and later still when that is no working day (Art. 3(1), (2)(b), (4)
 * and (5)). So the time given here is never later than the one of that regulation, in no time zone of the Union: where summer time
 * begins in between, its days have an hour less, and so has the period.
 */
export function reportDeadline({ severity, harm, awareAt }: IncidentFacts): ReportDeadline | undefined {
  const rule = ruleOf(severity, harm);
  if (rule === undefined) return undefined;
  const end = awareAt + rule.days * DAY;
  return { ...rule, dueAt: losesAnHour(awareAt, end) ? end - HOUR : end };
}

function ruleOf(severity: IncidentFacts['severity'], harm: IncidentFacts['harm']): Omit<ReportDeadline, 'dueAt'> | undefined {
  switch (harm) {
    case 'widespread':
    case 'critical-infrastructure':
      return { days: 2, basis: 'Article 73(3)' };
    case 'death':
      return { days: 10, basis: 'Article 73(4)' };
    case 'health':
    case 'fundamental-rights':
    case 'property-or-environment':
      return { days: 15, basis: 'Article 73(2)' };
    case undefined:
      return severity === 'high' || severity === 'critical' ? { days: 15, basis: 'Article 73(2)' } : undefined;
  }
}

/**
 * By when the report on an incident is due, in milliseconds since the epoch; undefined when none is: it was made, the incident is over, or
 * nothing has to be reported. A record cannot put it off: of the date that it names and the one of Art. 73 the earlier counts.
 */
export function reportDueAt(incident: RecordOf<'incident'>): number | undefined {
  const { severity, harm, status, aware_at: awareAt, due_at: named, reported_at: reported } = incident;
  if (status === 'closed' || reported !== undefined) return undefined;
  const asked = reportDeadline({ severity, harm, awareAt })?.dueAt;
  return named === undefined || asked === undefined ? (named ?? asked) : Math.min(named, asked);
}

/** Whether summer time begins within a period: at 01:00 UTC on the last Sunday in March (Directive 2000/84/EC Art. 2). */
function losesAnHour(from: number, to: number): boolean {
  const year = new Date(to).getUTCFullYear();
  const lastOfMarch = Date.UTC(year, 2, 31, 1);
  const begins = lastOfMarch - new Date(lastOfMarch).getUTCDay() * DAY;
  return from < begins && begins <= to;
}
