import { join, resolve } from 'node:path';
import type { LogClient, ReadEntry } from '@treering/client';
import { type ChangeRecord, printable, type RecordOf } from '@treering/record';
import { askYes } from '../ask.js';
import { EXIT, UsageError } from '../exit.js';
import type { Session } from '../session.js';
import { submitRecord } from '../submit.js';
import { changesOf, entryId, printEntry, signers } from './read.js';

/** Flags of `approve`. */
export interface ApproveFlags {
  readonly reason: string;
  readonly role: string;
  readonly reject?: boolean;
  readonly days?: number;
  readonly yes?: boolean;
  readonly out?: string;
  readonly wait: boolean;
}

/** `approve`: shows a change to a reviewer in plain language, asks, and signs the decision. */
export async function approve(session: Session, id: string, flags: ApproveFlags): Promise<number> {
  const { terminal } = session;
  if (flags.reject && flags.days !== undefined) throw new UsageError('a rejection does not expire: leave --days out');
  const client = session.client();
  const entry = await client.entry(entryId(id));
  await signers(session, client).verifySigner(entry);
  const { record } = entry;
  if (record === undefined)
    throw new UsageError(`entry ${entry.index} is no record that could be read to you; look at it before you approve`);
  printEntry(session, entry);
  const before = await previousVersion(client, entry, record);
  terminal.line();
  if (before?.record === undefined) terminal.line(`There is no earlier ${record.type} record on ${record.subject}.`);
  else {
    terminal.line(`What differs from entry ${before.index}:`);
    const changes = changesOf(before.record, record);
    for (const change of changes) terminal.line(`  ${change}`);
    if (changes.length === 0) terminal.line('  nothing but reason and time');
  }
  terminal.line();
  const decision = flags.reject ? 'reject' : 'approve';
  const sentence = `${decision === 'approve' ? 'Approve' : 'Reject'} entry ${entry.index} as ${flags.role}, for the reason "${printable(flags.reason)}"?`;
  if (!flags.yes && !(await askYes(sentence, session.streams))) {
    terminal.line('Nothing was signed.');
    terminal.result({ signed: false });
    return EXIT.ok;
  }
  const approval: RecordOf<'approval'> = {
    v: 1,
    type: 'approval',
    subject: record.subject,
    reason: flags.reason,
    target: entry.leaf,
    decision,
    role: flags.role,
    ...(flags.days === undefined ? {} : { expires: Date.now() + flags.days * 86_400_000 }),
  };
  const file = `${decision}-${entry.index}.tlog-proof`;
  const proof = flags.out === undefined ? join(session.cwd, file) : resolve(session.cwd, flags.out);
  await submitRecord(session, client, approval, { proof, wait: flags.wait });
  return EXIT.ok;
}

/** The record of the same type and subject before this one. */
async function previousVersion(client: LogClient, entry: ReadEntry, record: ChangeRecord): Promise<ReadEntry | undefined> {
  const history = await client.history(record.subject);
  const before = history.find((other) => other.index < entry.index && other.record?.type === record.type);
  if (before !== undefined || record.type !== 'policy') return before;
  // The first policy is in the charter.
  const charter = await client.entry(0);
  if (charter.record?.type !== 'charter') return undefined;
  const { policy, reason } = charter.record;
  return { ...charter, record: { v: 1, type: 'policy', subject: 'policy', reason, policy } };
}
