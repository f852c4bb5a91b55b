import { join, resolve } from 'node:path';
import type { LogClient, LoggedEntry } from '@treering/client';
import { matchesGlob } from '@treering/governance';
import { equalBytes } from '@treering/merkle';
import {
  type ChangeRecord,
  isSubject,
  printable,
  type RecordOf,
  reportDeadline,
  reportDueAt,
  validateRecord,
} from '@treering/record';
import { type Affected, affectedBy } from '../affected.js';
import { EXIT, exitOf, UsageError } from '../exit.js';
import { newestRecord } from '../newest-record.js';
import type { Session } from '../session.js';
import { previousLeaf, submitRecord } from '../submit.js';
import { parseUtc, spanText, utcText } from '../utc-time.js';

type Incident = RecordOf<'incident'>;

/** What all commands that sign take. */
interface SigningFlags {
  readonly reason: string;
  readonly out?: string;
  readonly wait: boolean;
}

/** Flags of `incident open`. */
export interface OpenFlags extends SigningFlags {
  readonly severity: Incident['severity'];
  readonly harm?: NonNullable<Incident['harm']>;
  readonly aware?: string;
  readonly affects?: readonly string[];
  readonly authority?: readonly string[];
  readonly freeze?: string;
  readonly until?: string;
}

/** Flags of `incident update`. */
export interface UpdateFlags extends SigningFlags {
  readonly severity?: Incident['severity'];
  readonly harm?: NonNullable<Incident['harm']>;
  readonly aware?: string;
  readonly affects?: readonly string[];
  readonly authority?: readonly string[];
  readonly reported?: boolean;
}

/** `incident open`: records an incident, by when its report is due, and what it affects; freezes what shall stay as it is. */
export async function openIncident(session: Session, name: string, flags: OpenFlags): Promise<number> {
  const subject = subjectOf(name);
  const frozen = freezeOf(subject, flags);
  const awareAt = flags.aware === undefined ? Date.now() : awareOf(flags.aware);
  const client = session.client();
  const { found, newest } = await newestRecord(session, client, subject, isIncident);
  if (found !== undefined && found.record.status !== 'closed')
    throw new UsageError(`${subject} is open already, by entry ${found.index}: update it, or choose another name`);
  const affected = await affectedBy(session, client, flags.affects ?? []);
  const deadline = reportDeadline({ severity: flags.severity, harm: flags.harm, awareAt });
  const record: Incident = {
    v: 1,
    type: 'incident',
    subject,
    reason: flags.reason,
    severity: flags.severity,
    ...(flags.harm === undefined ? {} : { harm: flags.harm }),
    status: 'open',
    aware_at: awareAt,
    affected: affected.map(({ leaf }) => leaf),
    ...(deadline === undefined ? {} : { due_at: deadline.dueAt }),
    ...(flags.authority === undefined ? {} : { authorities: [...new Set(flags.authority)] }),
    ...(newest === undefined ? {} : { prev: newest.leaf }),
  };
  const result = await submitIncident(session, client, record, affected, flags);
  if (deadline === undefined)
    session.terminal.line('  due    nothing: it is taken for no serious incident while no harm is named');
  else remind(session, frozen !== undefined);
  const stopped = frozen === undefined ? undefined : await freeze(session, client, frozen, result.index, flags.wait);
  session.terminal.result({
    ...result,
    basis: deadline?.basis ?? null,
    ...(stopped === undefined ? {} : { freeze: stopped.result }),
  });
  return stopped?.exit ?? EXIT.ok;
}

/** `incident update`: what more is known of an open incident. What is not named stays as the newest record says. */
export async function updateIncident(session: Session, name: string, flags: UpdateFlags): Promise<void> {
  const { severity, harm, aware, affects, authority, reported } = flags;
  if ([severity, harm, aware, affects, authority, reported].every((flag) => flag === undefined))
    throw new UsageError('nothing to update: name --severity, --harm, --aware, --affects, --authority or --reported');
  const client = session.client();
  const { before, newest } = await openOne(session, client, subjectOf(name));
  const awareAt = aware === undefined ? before.aware_at : awareOf(aware);
  if (awareAt > before.aware_at)
    throw new UsageError(`somebody was aware of it at ${utcText(before.aware_at)}: that cannot move to a later time`);
  const more = await affectedBy(session, client, affects ?? []);
  const added = more.filter(({ leaf }) => !before.affected.some((known) => equalBytes(known, leaf)));
  const facts = { severity: severity ?? before.severity, harm: harm ?? before.harm, awareAt };
  const changed = facts.severity !== before.severity || facts.harm !== before.harm || awareAt !== before.aware_at;
  const due = changed ? reportDeadline(facts)?.dueAt : before.due_at;
  // Another harm may ask for another report.
  const madeAt = reported ? Date.now() : changed ? undefined : before.reported_at;
  const { due_at: _, reported_at: __, ...kept } = carriedOver(before);
  const record: Incident = {
    ...kept,
    reason: flags.reason,
    severity: facts.severity,
    ...(facts.harm === undefined ? {} : { harm: facts.harm }),
    status: 'open',
    aware_at: awareAt,
    affected: [...before.affected, ...added.map(({ leaf }) => leaf)],
    ...(due === undefined ? {} : { due_at: due }),
    ...(madeAt === undefined ? {} : { reported_at: madeAt }),
    ...(authority === undefined ? {} : { authorities: [...new Set([...(before.authorities ?? []), ...authority])] }),
    prev: newest,
  };
  const result = await submitIncident(session, client, record, added, flags);
  const dueBefore = reportDueAt(before);
  if (reportDueAt(record) !== dueBefore)
    session.terminal.line(`  before ${dueBefore === undefined ? 'no report was due' : `due ${utcText(dueBefore)}`}`);
  session.terminal.result({ ...result, due_before: dueBefore ?? null });
}

/** `incident close`: the incident is over. Everything that is known of it stays. */
export async function closeIncident(session: Session, name: string, flags: SigningFlags): Promise<void> {
  const client = session.client();
  const { before, newest } = await openOne(session, client, subjectOf(name));
  const record: Incident = { ...carriedOver(before), reason: flags.reason, status: 'closed', prev: newest };
  session.terminal.result(await submitIncident(session, client, record, [], flags));
}

/** The subject of an incident, whose name may be written with or without `incident/`. @throws UsageError */
function subjectOf(name: string): string {
  const subject = `incident/${name.replace(/^incident\//, '')}`;
  if (!isSubject(subject)) throw new UsageError(`${printable(name)} is no name such as 2027-001: segments of [a-z0-9._@-]`);
  return subject;
}

/** @throws UsageError for a time that lies ahead: nobody can be aware of something then */
function awareOf(text: string): number {
  const time = parseUtc(text);
  if (time > Date.now()) throw new UsageError(`${printable(text)} lies in the future: --aware says when somebody became aware`);
  return time;
}

export function isIncident(record: ChangeRecord): record is Incident {
  return record.type === 'incident';
}

/** The newest record of an incident that is open, and the leaf that the next one names. @throws UsageError */
async function openOne(
  session: Session,
  client: LogClient,
  subject: string,
): Promise<{ before: Incident; newest: Uint8Array }> {
  const { found, newest } = await newestRecord(session, client, subject, isIncident);
  if (found === undefined || newest === undefined) throw new UsageError(`there is no incident ${subject}: open it first`);
  if (found.record.status === 'closed')
    throw new UsageError(`${subject} was closed by entry ${found.index}: open it again if it is not over`);
  return { before: found.record, newest: newest.leaf };
}

/** What the next record says as well. Attachments and the head that the submitter saw belong to the record that names them. */
function carriedOver({ attachments: _, anchor: __, effective_from: ___, ...kept }: Incident): Incident {
  return kept;
}

/** Signs and logs an incident, and says what it comes to. Nobody's change is put on top of another one. */
async function submitIncident(
  session: Session,
  client: LogClient,
  record: Incident,
  affected: readonly Affected[],
  { out, wait }: SigningFlags,
) {
  const { terminal } = session;
  if (record.affected.length > 256) throw new UsageError('an incident names at most 256 entries that it affects');
  const proof = out === undefined ? proofFile(session, record.subject) : resolve(session.cwd, out);
  const logged = await submitRecord(silent(session), client, record, { proof, wait, rebase: false });
  for (const { index, subject, what } of affected)
    terminal.line(`  links  entry ${index}, ${printable(subject)}: ${printable(what)}`);
  const due = reportDueAt(record);
  if (due !== undefined) terminal.line(`  due    ${dueText(due, Date.now())}`);
  return {
    ...resultOf(session, record.subject, logged, proof),
    status: record.status,
    aware_at: record.aware_at,
    due_at: due ?? null,
    linked: affected.map(({ index, leaf, subject }) => ({ index, leaf: Buffer.from(leaf).toString('hex'), subject })),
  };
}

/** When a report is due, and how far away that is. */
export function dueText(due: number, now: number): string {
  return `${utcText(due)}, ${due > now ? `in ${spanText(due - now)}` : `${spanText(now - due)} ago`}`;
}

function remind({ terminal }: Session, freezes: boolean): void {
  terminal.remark(
    'Until the authorities are informed, do not alter the system in a way that may affect a later evaluation of the causes (AI Act Art. 73(6)).',
  );
  if (!freezes)
    terminal.remark(
      'Nothing was frozen: --freeze <subjects>, such as deploy/prod/triage, lets the log refuse further records on what the incident is about.',
    );
}

/** The freeze that is asked for, checked before anything is signed. @throws UsageError, RecordError */
function freezeOf(subject: string, { freeze: on, until, reason }: OpenFlags): RecordOf<'freeze'> | undefined {
  if (on === undefined) {
    if (until !== undefined) throw new UsageError('--until says how long --freeze lasts: name what is frozen');
    return undefined;
  }
  const end = until === undefined ? undefined : Math.floor(parseUtc(until) / 1000);
  if (end !== undefined && end * 1000 <= Date.now())
    throw new UsageError(`${printable(until ?? '')} is over: --until lies ahead`);
  const record = validateRecord({
    v: 1,
    type: 'freeze',
    subject: subject.replace(/^incident/, 'freeze'),
    reason,
    on,
    ...(end === undefined ? {} : { until: end }),
  }) as RecordOf<'freeze'>;
  if (matchesGlob(on, subject)) throw new UsageError(`${on} would freeze ${subject} as well, which could then not be closed`);
  return record;
}

/** Freezes what an incident is about, which is logged already. A refusal is told, and the incident stays. */
async function freeze(session: Session, client: LogClient, record: RecordOf<'freeze'>, incident: number, wait: boolean) {
  const { terminal } = session;
  try {
    const prev = await previousLeaf(client, record.subject);
    const proof = proofFile(session, record.subject);
    const named = prev === undefined ? record : { ...record, prev };
    const logged = await submitRecord(silent(session), client, named, { proof, wait, rebase: false });
    const end = record.until === undefined ? 'until it is lifted' : `until ${utcText(record.until * 1000)}`;
    terminal.line(`  frozen ${record.on}, ${end} (entry ${logged.index})`);
    if (record.until === undefined || record.on.split('/')[0].includes('*'))
      terminal.remark(
        `Where the charter asks for several administrators, such a freeze waits until they agree: treering approve ${logged.index}.`,
      );
    return { exit: EXIT.ok, result: resultOf(session, record.subject, logged, proof) };
  } catch (error) {
    const { exit, code, message } = exitOf(error);
    terminal.remark(`treering: the incident is recorded, as entry ${incident}, but ${record.on} is not frozen: ${message}`);
    return { exit, result: { error: { code, message } } };
  }
}

/** A session in which a submission prints no result of its own: each command has one line of JSON. */
function silent(session: Session): Session {
  return { ...session, terminal: { ...session.terminal, result: () => undefined } };
}

function proofFile({ cwd }: Session, subject: string): string {
  return join(cwd, `${subject.replace(/\//g, '-')}.tlog-proof`);
}

function resultOf({ settings }: Session, subject: string, logged: LoggedEntry, proof: string) {
  const { index, leaf, duplicate, head } = logged;
  return { index, leaf: Buffer.from(leaf).toString('hex'), subject, duplicate, size: head.size, proof, url: settings.url };
}
