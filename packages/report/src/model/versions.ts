import { aroundChanges, type DiffLine, diffLines, diffRecords, type FieldDiff } from '@treering/record';
import { attachmentText } from './attachment-text.js';
import type { EntryOf, PackContent } from './content.js';

type Version = EntryOf<'model' | 'config'>;

/** A text attachment of the same name that both versions have in the file. */
interface TextChange {
  readonly name: string;
  /** Undefined when the texts are too long, or too many, to compare; a missing line stands for lines that are the same. */
  readonly lines: readonly (DiffLine | undefined)[] | undefined;
}

/** From one version of a model or a configuration to the next one in the file. */
export interface VersionChange {
  readonly subject: string;
  readonly before: Version;
  readonly after: Version;
  readonly fields: readonly FieldDiff[];
  readonly texts: readonly TextChange[];
}

/** Members that differ between any two records and say nothing about what changed. */
const NO_CHANGE = /^(?:prev|reason|anchor|attachments)\b/;

/** Texts that are compared; a file with more of them would keep the reader waiting. */
const MOST_TEXTS = 200;

/**
 * What changed between versions that follow each other, in the order of the log.
 * @param most so many changes are looked at, and the rest is counted
 */
export function versionChanges(
  content: PackContent,
  most: number,
): { readonly changes: VersionChange[]; readonly more: number } {
  const last = new Map<string, Version>();
  const changes: VersionChange[] = [];
  let [more, texts] = [0, MOST_TEXTS];
  const versions: Version[] = [...content.of('model'), ...content.of('config')];
  for (const after of versions.sort((a, b) => a.index - b.index)) {
    const { subject } = after.record;
    const before = last.get(subject);
    last.set(subject, after);
    if (before === undefined) continue;
    if (changes.length >= most) {
      more++;
      continue;
    }
    const fields = diffRecords(before.record, after.record).filter(({ path }) => !NO_CHANGE.test(path));
    const compared = sameNames(content, before, after).map(({ name, a, b }): TextChange => {
      const lines = texts-- > 0 ? diffLines(a, b) : undefined;
      return { name, lines: lines === undefined ? undefined : aroundChanges(lines) };
    });
    changes.push({ subject, before, after, fields, texts: compared });
  }
  return { changes, more };
}

/** Text attachments of one name that differ. */
function sameNames(content: PackContent, before: Version, after: Version): { name: string; a: string; b: string }[] {
  return (after.record.attachments ?? []).flatMap(({ name, digest }) => {
    const old = before.record.attachments?.find((ref) => ref.name === name);
    const blobs = [old?.digest, digest].map((id) => (id === undefined ? undefined : content.attachment(id)));
    const [a, b] = blobs.map((blob) => (blob === undefined ? undefined : attachmentText(blob.content)));
    return a === undefined || b === undefined || a === b ? [] : [{ name, a, b }];
  });
}
