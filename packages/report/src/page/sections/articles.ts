import { type ArticleFinding, indexByArticle } from '@treering/record';
import { type Child, element } from '../element.js';
import { details, entryLinks, paragraph, remark, section, type View } from '../view.js';

/** What rules ask for, and which records of the file are about it. */
export function articlesSection(view: View): HTMLElement {
  return section(
    'articles',
    'What rules ask for',
    remark(
      'Which of these rules apply to whom is not decided here, and a section with records is no proof that a rule is kept. "There is no" is said of this file; the log may hold more.',
    ),
    indexByArticle(view.content.records()).map((finding) => articleWords(view, finding)),
  );
}

function articleWords(view: View, { section: { title, asks, applies, note }, entries, missing }: ArticleFinding): Child {
  const found = entries.length === 0 ? 'no records' : `${entries.length} ${entries.length === 1 ? 'record' : 'records'}`;
  const out = details(
    [
      element('span', { class: 'title' }, title),
      element('span', { class: 'when' }, missing.length === 0 ? found : `${found}, something is missing`),
    ],
    element(
      'div',
      {},
      paragraph(asks),
      applies === undefined ? undefined : remark('Applies: ', applies),
      entries.length === 0 ? undefined : paragraph('Records: ', entryLinks(view, entries), '.'),
      missing.map((sentence) => paragraph(sentence)),
      note === undefined ? undefined : remark(note),
    ),
  );
  out.className = 'record';
  return out;
}
