import { type Item, readItem, writeItem } from './cbor-items.js';
import type { Random } from './random.js';

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

/** CBOR whose items were changed, and written as no deterministic encoder writes them; what is no CBOR comes back as it is. */
export function mutateCbor(seed: Uint8Array, random: Random): Uint8Array {
  const root = readItem(seed);
  if (root === undefined) return seed;
  const holder: Item = { major: 4, argument: 0n, items: [root] };
  for (let changes = 1 + random.below(3); changes > 0; changes--) change(holder, random);
  return Uint8Array.from((holder.items ?? []).flatMap((item) => writeItem(item)));
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
