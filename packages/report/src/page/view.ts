import type { PackReport } from '@treering/evidence';
import type { PackContent } from '../model/content.js';
import type { Described } from '../model/people.js';
import { grouped, momentWords } from '../model/time-words.js';
import { type Child, element } from './element.js';

/** What the sections of the report are made from. */
export interface View {
  readonly content: PackContent;
  /** Undefined before the reader has said whom she trusts. */
  readonly report: PackReport | undefined;
  readonly people: ReadonlyMap<string, Described>;
  /** Entries that the section of records shows, and that can be linked to. */
  readonly shown: ReadonlySet<number>;
}

/** Rows of one table, and items of one list. */
export const MOST_ROWS = 500;

/** A section with its heading. */
export function section(id: string, heading: string, ...children: readonly Child[]): HTMLElement {
  const title = `${id}-heading`;
  return element('section', { id, 'aria-labelledby': title }, element('h2', { id: title }, heading), ...children);
}

/** A paragraph. */
export function paragraph(...children: readonly Child[]): HTMLElement {
  return element('p', {}, ...children);
}

/** A remark in smaller type. */
export function remark(...children: readonly Child[]): HTMLElement {
  return element('p', { class: 'remark' }, ...children);
}

/**
 * A table with a caption for those who do not see where it stands.
 * @param row the cells of one item; asked for those that are shown
 */
export function table<T>(
  caption: string,
  headers: readonly string[],
  items: readonly T[],
  row: (item: T) => readonly Child[],
): Child {
  const head = element('tr', {}, ...headers.map((text) => element('th', { scope: 'col' }, text)));
  const shown = items.slice(0, MOST_ROWS);
  return [
    element(
      'div',
      { class: 'scroll' },
      element(
        'table',
        {},
        element('caption', { class: 'unseen' }, caption),
        element('thead', {}, head),
        element('tbody', {}, ...shown.map((item) => element('tr', {}, ...row(item).map(tableCell)))),
      ),
    ),
    rest(items.length - shown.length, 'rows'),
  ];
}

/** A long word, such as a digest, may be broken; words of sentences are not. */
function tableCell(cell: Child): HTMLElement {
  const out = element('td', {}, cell);
  if (/\S{30}/.test(out.textContent ?? '')) out.className = 'long';
  return out;
}

/** A sentence about what is not shown; undefined when everything is. */
export function rest(count: number, what: string): Child {
  if (count <= 0) return undefined;
  return remark(`${grouped(count)} more ${what} are in the file, and were examined, but are not shown on this page.`);
}

/** Labels and what belongs to them. */
export function facts(items: readonly (readonly [label: string, value: Child])[]): HTMLElement {
  return element(
    'dl',
    {},
    ...items.map(([label, value]) => element('div', {}, element('dt', {}, label), element('dd', {}, value))),
  );
}

/** Something to be opened. */
export function details(summary: Child, ...children: readonly Child[]): HTMLDetailsElement {
  return element('details', {}, element('summary', {}, summary), ...children);
}

/** An entry by its number, as a link if the page shows it. */
export function entryLink({ shown }: View, index: number): Child {
  const words = `entry ${index}`;
  return shown.has(index) ? element('a', { href: `#entry-${index}`, class: 'entry' }, words) : words;
}

/** A moment of which day and time are not broken. @param seconds since the epoch; undefined shows nothing */
export function moment(seconds: number | undefined): Child {
  if (seconds === undefined) return undefined;
  const [day, ...rest] = momentWords(seconds).split(', ');
  return [element('time', {}, rest.length === 0 ? day : `${day},`), rest.map((text) => [' ', element('time', {}, text)])];
}

/** Several entries. */
export function entryLinks(view: View, indices: readonly number[], most = 40): Child {
  const links = indices.slice(0, most).flatMap((index, i): Child[] => [i === 0 ? '' : ', ', entryLink(view, index)]);
  return [links, indices.length > most ? ` and ${grouped(indices.length - most)} others` : ''];
}

/** Somebody by the pseudonym, and by the name that an attachment gives. */
export function person(view: View, id: string | undefined): Child {
  if (id === undefined) return 'somebody unknown';
  const described = view.people.get(id);
  if (described === undefined) return element('span', { class: 'id' }, id);
  const { name, email, index } = described;
  const words = [name, email].filter((part) => part !== undefined).join(', ');
  return [
    element('span', { class: 'id' }, id),
    ' ',
    element('span', { class: 'name' }, `(${words}, according to an attachment of `, entryLink(view, index), ')'),
  ];
}
