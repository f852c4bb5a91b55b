import { join, resolve } from 'node:path';
import { ClientError, type LogClient, type ReadEntry } from '@treering/client';
import { explainPolicy, type GovernanceState } from '@treering/governance';
import { equalBytes } from '@treering/merkle';
import { type ChangeRecord, type PolicyBody, printable, type RecordOf } from '@treering/record';
import { askYes } from '../ask.js';
import { EXIT, UsageError } from '../exit.js';
import { provedRules } from '../replay.js';
import { type Baseline, charterInForce, type ReviewedVersion, ReviewHistory } from '../review.js';
import type { Session } from '../session.js';
import { previousLeaf, submitRecord } from '../submit.js';
import { changesOf, entryId, printEntry } from './read.js';

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
  const { record } = entry;
  if (record === undefined)
    throw new UsageError(`entry ${entry.index} is no record that could be read to you; look at it before you approve`);
  printEntry(session, entry);
  terminal.line();
  for (const line of await reviewOf(session, client, entry, record)) terminal.line(line);
  terminal.line();
  const decision = flags.reject ? 'reject' : 'approve';
  const sentence = `${decision === 'approve' ? 'Approve' : 'Reject'} entry ${entry.index} as ${flags.role}, for the reason "${printable(flags.reason)}"?`;
  if (!flags.yes && !(await askYes(sentence, session.streams))) {
    terminal.line('Nothing was signed.');
    terminal.result({ signed: false });
    return EXIT.ok;
  }
  const prev = await previousLeaf(client, record.subject);
  const approval: RecordOf<'approval'> = {
    v: 1,
    type: 'approval',
    subject: record.subject,
    reason: flags.reason,
    target: entry.leaf,
    decision,
    role: flags.role,
    ...(prev === undefined ? {} : { prev }),
    ...(flags.days === undefined ? {} : { expires: Date.now() + flags.days * 86_400_000 }),
  };
  const file = `${decision}-${entry.index}.tlog-proof`;
  const proof = flags.out === undefined ? join(session.cwd, file) : resolve(session.cwd, flags.out);
  await submitRecord(session, client, approval, { proof, wait: flags.wait });
  return EXIT.ok;
}

/** What a reviewer has to see beside the record itself, from a replay of the log: nothing of it is only what the log says. */
async function reviewOf(session: Session, client: LogClient, entry: ReadEntry, record: ChangeRecord): Promise<string[]> {
  const history = new ReviewHistory(record);
  const { state } = await provedRules(session, client, { onEntry: (...seen) => history.see(...seen) });
  if (!history.has(entry.index))
    throw new ClientError('client/not-verified', `the newest head of the log does not cover entry ${entry.index}`);
  const baseline = history.before(entry.index, state);
  if (record.type === 'policy' || record.type === 'amendment') return reviewOfRules(state, entry, record, baseline);
  const { accepted, between } = baseline;
  const unapproved =
    between.length === 0 ? [] : [`Recorded before it, approved by nobody else and not deployed: ${named(between)}.`];
  if (accepted !== undefined)
    return [
      ...unapproved,
      `What differs from entry ${accepted.index}, ${accepted.why}:`,
      ...differences(accepted.record, record),
    ];
  const latest = between.at(-1);
  if (latest === undefined) return [`There is no earlier ${record.type} record on ${record.subject}.`];
  return [
    ...unapproved,
    'No earlier version was approved or deployed, so nobody has looked at what stays the same either.',
    `What differs from entry ${latest.index}:`,
    ...differences(latest.record, record),
  ];
}

/** A change of the rules is read against the rules in force. What was only proposed in between is no measure. */
function reviewOfRules(
  state: GovernanceState,
  { index, leaf }: ReadEntry,
  record: RecordOf<'policy'> | RecordOf<'amendment'>,
  { between }: Baseline,
): string[] {
  const proposal = state.proposal(record.subject);
  const waits = proposal !== undefined && equalBytes(proposal.leaf, leaf);
  return [
    ...(waits ? [] : [`Entry ${index} does not wait for approvals: it came into force, was rejected, or was replaced.`]),
    ...(between.length === 0 ? [] : [`Proposed before it, and never in force: ${named(between)}.`]),
    ...(record.type === 'policy'
      ? policyReview(state, record)
      : ['What differs from the charter and the amendments in force:', ...differences(charterInForce(state, record), record)]),
  ];
}

function policyReview({ policy, policyIndex }: GovernanceState, record: RecordOf<'policy'>): string[] {
  const inForce = policy as PolicyBody;
  const { sentences, mistakes, remarks } = explainPolicy(record.policy);
  const before = new Set(explainPolicy(inForce).sentences);
  const gone = [...before].filter((sentence) => !sentences.includes(sentence));
  return [
    `What differs from the policy in force, entry ${policyIndex}:`,
    ...differences({ ...record, policy: inForce }, record),
    'What it says; + is new, - is said no more:',
    ...sentences.map((sentence) => `${before.has(sentence) ? ' ' : '+'} ${printable(sentence)}`),
    ...gone.map((sentence) => `- ${printable(sentence)}`),
    ...remarks.map((remark) => `? ${printable(remark)}`),
    ...mistakes.map((mistake) => `✗ ${printable(mistake)}`),
  ];
}

function differences(before: ChangeRecord, after: ChangeRecord): string[] {
  const changes = changesOf(before, after);
  return changes.length === 0 ? ['  nothing but reason and time'] : changes.map((change) => `  ${change}`);
}

function named(versions: readonly ReviewedVersion[]): string {
  return `${versions.length === 1 ? 'entry' : 'entries'} ${versions.map(({ index }) => index).join(', ')}`;
}
