/** An item as it is written, with whatever no deterministic encoder would write. */
export interface Item {
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

const DEEPEST = 200;

/** The item that fills the bytes, however it is written; undefined when there is none. */
export function readItem(bytes: Uint8Array): Item | undefined {
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

/** The bytes of an item. */
export function writeItem(root: Item): number[] {
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
