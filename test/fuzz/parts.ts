import { type Item, readItem, writeItem } from './cbor-items.js';

/** An input of which one part is not as it was. */
export interface Changed {
  /** Which part, and what became of it. */
  readonly what: string;
  /** Whether the part is gone, or there is nothing in it any more; otherwise it stands there twice. */
  readonly lost: boolean;
  readonly bytes: Uint8Array;
}

type Kind = 'removed' | 'null' | 'empty' | 'twice';
const KINDS: readonly Kind[] = ['removed', 'null', 'empty', 'twice'];
const changed = (path: string, kind: Kind, bytes: Uint8Array): Changed => ({
  what: `${path} ${kind}`,
  lost: kind !== 'twice',
  bytes,
});

/** Every item of a message in CBOR in turn, also of the CBOR within its byte strings. */
export function changedItems(bytes: Uint8Array, path = 'item'): Changed[] {
  const out: Changed[] = [];
  const root = readItem(bytes);
  if (root === undefined) return out;
  const whole = (): Uint8Array => Uint8Array.from(writeItem(root));
  const visit = (item: Item, at: string): void => {
    const { items = [], content } = item;
    for (const [i, member] of items.entries()) {
      const place = `${at}/${i}`;
      for (const kind of KINDS) {
        const before = [...items];
        // The key goes with its value, so that it is still a map.
        const from = item.major === 5 && (kind === 'removed' || kind === 'twice') ? i - (i % 2) : i;
        const span = item.major === 5 ? items.slice(from, from + 2) : [member];
        if (kind === 'removed') items.splice(from, span.length);
        else if (kind === 'twice') items.splice(from, 0, ...span);
        else items[i] = kind === 'null' ? { major: 7, argument: 22n } : emptied(member);
        out.push(changed(place, kind, whole()));
        items.splice(0, items.length, ...before);
      }
      visit(member, place);
    }
    if (item.major !== 2 || content === undefined) return;
    for (const inner of changedItems(content, `${at}>`)) {
      item.content = inner.bytes;
      out.push({ ...inner, bytes: whole() });
    }
    item.content = content;
  };
  visit(root, path);
  return out;
}

function emptied(item: Item): Item {
  if (item.content !== undefined) return { ...item, content: new Uint8Array(0) };
  return item.items === undefined ? { major: 0, argument: 0n } : { ...item, items: item.major === 6 ? item.items : [] };
}

/** Every member and element of a text in JSON in turn. */
export function changedMembers(text: string): Changed[] {
  const out: Changed[] = [];
  const encode = (json: string): Uint8Array => new TextEncoder().encode(json);
  /** @param whole puts the JSON of a value into its place */
  const visit = (value: unknown, path: string, whole: (json: string) => string): void => {
    if (typeof value !== 'object' || value === null) return;
    const isList = Array.isArray(value);
    const parts = Object.entries(value).map(([name, item]) => ({ name, json: JSON.stringify(item) as string }));
    const write = (list: typeof parts): string =>
      whole(
        isList
          ? `[${list.map(({ json }) => json).join(',')}]`
          : `{${list.map(({ name, json }) => `${JSON.stringify(name)}:${json}`).join(',')}}`,
      );
    for (const [i, { name, json }] of parts.entries()) {
      const place = `${path}/${name}`;
      const set = (...instead: readonly string[]): string =>
        write([...parts.slice(0, i), ...instead.map((other) => ({ name, json: other })), ...parts.slice(i + 1)]);
      const empty = json.startsWith('"') ? '""' : json.startsWith('[') ? '[]' : json.startsWith('{') ? '{}' : '0';
      out.push(changed(place, 'removed', encode(set())), changed(place, 'null', encode(set('null'))));
      out.push(changed(place, 'empty', encode(set(empty))), changed(place, 'twice', encode(set(json, json))));
      visit(JSON.parse(json), place, (inner) => set(inner));
    }
  };
  visit(JSON.parse(text), '', (json) => json);
  return out;
}

/** Every line of a text in turn. */
export function changedLines(text: string): Changed[] {
  const lines = text.split('\n');
  const of = (i: number, kind: Kind, ...instead: readonly string[]): Changed =>
    changed(
      `line ${i + 1}`,
      kind,
      new TextEncoder().encode([...lines.slice(0, i), ...instead, ...lines.slice(i + 1)].join('\n')),
    );
  return lines.flatMap((line, i) => [of(i, 'removed'), of(i, 'empty', ''), of(i, 'null', 'null'), of(i, 'twice', line, line)]);
}
