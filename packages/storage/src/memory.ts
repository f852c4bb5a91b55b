import { HeadConflictError, StorageError } from './errors.js';
import type { CommitBatch, EntryInfo, ExpectedHead, Storage, StoredEntry, StoredHead, TopicInfo } from './storage.js';

const hex = (bytes: Uint8Array): string => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
const equal = (a: Uint8Array, b: Uint8Array): boolean => hex(a) === hex(b);

/** Keeps everything in memory: for tests, and as the shortest statement of what a driver does. */
export function createMemoryStorage(): Storage {
  const entries: StoredEntry[] = [];
  const byLeaf = new Map<string, number>();
  const byTopic = new Map<string, number[]>();
  const tiles = new Map<string, { hashes: Uint8Array; root: Uint8Array }>();
  const attachments = new Map<string, Uint8Array>();
  let head: StoredHead | null = null;
  let published: StoredHead | null = null;
  /** One or two heads for each size, the first one in front; sizes come in ascending order. */
  const kept = new Map<number, readonly StoredHead[]>();
  let closed = false;

  const open = (): void => {
    if (closed) throw new StorageError('storage/io', 'the store is closed');
  };
  const info = (index: number): EntryInfo => ({
    index,
    leafHash: entries[index].leafHash.slice(),
    topic: entries[index].topic,
  });
  const range = (start: number, end: number): void => {
    open();
    if (start < 0 || end < start || end > entries.length) {
      throw new StorageError('storage/missing', `entries ${start} to ${end} are not all stored; there are ${entries.length}`);
    }
  };

  return {
    name: 'memory',
    async head() {
      open();
      return head;
    },
    async commit(batch: CommitBatch, expected: ExpectedHead) {
      open();
      const same =
        head === null ? expected === null : expected !== null && expected.size === head.size && equal(expected.root, head.root);
      if (!same)
        throw new HeadConflictError(
          `the committed head has ${head?.size ?? 0} entries and the writer expected ${expected?.size ?? 0}`,
        );
      if (batch.head.size !== entries.length + batch.entries.length)
        throw new StorageError('storage/corrupt', 'the head does not count the entries');
      const leaves = new Set<string>();
      for (const { leafHash } of batch.entries) {
        const id = hex(leafHash);
        if (byLeaf.has(id) || leaves.has(id)) throw new StorageError('storage/immutable', `the leaf ${id} is stored already`);
        leaves.add(id);
      }
      for (const tile of batch.tiles) {
        const known = tiles.get(`${tile.level}/${tile.index}`);
        if (known !== undefined && !(equal(known.hashes, tile.hashes) && equal(known.root, tile.root))) {
          throw new StorageError('storage/immutable', `tile ${tile.level}/${tile.index} is stored with other hashes`);
        }
      }
      for (const entry of batch.entries) {
        const index = entries.length;
        entries.push({ bytes: new Uint8Array(entry.bytes), leafHash: new Uint8Array(entry.leafHash), topic: entry.topic });
        byLeaf.set(hex(entry.leafHash), index);
        const list = byTopic.get(entry.topic);
        if (list === undefined) byTopic.set(entry.topic, [index]);
        else list.push(index);
      }
      for (const tile of batch.tiles)
        tiles.set(`${tile.level}/${tile.index}`, { hashes: new Uint8Array(tile.hashes), root: new Uint8Array(tile.root) });
      head = batch.head;
    },
    async published() {
      open();
      return published;
    },
    async publish(next: StoredHead, keep = false) {
      open();
      if (head === null || next.size > head.size) throw new HeadConflictError('only a committed head is published');
      if (
        published !== null &&
        (next.size < published.size || (next.size === published.size && !equal(next.root, published.root)))
      ) {
        throw new HeadConflictError(
          `the published checkpoint has ${published.size} entries and does not go back to ${next.size}`,
        );
      }
      published = next;
      if (keep) kept.set(next.size, [...(kept.get(next.size)?.slice(0, 1) ?? []), next]);
    },
    async keptHeads(from: number, limit: number) {
      open();
      return [...kept.values()]
        .flat()
        .filter(({ size }) => size >= from)
        .sort((a, b) => a.size - b.size || a.time - b.time)
        .slice(0, limit);
    },
    async lastKept() {
      open();
      return [...kept.values()].at(-1)?.at(-1) ?? null;
    },
    async entries(start: number, end: number) {
      range(start, end);
      return entries.slice(start, end).map((entry) => entry.bytes.slice());
    },
    async entryInfos(start: number, end: number) {
      range(start, end);
      return Array.from({ length: end - start }, (_, i) => info(start + i));
    },
    async indicesOf(leafHashes: readonly Uint8Array[]) {
      open();
      return leafHashes.map((hash) => byLeaf.get(hex(hash)));
    },
    async tile(level: number, index: number, width: number) {
      open();
      const full = tiles.get(`${level}/${index}`);
      if (full !== undefined) return full.hashes.slice(0, width * 32);
      const out = new Uint8Array(width * 32);
      for (let i = 0; i < width; i++) {
        const at = index * 256 + i;
        const hash = level === 0 ? entries[at]?.leafHash : tiles.get(`${level - 1}/${at}`)?.root;
        if (hash === undefined) return null;
        out.set(hash, i * 32);
      }
      return out;
    },
    async topics(prefix: string, after: string, limit: number) {
      open();
      return [...byTopic.keys()]
        .filter((topic) => topic !== '' && topic.startsWith(prefix) && topic > after)
        .sort()
        .slice(0, limit)
        .map((topic): TopicInfo => {
          const list = byTopic.get(topic) as number[];
          return { topic, count: list.length, latest: info(list[list.length - 1]) };
        });
    },
    async entriesOf(topic: string, before: number, limit: number) {
      open();
      const list = (byTopic.get(topic) ?? []).filter((index) => index < before);
      return list.reverse().slice(0, limit).map(info);
    },
    async entriesUnder(prefix: string) {
      open();
      return entries.flatMap(({ topic }, index) => (topic !== '' && topic.startsWith(prefix) ? [info(index)] : []));
    },
    async putAttachment(digest: string, blob: Uint8Array) {
      open();
      if (attachments.has(digest)) return false;
      attachments.set(digest, new Uint8Array(blob));
      return true;
    },
    async replaceAttachment(digest: string, blob: Uint8Array) {
      open();
      if (!attachments.has(digest)) return false;
      attachments.set(digest, new Uint8Array(blob));
      return true;
    },
    async attachment(digest: string) {
      open();
      return attachments.get(digest)?.slice() ?? null;
    },
    async attachments(after: string, limit: number) {
      open();
      return [...attachments.keys()]
        .filter((digest) => digest > after)
        .sort()
        .slice(0, limit);
    },
    async removeAttachment(digest: string) {
      open();
      return attachments.delete(digest);
    },
    async backup() {
      throw new StorageError('storage/unsupported', 'a store in memory has no backup');
    },
    async integrity() {
      open();
      return [];
    },
    async checkWritable() {
      open();
    },
    async close() {
      closed = true;
    },
  };
}
