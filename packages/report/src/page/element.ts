import { printable } from '@treering/record';

/** What stands inside of an element: nothing that comes as text is ever read as markup. */
export type Child = Node | string | undefined | readonly Child[];

type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

const SVG = 'http://www.w3.org/2000/svg';

/** An element of the page. Control and direction characters in its texts and attributes are shown as what they are. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  return filled(document.createElement(tag), attributes, children);
}

/** An element of a drawing. */
export function shape<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): SVGElementTagNameMap[K] {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

/** A longer text: line ends and tabs stay, everything else that cannot be seen is shown. */
export function longText(text: string): Text {
  const parts = text.replace(/\r\n/g, '\n').split(/([\n\t])/);
  return document.createTextNode(parts.map((part) => (part === '\n' || part === '\t' ? part : printable(part))).join(''));
}

/** The element of the page with an id. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no ${id}`);
  return found as T;
}

function filled<E extends Element>(target: E, attributes: Attributes, children: readonly Child[]): E {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    target.setAttribute(name, value === true ? '' : printable(String(value)));
  }
  append(target, children);
  return target;
}

/** Puts more into an element. */
export function append(target: Element, children: readonly Child[]): void {
  for (const child of children) {
    if (child === undefined) continue;
    if (typeof child === 'string') target.append(document.createTextNode(printable(child)));
    else if (child instanceof Node) target.append(child);
    else append(target, child);
  }
}
