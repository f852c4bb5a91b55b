import { element } from '../element.js';
import { paragraph, section, type View } from '../view.js';

/** What the file does not prove, said as plainly as what it does. */
export function limitsSection({ report }: View): HTMLElement {
  const open = (report?.claims ?? []).filter(({ verdict }) => verdict === 'not proved');
  return section(
    'limits',
    'What this file does not prove',
    report === undefined
      ? paragraph('Nothing is proved yet: the file was not verified.')
      : element('ul', { class: 'sentences' }, ...open.map(({ text }) => element('li', {}, text))),
  );
}
