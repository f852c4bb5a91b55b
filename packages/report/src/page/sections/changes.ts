import type { DiffLine, FieldDiff } from '@treering/record';
import { type VersionChange, versionChanges } from '../../model/versions.js';
import { type Child, element } from '../element.js';
import { details, entryLink, MOST_ROWS, paragraph, remark, rest, section, table, type View } from '../view.js';

/** Pairs of versions that are compared. */
const MOST_CHANGES = 100;

const KINDS = { added: 'added', removed: 'removed', changed: 'changed' } as const;

/** What changed from one version of a model or a configuration to the next. */
export function changesSection(view: View): HTMLElement {
  const { changes, more } = versionChanges(view.content, MOST_CHANGES);
  if (changes.length === 0)
    return section(
      'changes',
      'Changes between versions',
      paragraph('No model and no configuration is in the file in two versions.'),
    );
  const shown = changes.map((change) => changeWords(view, change));
  return section('changes', 'Changes between versions', shown, rest(more, 'changes'));
}

function changeWords(view: View, { subject, before, after, fields, texts }: VersionChange): Child {
  const between = `${subject}: from version ${before.record.version} to version ${after.record.version}`;
  return [
    element('h3', {}, between),
    remark(
      'From ',
      entryLink(view, before.index),
      ' to ',
      entryLink(view, after.index),
      `. Given as the reason: ${after.record.reason}`,
    ),
    fields.length === 0
      ? paragraph('The two records say the same.')
      : table(between, ['Field', 'Change', 'Before', 'After'], fields, fieldRow),
    texts.map(({ name, lines }) =>
      lines === undefined
        ? paragraph(`The attachment ${name} changed; the texts are too long, or too many, to be compared here.`)
        : details(`What changed in the attachment ${name}`, textDiff(lines)),
    ),
  ];
}

function fieldRow({ path, kind, before, after }: FieldDiff): Child[] {
  return [element('code', {}, path), KINDS[kind], before ?? '', after ?? ''];
}

/** The sign in front says what happened to a line; the colour only repeats it. */
function textDiff(lines: readonly (DiffLine | undefined)[]): Child {
  const rows = lines.slice(0, MOST_ROWS).map((line): Child => {
    if (line === undefined) return element('div', { class: 'skipped' }, '… lines that are the same');
    const sign = { same: ' ', added: '+', removed: '−' }[line.kind];
    const said = { same: undefined, added: 'added: ', removed: 'removed: ' }[line.kind];
    return element(
      'div',
      { class: line.kind },
      element('span', { 'aria-hidden': 'true' }, `${sign} `),
      said === undefined ? undefined : element('span', { class: 'unseen' }, said),
      line.text,
    );
  });
  return [element('pre', { class: 'diff' }, ...rows), rest(lines.length - rows.length, 'lines')];
}
