import { equalBytes } from '@treering/merkle';
import { diffLines, type ManifestResource, printable } from '@treering/record';

/** A file that differs between what was logged and what is there. */
export interface FileDifference {
  readonly name: string;
  readonly kind: 'added' | 'removed' | 'changed';
  /** Lines that differ, `-` and `+`, of a text whose both sides could be read. */
  readonly lines?: readonly string[] | undefined;
}

/** Texts by the path of their file. */
type Texts = ReadonlyMap<string, string>;

/** The files that differ, in the order of their names. */
export function compareFiles(
  before: readonly ManifestResource[],
  after: readonly ManifestResource[],
  texts?: { readonly before: Texts; readonly after: Texts },
): FileDifference[] {
  const [old, now] = [before, after].map((files) => new Map(files.map(({ name, digest }) => [name, digest])));
  const names = [...new Set([...old.keys(), ...now.keys()])].sort();
  return names.flatMap((name): FileDifference[] => {
    const [a, b] = [old.get(name), now.get(name)];
    if (a === undefined) return [{ name, kind: 'added' }];
    if (b === undefined) return [{ name, kind: 'removed' }];
    return equalBytes(a, b)
      ? []
      : [{ name, kind: 'changed', lines: changedLines(texts?.before.get(name), texts?.after.get(name)) }];
  });
}

function changedLines(before: string | undefined, after: string | undefined): string[] | undefined {
  if (before === undefined || after === undefined) return undefined;
  return diffLines(before, after)
    ?.filter(({ kind }) => kind !== 'same')
    .map(({ kind, text }) => `${kind === 'added' ? '+' : '-'} ${printable(text)}`);
}
