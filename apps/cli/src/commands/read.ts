import { EnrolledKeys, type LogClient, type ReadEntry } from '@treering/client';
import { nodeEd25519 } from '@treering/note/node';
import { type ChangeRecord, diffRecords, isSubject, printable, recordToJson, renderRecord } from '@treering/record';
import { UsageError } from '../exit.js';
import type { Session } from '../session.js';

/** `show`: one entry for people, its inclusion proved. */
export async function show(session: Session, id: string | undefined): Promise<void> {
  const { terminal } = session;
  const client = session.client();
  if (id === undefined) {
    const head = await client.head();
    terminal.line(`${terminal.bold(session.trust().origin)} at ${session.settings.url}`);
    terminal.line(`  published head: ${head.size} entries, root ${hex(head.root)}`);
    terminal.result({ origin: session.trust().origin, url: session.settings.url, size: head.size, root: hex(head.root) });
    return;
  }
  const entry = await client.entry(entryId(id));
  const enrolledBy = await signerOf(session, client, entry);
  printEntry(session, entry);
  terminal.line(`  ${terminal.colour('good', '✓')} included in the signed head of ${entry.head.size} entries`);
  if (enrolledBy === undefined)
    terminal.line(
      `  ${terminal.colour('dim', '?')} signed by somebody outside the log; "treering audit" verifies it under the policy`,
    );
  else terminal.line(`  ${terminal.colour('good', '✓')} signed with the key that entry ${enrolledBy} enrolled`);
  terminal.result(entryJson(entry));
}

/** `history`: the records of a subject, newest first. */
export async function history(session: Session, subject: string, limit: number): Promise<void> {
  if (!isSubject(subject)) throw new UsageError('a subject reads like model/wink: 1 to 8 segments of [a-z0-9._@-]');
  const { terminal } = session;
  const client = session.client();
  const entries = await client.history(subject, limit);
  const keys = signers(session, client);
  for (const entry of entries) if (!isOutside(session, entry)) await keys.verifySigner(entry);
  entries.forEach((entry, i) => {
    const older = entries[i + 1];
    terminal.line(`${terminal.bold(String(entry.index).padStart(6))}  ${time(entry)}  ${title(entry)}`);
    terminal.line(`        ${signerName(entry)}: ${entry.record === undefined ? '' : printable(entry.record.reason)}`);
    if (older?.record !== undefined && entry.record !== undefined) {
      const changes = changesOf(older.record, entry.record).filter((change) => !/^. attachments\[/.test(change));
      for (const change of changes.slice(0, 8)) terminal.line(`        ${terminal.colour('dim', change)}`);
      if (changes.length > 8)
        terminal.line(
          `        ${terminal.colour('dim', `and ${changes.length - 8} more; see treering diff ${older.index} ${entry.index}`)}`,
        );
    }
  });
  terminal.result({ subject, records: entries.map(entryJson) });
}

/** `diff`: what differs between two records, in words. */
export async function diff(session: Session, from: string, to: string): Promise<void> {
  const client = session.client();
  const [before, after] = [await client.entry(entryId(from)), await client.entry(entryId(to))];
  const keys = signers(session, client);
  for (const entry of [before, after]) await keys.verifySigner(entry);
  if (before.record === undefined || after.record === undefined) throw new UsageError('only records can be compared');
  const { terminal } = session;
  terminal.line(`${terminal.bold(`entry ${before.index}`)} ${title(before)}`);
  terminal.line(`${terminal.bold(`entry ${after.index}`)} ${title(after)}`);
  const changes = changesOf(before.record, after.record);
  for (const change of changes) terminal.line(`  ${change}`);
  if (changes.length === 0) terminal.line('  no difference');
  terminal.result({ before: before.index, after: after.index, differences: diffRecords(before.record, after.record) });
}

/** The entry that enrolled the signer's key, proved; undefined for a foreign statement that somebody outside the log signed. */
async function signerOf(session: Session, client: LogClient, entry: ReadEntry): Promise<number | undefined> {
  return isOutside(session, entry) ? undefined : signers(session, client).verifySigner(entry);
}

function isOutside(session: Session, { record, statement }: ReadEntry): boolean {
  return record === undefined && !statement.iss.startsWith(`${session.trust().origin}/`);
}

function signers(session: Session, client: LogClient): EnrolledKeys {
  return new EnrolledKeys(client, session.trust().origin, nodeEd25519);
}

export function changesOf(before: ChangeRecord, after: ChangeRecord): string[] {
  return diffRecords(before, after)
    .filter(({ path }) => path !== 'prev' && path !== 'reason')
    .map(({ path, kind, before: old, after: now }) => {
      const name = printable(path);
      return kind === 'added' ? `+ ${name}: ${now}` : kind === 'removed' ? `- ${name}: ${old}` : `~ ${name}: ${old} → ${now}`;
    });
}

export function printEntry({ terminal }: Session, entry: ReadEntry): void {
  terminal.line(`${terminal.bold(`entry ${entry.index}`)}  ${title(entry)}`);
  terminal.line(`  leaf       ${hex(entry.leaf)}`);
  terminal.line(`  signed by  ${printable(entry.statement.iss)}`);
  terminal.line(`  signed at  ${time(entry)}`);
  for (const { label, value } of entry.record === undefined ? [] : renderRecord(entry.record).facts)
    terminal.line(`  ${label}: ${value}`);
}

function title(entry: ReadEntry): string {
  return entry.record === undefined
    ? `a foreign statement of the type ${printable(entry.statement.envelope?.contentType ?? entry.statement.contentType ?? 'that it does not say')}`
    : renderRecord(entry.record).title;
}

function entryJson(entry: ReadEntry) {
  const { index, leaf, statement, record, head } = entry;
  return {
    index,
    leaf: hex(leaf),
    issuer: statement.iss,
    subject: statement.sub,
    issued_at: time(entry),
    ...(record === undefined ? {} : { record: recordToJson(record) }),
    head: { size: head.size, root: hex(head.root) },
  };
}

/** An index or a leaf hash. @throws UsageError */
export function entryId(text: string): string {
  if (/^(?:0|[1-9][0-9]{0,15})$/.test(text) || /^[0-9a-f]{64}$/.test(text)) return text;
  throw new UsageError(`${printable(text)} is neither an index nor a leaf hash of 64 hex digits`);
}

function signerName(entry: ReadEntry): string {
  return printable(entry.statement.iss.split('/identity/').pop() as string);
}

function time(entry: ReadEntry): string {
  const { iat } = entry.statement;
  if (iat === undefined) return 'not said';
  const date = new Date(iat * 1000);
  return Number.isNaN(date.getTime()) ? `${iat} s` : date.toISOString();
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
