import { hex } from '@treering/note';
import type { RecordOf } from '@treering/record';
import { type Refusal, refuse } from './decision.js';
import type { GovernanceState } from './state.js';

/**
 * Checks a correction: it supersedes an entry about its own subject, and erases only attachments that this entry named before any
 * other did. Whoever may correct one subject can name the attachments of another in a record of their own; erasing them is up to
 * those who may correct the first.
 */
export function checkCorrection(state: GovernanceState, record: RecordOf<'correction'>): Refusal | undefined {
  const target = state.entry(record.supersedes, record.subject);
  if (target === undefined) {
    const message = `the log has no entry about ${record.subject} with the leaf hash that the correction supersedes`;
    return refuse('governance/correction-target', 'correction', message);
  }
  const foreign = record.erased?.find((digest) => state.namedBy(digest) !== target);
  if (foreign === undefined) return undefined;
  const owner = state.namedBy(foreign);
  const message =
    owner === undefined
      ? `no entry names an attachment ${hex(foreign)} that could be erased`
      : `the attachment ${hex(foreign)} was named by entry ${owner} first: a correction of that entry erases it, and none of entry ${target}`;
  return refuse('governance/not-its-attachment', 'correction', message);
}
