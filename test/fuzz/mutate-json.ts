import type { Random } from './random.js';

/** JSON as it is written: an object may have a member twice, and a scalar may be text that is no JSON. */
type Node = { members: [name: string, value: Node][] } | { list: Node[] } | { raw: string };

const RAW = [
  'null',
  'true',
  '0',
  '-0',
  '1',
  '-1',
  '1.5',
  '1e999',
  '-1e-999',
  '9007199254740991',
  '9007199254740993',
  '18446744073709551616',
  '01',
  '+1',
  'NaN',
  'Infinity',
  '0x10',
  '""',
  '"\\u0000"',
  '"\\ud800"',
  '"\\u202e"',
  '"\\ufeff"',
  '"__proto__"',
  '[]',
  '{}',
  '[null]',
  '{"a":1}',
  '{"toString":1,"valueOf":1}',
  `"${'x'.repeat(2000)}"`,
  `${'9'.repeat(400)}`,
  'undefined',
  "'a'",
  '/**/1',
  '"\\x"',
  '"\t"',
];
const NAMES = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'length',
  '',
  'a',
  '$bytes',
  '\u0000',
  'é',
  '0',
  '-1',
];

const DEEPEST = 100;

/** JSON whose values were changed, and written as no serialiser writes them; what is no JSON comes back as it is. */
export function mutateJson(seed: Uint8Array, random: Random): Uint8Array {
  const text = new TextDecoder().decode(seed);
  const root = readJson(text) ?? readLines(text, random);
  if (root === undefined) return seed;
  if (typeof root === 'string') return new TextEncoder().encode(root);
  return new TextEncoder().encode(written(root, random));
}

function written(root: Node, random: Random): string {
  const holder: Node = { list: [root] };
  for (let changes = 1 + random.below(3); changes > 0; changes--) change(holder, random);
  const text = holder.list.map((node) => write(node, random)).join(random.pick([',', '\n', ' ']));
  return random.oneIn(12) ? `${random.pick(['\ufeff', ' ', '\n\t', '\u0000', '//x\n'])}${text}` : text;
}

/** undefined for what is no JSON, and for what is nested too deeply to be changed. */
function readJson(text: string): Node | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return nodeOf(value, 0);
}

/** One line of JSON Lines is changed. */
function readLines(text: string, random: Random): string | undefined {
  const lines = text.split('\n');
  const at = random.below(lines.length);
  const node = readJson(lines[at]);
  if (node === undefined) return undefined;
  lines[at] = written(node, random);
  return lines.join('\n');
}

function nodeOf(value: unknown, depth: number): Node | undefined {
  if (depth > DEEPEST) return undefined;
  if (typeof value !== 'object' || value === null) return { raw: JSON.stringify(value) };
  const members: [string, Node][] = [];
  for (const [name, item] of Object.entries(value)) {
    const node = nodeOf(item, depth + 1);
    if (node === undefined) return undefined;
    members.push([name, node]);
  }
  return Array.isArray(value) ? { list: members.map(([, node]) => node) } : { members };
}

/** Each place where a value stands, as what sets it and what is there. */
function places(
  node: Node,
  found: { readonly value: Node; set(value: Node): void; drop(): void; twice(again: Node): void }[] = [],
) {
  if ('list' in node)
    node.list.forEach((value, i) => {
      found.push({
        value,
        set: (other) => {
          node.list[i] = other;
        },
        drop: () => void node.list.splice(i, 1),
        twice: (again) => void node.list.splice(i, 0, again),
      });
      places(value, found);
    });
  if ('members' in node)
    node.members.forEach((member, i) => {
      found.push({
        value: member[1],
        set: (other) => {
          member[1] = other;
        },
        drop: () => void node.members.splice(i, 1),
        twice: (again) => void node.members.push([member[0], again]),
      });
      places(member[1], found);
    });
  return found;
}

function change(holder: Node, random: Random): void {
  const all = places(holder);
  if (all.length === 0) return;
  const place = random.pick(all);
  const { value } = place;
  const other = (): Node => (random.oneIn(2) ? { raw: random.pick(RAW) } : copy(random.pick(all).value));
  switch (random.below(9)) {
    case 0:
      place.drop();
      return;
    case 1:
      place.twice(random.oneIn(2) ? copy(value) : other());
      return;
    case 2:
      place.set({ list: [value] });
      return;
    case 3: {
      const depth = random.pick([1, 20, 65, 1000, 5000]);
      const [open, close] = random.pick([
        ['[', ']'],
        ['{"a":', '}'],
      ]);
      place.set({ raw: `${open.repeat(depth)}${write(value, random)}${close.repeat(depth)}` });
      return;
    }
    case 4:
      if ('members' in value) value.members.push([random.pick(NAMES), other()]);
      else place.set(other());
      return;
    case 5:
      if ('members' in value && value.members.length > 0) random.pick(value.members)[0] = random.pick(NAMES);
      else place.set({ raw: random.pick(RAW) });
      return;
    case 6:
      place.set(nested(value, random));
      return;
    default:
      place.set(other());
  }
}

/** JSON lies within base64 in envelopes and tokens: it is changed there too. Other texts are changed a little. */
function nested(value: Node, random: Random): Node {
  const text = 'raw' in value ? textOf(value.raw) : undefined;
  if (text === undefined) return value;
  const inner = Buffer.from(text, 'base64');
  const alphabet = inner.toString('base64url') === text ? 'base64url' : 'base64';
  if (text.length > 3 && readJson(inner.toString('utf8')) !== undefined)
    return { raw: JSON.stringify(Buffer.from(mutateJson(new Uint8Array(inner), random)).toString(alphabet)) };
  const at = random.below(text.length + 1);
  return {
    raw: JSON.stringify(
      random.oneIn(2)
        ? text.slice(0, at)
        : `${text.slice(0, at)}${random.pick(['\u0000', '=', ' ', 'é', '/', '..', '\n'])}${text.slice(at)}`,
    ),
  };
}

/** The text that a string of JSON stands for; undefined for all else. */
function textOf(raw: string): string | undefined {
  try {
    const value: unknown = JSON.parse(raw);
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Nothing may become a part of itself. */
function copy(node: Node): Node {
  return JSON.parse(JSON.stringify(node)) as Node;
}

function write(node: Node, random: Random): string {
  if ('raw' in node) return node.raw;
  if ('list' in node) return `[${node.list.map((item) => write(item, random)).join(',')}]`;
  return `{${node.members.map(([name, value]) => `${nameText(name, random)}:${write(value, random)}`).join(',')}}`;
}

/** Now and then with an escape, which reads the same. */
function nameText(name: string, random: Random): string {
  const text = JSON.stringify(name);
  return random.oneIn(40) && /^"[a-z]/.test(text) ? `"\\u00${text.charCodeAt(1).toString(16)}${text.slice(2)}` : text;
}
