import { printable, type RecordOf, recordToJson, reportDueAt } from '@treering/record';
import { EXIT } from '../exit.js';
import { type EntryOf, newestRecord } from '../newest-record.js';
import type { Session } from '../session.js';
import { dueText, isIncident } from './incident.js';

type IncidentEntry = EntryOf<RecordOf<'incident'>>;

/**
 * `incident list`: the incidents of a log, what is late first. Each one is proved; that there are no others, and no newer record, is only
 * what the log says.
 * @returns 1 when the report on an open one is late
 */
export async function listIncidents(session: Session, flags: { readonly open?: boolean }): Promise<number> {
  const { terminal } = session;
  const client = session.client();
  const now = Date.now();
  const incidents: IncidentEntry[] = [];
  for await (const subject of client.subjects('incident/')) {
    const { found } = await newestRecord(session, client, subject, isIncident);
    if (found !== undefined && (isOpen(found) || !flags.open)) incidents.push(found);
  }
  incidents.sort((a, b) => rank(a) - rank(b) || a.index - b.index);
  const late = incidents.filter((entry) => isLate(entry, now));
  for (const entry of incidents) print(session, entry, now);
  terminal.line(
    `${incidents.length} ${incidents.length === 1 ? 'incident' : 'incidents'}, ${incidents.filter(isOpen).length} open, ${late.length} overdue`,
  );
  terminal.result({
    incidents: incidents.map((entry) => ({
      index: entry.index,
      leaf: Buffer.from(entry.leaf).toString('hex'),
      overdue: isLate(entry, now),
      record: recordToJson(entry.record),
    })),
    overdue: late.length,
  });
  return late.length === 0 ? EXIT.ok : EXIT.failed;
}

function print({ terminal }: Session, entry: IncidentEntry, now: number): void {
  const { subject, severity, harm, reason, affected } = entry.record;
  const due = reportDueAt(entry.record);
  const kind = harm === undefined ? severity : `${severity}, ${harm}`;
  terminal.line(`${terminal.bold(subject)}  ${kind}, ${isOpen(entry) ? 'open' : 'closed'}  (entry ${entry.index})`);
  terminal.line(`    ${printable(reason)}`);
  if (affected.length > 0) terminal.line(`    affects ${affected.length} ${affected.length === 1 ? 'entry' : 'entries'}`);
  if (!isOpen(entry)) return;
  if (due === undefined) terminal.line(terminal.colour('dim', '    no report is due'));
  else if (isLate(entry, now)) terminal.line(terminal.colour('bad', `    ✗ overdue: the report was due ${dueText(due, now)}`));
  else terminal.line(`    report due ${dueText(due, now)}`);
}

function isOpen({ record }: IncidentEntry): boolean {
  return record.status !== 'closed';
}

function isLate(entry: IncidentEntry, now: number): boolean {
  const due = reportDueAt(entry.record);
  return due !== undefined && due <= now;
}

/** Open ones by their date, then those without one, then the closed ones. */
function rank(entry: IncidentEntry): number {
  if (!isOpen(entry)) return Number.MAX_VALUE;
  return reportDueAt(entry.record) ?? Number.MAX_SAFE_INTEGER + 1;
}
