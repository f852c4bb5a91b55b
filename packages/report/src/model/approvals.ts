import { hex } from '@treering/note';
import { type EntryOf, type PackContent, type ReportEntry, signedAt } from './content.js';

/** One person's decision about one entry. */
export interface Approval {
  readonly index: number;
  /** Whose key signed it; undefined when that is not known. */
  readonly id: string | undefined;
  readonly role: string;
  readonly decision: 'approve' | 'reject';
  readonly at: number | undefined;
  readonly reason: string;
  /** Milliseconds since the epoch. */
  readonly expires: number | undefined;
  /** What was decided about, if it is in the file. */
  readonly target: ReportEntry | undefined;
}

/** Every approval and rejection in the file, in the order of the log. */
export function approvalsIn(content: PackContent): Approval[] {
  return content.of('approval').map((entry) => ({
    index: entry.index,
    id: entry.signer?.id,
    role: entry.record.role,
    decision: entry.record.decision,
    at: signedAt(entry),
    reason: entry.record.reason,
    expires: entry.record.expires,
    target: content.byLeaf(entry.record.target),
  }));
}

/** Approvals and rejections by the leaf hash of what they are about, in hex. */
export function approvalsByTarget(content: PackContent): Map<string, Approval[]> {
  const byTarget = new Map<string, Approval[]>();
  for (const approval of approvalsIn(content)) {
    if (approval.target === undefined) continue;
    const target = hex(approval.target.leaf);
    const list = byTarget.get(target);
    if (list === undefined) byTarget.set(target, [approval]);
    else list.push(approval);
  }
  return byTarget;
}

/**
 * Who had approved what was deployed when it was: model, configuration, and the announcement of the deployment. What somebody said
 * last about one of them counts.
 */
export function approvalsOf(
  byTarget: ReadonlyMap<string, readonly Approval[]>,
  { record, index }: EntryOf<'deployment'>,
  announced: EntryOf<'deployment'> | undefined,
): Approval[] {
  const targets = [record.model, record.config, ...(announced === undefined ? [] : [announced.leaf])].map(hex);
  return targets.flatMap((target) => {
    const earlier = (byTarget.get(target) ?? []).filter((approval) => approval.index < index);
    const last = new Map(earlier.map((approval) => [approval.id, approval]));
    return [...last.values()].filter(({ decision }) => decision === 'approve');
  });
}
