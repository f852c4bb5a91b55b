import { diffRecords, type FieldDiff } from '@treering/record';
import { attachmentText } from './attachment-text.js';
import type { EntryOf, PackContent } from './content.js';
import { aroundChanges, type DiffLine, diffLines } from './line-diff.js';

/** A text attachment of the same name that both versions have in the file. */
interface TextChange {
  readonly name: string;
  /** Undefined when the texts are too long to compare; a missing line stands for lines that are the same. */
  readonly lines: readonly (DiffLine | undefined)[] | undefined;
}

/** From one version of a model or a configuration to the next one in the file. */
export interface VersionChange {
  readonly subject: string;
  readonly before: EntryOf<'model' | 'config'>;
  readonly after: EntryOf<'model' | 'config'>;
  readonly fields: readonly FieldDiff[];
  readonly texts: readonly TextChange[];
}

/** Members that differ between any two records and say nothing about what changed. */
const NO_CHANGE = /^(?:prev|reason|anchor|attachments)\b/;

/** What changed between versions that follow each other, in the order of the log. */
export function versionChanges(content: PackContent): VersionChange[] {
  const last = new Map<string, EntryOf<'model' | 'config'>>();
  const changes: VersionChange[] = [];
  const versions: EntryOf<'model' | 'config'>[] = [...content.of('model'), ...content.of('config')];
  for (const after of versions.sort((a, b) => a.index - b.index)) {
    const { subject } = after.record;
    const before = last.get(subject);
    last.set(subject, after);
    if (before === undefined) continue;
    const fields = diffRecords(before.record, after.record).filter(({ path }) => !NO_CHANGE.test(path));
    changes.push({ subject, before, after, fields, texts: textChanges(content, before, after) });
  }
  return changes;
}

function textChanges(
  content: PackContent,
  before: EntryOf<'model' | 'config'>,
  after: EntryOf<'model' | 'config'>,
): TextChange[] {
  return (after.record.attachments ?? []).flatMap(({ name, digest }): TextChange[] => {
    const old = before.record.attachments?.find((ref) => ref.name === name);
    const blobs = [old?.digest, digest].map((id) => (id === undefined ? undefined : content.attachment(id)));
    const [a, b] = blobs.map((blob) => (blob === undefined ? undefined : attachmentText(blob.content)));
    if (a === undefined || b === undefined || a === b) return [];
    const lines = diffLines(a, b);
    return [{ name, lines: lines === undefined ? undefined : aroundChanges(lines) }];
  });
}
