import { compareBytes } from '@treering/statement';
import { ByteSource, type FileBytes } from './byte-source.js';
import { decodeItem, largestItem, malformed, PACK_MAGIC, type PackItem } from './format.js';

/** Whether bytes begin as an evidence pack does. */
export function isPack(start: Uint8Array): boolean {
  return start.length >= PACK_MAGIC.length && PACK_MAGIC.every((byte, i) => start[i] === byte);
}

/** Heads of one size: the first that was kept, the newest, and the one that a file ends with. */
const MOST_HEADS = 3;

/** What has to come before what. */
const PART = { header: 0, entry: 1, gap: 1, mark: 1, head: 1, attachment: 2, absent: 2, decision: 3, end: 4 } as const;

/**
 * Reads a pack item by item, in bounded memory, and refuses what is not in the one order and form that a pack has. What the items
 * say is not verified.
 * @throws EvidenceError
 */
export async function* readPack(file: FileBytes): AsyncGenerator<PackItem> {
  const source = new ByteSource(file);
  try {
    if (!isPack(await source.take(PACK_MAGIC.length))) throw malformed('it does not begin as one');
    let before: PackItem | undefined;
    let heads = 0;
    for (;;) {
      const item = decodeItem(await takeItem(source, before === undefined));
      requireOrder(before, item);
      heads = item.kind === 'head' ? heads + 1 : 0;
      if (heads > MOST_HEADS) throw malformed(`more than ${MOST_HEADS} heads stand at one place`);
      if (item.kind === 'end' && !(await source.atEnd())) throw malformed('there are bytes behind the end');
      yield item;
      if (item.kind === 'end') return;
      before = item;
    }
  } finally {
    await source.close();
  }
}

/** The content of the next byte string: a head of the shortest form, and so many bytes. */
async function takeItem(source: ByteSource, first: boolean): Promise<Uint8Array> {
  const [initial] = await source.take(1);
  if (initial >> 5 !== 2) throw malformed('an item is no byte string');
  const info = initial & 31;
  let size = info;
  if (info >= 24) {
    if (info > 26) throw malformed('the length of an item is malformed');
    const width = 2 ** (info - 24);
    size = 0;
    for (const byte of await source.take(width)) size = size * 256 + byte;
    if (size < (width === 1 ? 24 : 2 ** (width * 4))) throw malformed('the length of an item is longer than needed');
  }
  const most = largestItem(first);
  if (size > most) throw malformed(`an item has ${size} bytes, and at most ${most} are read`);
  return source.take(size);
}

function requireOrder(before: PackItem | undefined, item: PackItem): void {
  if (before === undefined) {
    if (item.kind !== 'header') throw malformed('it does not begin with a header');
    return;
  }
  const [last, next] = [PART[before.kind], PART[item.kind]];
  if (next < last || item.kind === 'header') throw malformed(`an item of the kind ${item.kind} stands too late`);
  if (next > 1 && last < 2 && before.kind !== 'head') throw malformed('the entries do not end with a signed head');
  if (item.kind === 'gap' && before.kind === 'gap') throw malformed('a gap follows a gap');
  if (item.kind === 'head' && before.kind === 'head' && compareBytes(before.note, item.note) === 0)
    throw malformed('a head stands there twice');
  if (item.kind === 'mark' && (before.kind === 'mark' || before.kind === 'head'))
    throw malformed(`a mark follows a ${before.kind}`);
  if (isAttachment(before) && isAttachment(item) && compareBytes(before.digest, item.digest) >= 0)
    throw malformed('the attachments are not sorted, each once');
  if (before.kind !== 'decision' || item.kind !== 'decision') return;
  if (item.index < before.index || (item.index === before.index && item.position <= before.position))
    throw malformed('the decisions are not sorted, each once');
}

function isAttachment(item: PackItem): item is Extract<PackItem, { readonly kind: 'attachment' | 'absent' }> {
  return item.kind === 'attachment' || item.kind === 'absent';
}
