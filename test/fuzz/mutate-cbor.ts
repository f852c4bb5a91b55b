import type { Random } from './random.js';

/** An item as it is written, with whatever no deterministic encoder would write. */
interface Item {
  major: number;
  /** Of a container: left to its members, unless it lies. */
  argument: bigint;
  /** Bytes of the argument behind the initial byte: 0, 1, 2, 4 or 8; undefined takes the fewest. */
  width?: number | undefined;
  indefinite?: boolean;
  /** Of a byte string or text. */
  content?: Uint8Array;
  /** Of a list, a map (keys and values in turn) or a tag. */
  items?: Item[];
  /** The argument is not what the members say. */
  lies?: boolean;
  /** So many lists of one item each stand around it. */
  nested?: number;
}

const EDGES = [
  0n,
  1n,
  23n,
  24n,
  255n,
  256n,
  65_535n,
  65_536n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 63n,
  2n ** 64n - 1n,
];
const TEXTS = ['', 'a', '__proto__', 'constructor', '\ufeffx', '\u0000', '\u202etxt', 'é', 'e\u0301', 'x'.repeat(300)].map(
  (text) => new TextEncoder().encode(text),
);
const BAD_UTF8 = [
  Uint8Array.of(0xff),
  Uint8Array.of(0xc0, 0x80),
  Uint8Array.of(0xed, 0xa0, 0x80),
  Uint8Array.of(0xf4, 0x90, 0x80, 0x80),
];
const DEEPEST = 200;

/** CBOR whose items were changed, and written as no deterministic encoder writes them; what is no CBOR comes back as it is. */
export function mutateCbor(seed: Uint8Array, random: Random): Uint8Array {
  const root = readItem(seed);
  if (root === undefined) return seed;
  const holder: Item = { major: 4, argument: 0n, items: [root] };
  for (let changes = 1 + random.below(3); changes > 0; changes--) change(holder, random);
  return Uint8Array.from((holder.items ?? []).flatMap((item) => write(item)));
}

/** The item that fills the bytes, however it is written; undefined when there is none. */
function readItem(bytes: Uint8Array): Item | undefined {
  const reader = { bytes, at: 0 };
  const item = read(reader, 0);
  return reader.at === bytes.length ? item : undefined;
}

function read(reader: { readonly bytes: Uint8Array; at: number }, depth: number): Item | undefined {
  const { bytes } = reader;
  if (reader.at >= bytes.length || depth > DEEPEST) return undefined;
  const initial = bytes[reader.at++];
  const [major, info] = [initial >> 5, initial & 31];
  if (info > 27) return undefined;
  const width = info < 24 ? 0 : 2 ** (info - 24);
  if (reader.at + width > bytes.length) return undefined;
  let argument = BigInt(info);
  if (width > 0) {
    argument = 0n;
    for (let i = 0; i < width; i++) argument = (argument << 8n) | BigInt(bytes[reader.at++]);
  }
  if (major < 2 || major === 7) return { major, argument, width };
  if (major < 4) {
    const end = reader.at + Number(argument);
    if (end > bytes.length) return undefined;
    const content = bytes.slice(reader.at, end);
    reader.at = end;
    return { major, argument, content };
  }
  const count = major === 6 ? 1n : major === 5 ? argument * 2n : argument;
  if (count > bytes.length) return undefined;
  const items: Item[] = [];
  for (let i = 0n; i < count; i++) {
    const item = read(reader, depth + 1);
    if (item === undefined) return undefined;
    items.push(item);
  }
  return { major, argument, items };
}

/** Every container with the place of each of its members. */
function places(item: Item, found: [Item[], number][] = []): [Item[], number][] {
  for (const [i, member] of (item.items ?? []).entries()) {
    found.push([item.items as Item[], i]);
    places(member, found);
  }
  return found;
}

function change(holder: Item, random: Random): void {
  const all = places(holder);
  if (all.length === 0) return;
  const [siblings, at] = random.pick(all);
  const item = siblings[at];
  switch (random.below(14)) {
    case 0:
      item.width = random.pick([1, 2, 4, 8]);
      return;
    case 1:
      item.indefinite = true;
      return;
    case 2:
      siblings.splice(at, 1);
      return;
    case 3: {
      // In a map: the same key once more.
      const from = at - (at % 2);
      siblings.splice(from, 0, ...siblings.slice(from, from + 2).map(copy));
      return;
    }
    case 4:
      siblings.reverse();
      return;
    case 5:
      siblings[at] = scalar(random);
      return;
    case 6:
      siblings.splice(at, 0, scalar(random));
      return;
    case 7:
      siblings[at] = {
        major: 6,
        argument: BigInt(random.pick([0, 1, 2, 18, 24, 27, 61, 98, 105, 55_799, 2 ** 31])),
        items: [item],
      };
      return;
    case 8:
      item.nested = random.pick([1, 14, 15, 16, 17, 200, 5000]);
      return;
    case 9:
      item.lies = true;
      item.argument = random.oneIn(2) ? item.argument + BigInt(random.pick([-1, 1])) : random.pick(EDGES);
      if (item.argument < 0n) item.argument = 0n;
      return;
    case 10:
      siblings[at] = copy(random.pick(all.map(([list, i]) => list[i])));
      return;
    default:
      siblings[at] = changeContent(item, random);
  }
}

function changeContent(item: Item, random: Random): Item {
  if (item.content === undefined)
    return item.items === undefined ? { ...item, argument: random.pick(EDGES), width: undefined } : item;
  const { content } = item;
  // Byte strings of signed messages hold CBOR themselves.
  if (random.oneIn(2) && content.length > 1) return { ...item, content: mutateCbor(content, random) };
  if (item.major === 3) return { ...item, content: random.pick([...TEXTS, ...BAD_UTF8]) };
  const cut = random.below(content.length + 1);
  return {
    ...item,
    content: random.oneIn(2) ? content.slice(0, cut) : Uint8Array.from([...content, ...random.bytes(1 + random.below(40))]),
  };
}

function scalar(random: Random): Item {
  switch (random.below(5)) {
    case 0:
      return { major: random.below(2), argument: random.pick(EDGES) };
    case 1:
      return { major: 2, argument: 0n, content: random.bytes(random.pick([0, 1, 16, 31, 32, 33, 64])) };
    case 2:
      return { major: 3, argument: 0n, content: random.pick([...TEXTS, ...BAD_UTF8]) };
    case 3:
      // false, true, null, undefined, other simple values, floats.
      return { major: 7, argument: BigInt(random.below(32)), width: random.pick([0, 1, 2, 4, 8]) };
    default:
      return { major: random.pick([4, 5]), argument: 0n, items: [] };
  }
}

function copy(item: Item): Item {
  return { ...item, ...(item.items === undefined ? {} : { items: item.items.map(copy) }) };
}

function write(root: Item): number[] {
  const out: number[] = [];
  const open: (Item | 'end')[] = [root];
  for (let item = open.pop(); item !== undefined; item = open.pop()) {
    if (item === 'end') {
      out.push(0xff);
      continue;
    }
    const { major, items, content } = item;
    for (let i = item.nested ?? 0; i > 0; i--) out.push(0x81);
    const isOpenEnded = item.indefinite === true && major >= 2 && major <= 5;
    if (isOpenEnded) out.push((major << 5) | 31);
    else out.push(...head(major, argumentOf(item), item.width));
    if (isOpenEnded) open.push('end');
    if (content !== undefined) {
      if (isOpenEnded) out.push(...head(major, BigInt(content.length), undefined));
      for (const byte of content) out.push(byte);
    }
    for (const member of [...(items ?? [])].reverse()) open.push(member);
  }
  return out;
}

function argumentOf({ major, argument, content, items, lies }: Item): bigint {
  if (lies || major === 6) return argument;
  if (content !== undefined) return BigInt(content.length);
  return items === undefined ? argument : BigInt(major === 5 ? items.length >> 1 : items.length);
}

function head(major: number, argument: bigint, asked: number | undefined): number[] {
  const least = argument < 24n ? 0 : argument < 0x100n ? 1 : argument < 0x1_0000n ? 2 : argument < 0x1_0000_0000n ? 4 : 8;
  const width = Math.max(least, asked ?? least);
  const bytes = Array.from({ length: width }, (_, i) => Number((argument >> BigInt(8 * (width - 1 - i))) & 0xffn));
  return [(major << 5) | (width === 0 ? Number(argument) : 24 + Math.log2(width)), ...bytes];
}
