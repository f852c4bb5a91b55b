import { completeSubtrees, equalBytes, type HashReader } from '@treering/merkle';
import { encodeItem, PACK_MAGIC, type PackHeader, type PackItem } from './format.js';

/** A signed head that goes into a pack. */
export interface PackHead {
  /** Entries that it covers. */
  readonly size: number;
  /** The signed note. */
  readonly note: Uint8Array;
}

/** What a pack is made of. */
export interface PackParts {
  readonly header: PackHeader;
  /** Entries of the pack, ascending. */
  readonly entries: readonly number[];
  /** The bytes of one of them; asked for in order. */
  readonly entry: (index: number) => Promise<Uint8Array>;
  /** The tree of the last head. */
  readonly tree: HashReader;
  /** By size, then time; the last one covers the whole tree. Which of them are of use is decided here. */
  readonly heads: readonly PackHead[];
  /** Sizes of trees that entries of the pack name as anchors; ascending. */
  readonly anchors: readonly number[];
  /** Attachments and those that are absent, sorted by digest, each once. */
  readonly attachments: AsyncIterable<Extract<PackItem, { readonly kind: 'attachment' | 'absent' }>>;
  /** Sorted by entry and position. */
  readonly decisions?: readonly Extract<PackItem, { readonly kind: 'decision' }>[];
}

/** Writes a pack, piece by piece: the same parts give the same bytes. */
export async function* writePack(parts: PackParts): AsyncGenerator<Uint8Array> {
  yield PACK_MAGIC;
  yield encodeItem({ kind: 'header', header: parts.header });
  for await (const item of treeItems(parts)) yield encodeItem(item);
  for await (const item of parts.attachments) yield encodeItem(item);
  for (const item of parts.decisions ?? []) yield encodeItem(item);
  yield encodeItem({ kind: 'end' });
}

async function* treeItems({ entries, entry, tree, heads, anchors }: PackParts): AsyncGenerator<PackItem> {
  const used = usefulHeads(heads, entries);
  const marks = new Set(anchors);
  const stops = [...new Set([...entries, ...used.map(({ size }) => size), ...marks])].sort((a, b) => a - b);
  const wanted = new Set(entries);
  let at = 0;
  for (const stop of stops) {
    if (stop > at) yield await gap(tree, at, stop);
    at = stop;
    if (marks.has(stop)) yield { kind: 'mark' };
    for (const note of notesAt(used, stop)) yield { kind: 'head', note };
    if (!wanted.has(stop)) continue;
    yield { kind: 'entry', entry: await entry(stop) };
    at = stop + 1;
  }
}

async function gap(tree: HashReader, start: number, end: number): Promise<PackItem> {
  const hashes = await tree.readHashes(completeSubtrees(start, end));
  return { kind: 'gap', count: end - start, hashes };
}

/** The heads of one size, each once. */
function notesAt(heads: readonly PackHead[], size: number): Uint8Array[] {
  const notes = heads.filter((head) => head.size === size).map(({ note }) => note);
  return notes.filter((note, i) => !notes.slice(0, i).some((earlier) => equalBytes(earlier, note)));
}

/** For each entry the newest head before it and the oldest that covers it, and the last head of all. */
function usefulHeads(heads: readonly PackHead[], entries: readonly number[]): PackHead[] {
  const used = new Set<PackHead>([heads[heads.length - 1]]);
  let next = 0;
  for (const index of entries) {
    while (next < heads.length && heads[next].size <= index) next++;
    if (next > 0 && heads[next - 1].size > 0) used.add(heads[next - 1]);
    if (next < heads.length) used.add(heads[next]);
  }
  return heads.filter((head) => used.has(head));
}
