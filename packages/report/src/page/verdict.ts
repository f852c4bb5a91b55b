import { append, byId, type Child, element } from './element.js';

/** What the page says about the file as a whole. */
export type VerdictState = 'empty' | 'neutral' | 'working' | 'holds' | 'fails' | 'unreadable';

const SIGNS: Readonly<Record<VerdictState, string>> = {
  empty: '○',
  neutral: '○',
  working: '…',
  holds: '✓',
  fails: '✗',
  unreadable: '✗',
};

/** Says the verdict, in a place that screen readers read out when it changes. */
export function sayVerdict(state: VerdictState, heading: string, ...words: readonly Child[]): void {
  document.body.dataset.state = state;
  byId('verdict-sign').textContent = SIGNS[state];
  byId('verdict-heading').textContent = heading;
  const place = byId('verdict-words');
  place.replaceChildren();
  append(place, words);
  byId('progress').hidden = state !== 'working';
}

/** How far the examination has come. @param part from 0 to 1 */
export function sayProgress(part: number): void {
  byId<HTMLProgressElement>('progress-bar').value = part;
}

/** Sentences as a list. */
export function sentences(texts: readonly string[]): Child {
  return element('ul', { class: 'sentences' }, ...texts.map((text) => element('li', {}, text)));
}
