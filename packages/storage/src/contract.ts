import { HeadConflictError, StorageError } from './errors.js';
import type { CommitBatch, ExpectedHead, FullTile, Storage, StoredEntry, StoredHead } from './storage.js';

/** One promise of the contract as a test. It rejects with a sentence when the driver breaks it. */
export interface ContractCase {
  readonly name: string;
  /** @param open opens an empty store of its own; the case closes it */
  run(open: () => Promise<Storage>): Promise<void>;
}

const bytes = (n: number, seed: number): Uint8Array =>
  Uint8Array.from({ length: n }, (_, i) => (i * 31 + seed * 17 + (seed >> 8)) & 0xff);
const leaf = (i: number): Uint8Array => {
  const hash = new Uint8Array(32);
  new DataView(hash.buffer).setUint32(0, i + 1);
  return hash;
};

/** Made-up bytes: a driver must not care whether they are hashes. */
function entry(i: number, topic = `topic/${i % 3}`): StoredEntry {
  return { bytes: bytes(10 + (i % 50), i), leafHash: leaf(i), topic };
}
function head(size: number): StoredHead {
  return { size, root: bytes(32, size + 1000), time: 1_700_000_000_000 + size, note: bytes(100, size) };
}
function batch(from: number, to: number, tiles: readonly FullTile[] = []): CommitBatch {
  return { entries: Array.from({ length: to - from }, (_, i) => entry(from + i)), tiles, head: head(to) };
}
const expected = (size: number): ExpectedHead => (size === 0 ? null : { size, root: head(size).root });

function same(actual: unknown, wanted: unknown, what: string): void {
  const show = (value: unknown): string =>
    JSON.stringify(value, (_, v) => (v instanceof Uint8Array ? [...v] : v === undefined ? '(none)' : v));
  if (show(actual) !== show(wanted))
    throw new Error(`${what}: ${show(actual).slice(0, 300)} instead of ${show(wanted).slice(0, 300)}`);
}
async function fails(
  promise: Promise<unknown>,
  kind: typeof StorageError | typeof HeadConflictError,
  what: string,
): Promise<void> {
  const outcome = await promise.then(
    () => 'it succeeded',
    (error: unknown) => (error instanceof kind ? undefined : `it failed with ${String(error)}`),
  );
  if (outcome !== undefined) throw new Error(`${what}: ${outcome} instead of failing with ${kind.name}`);
}

function define(name: string, check: (storage: Storage) => Promise<void>): ContractCase {
  return {
    name,
    async run(open) {
      const storage = await open();
      try {
        await check(storage);
      } finally {
        await storage.close();
      }
    },
  };
}

/** The suite that every driver passes: run each case with the test runner of your choice. */
export const storageContract: readonly ContractCase[] = [
  define('an empty store has no head, no checkpoint, no entries', async (s) => {
    same(await s.head(), null, 'head');
    same(await s.published(), null, 'published');
    same(await s.entries(0, 0), [], 'entries');
    same(await s.indicesOf([leaf(0)]), [undefined], 'indicesOf');
    same(await s.tile(0, 0, 1), null, 'tile');
    same(await s.topics('', '', 10), [], 'topics');
  }),
  define('what was committed is read back', async (s) => {
    await s.commit(batch(0, 5), expected(0));
    same(await s.head(), head(5), 'head');
    same(
      await s.entries(0, 5),
      batch(0, 5).entries.map((e) => e.bytes),
      'entries',
    );
    same(await s.entries(2, 4), [entry(2).bytes, entry(3).bytes], 'entries 2 to 4');
    same(await s.entryInfos(4, 5), [{ index: 4, leafHash: leaf(4), topic: 'topic/1' }], 'entryInfos');
    same(await s.indicesOf([leaf(3), leaf(9), leaf(0)]), [3, undefined, 0], 'indicesOf');
    await fails(s.entries(3, 6), StorageError, 'reading beyond the end');
  }),
  define('a commit on another head is refused and changes nothing', async (s) => {
    await s.commit(batch(0, 5), expected(0));
    await fails(s.commit(batch(5, 6), expected(0)), HeadConflictError, 'expecting an empty store');
    await fails(s.commit(batch(5, 6), expected(4)), HeadConflictError, 'expecting an older head');
    await fails(s.commit(batch(5, 6), { size: 5, root: bytes(32, 1) }), HeadConflictError, 'expecting another root');
    same(await s.head(), head(5), 'head');
    await fails(s.entries(5, 6), StorageError, 'the entry of the refused batch');
    await s.commit(batch(5, 6), expected(5));
    same((await s.head())?.size, 6, 'size');
  }),
  define('of two commits on the same head one wins', async (s) => {
    await s.commit(batch(0, 1), expected(0));
    const outcomes = await Promise.allSettled([s.commit(batch(1, 3), expected(1)), s.commit(batch(1, 2), expected(1))]);
    same(outcomes.filter((o) => o.status === 'fulfilled').length, 1, 'commits that succeeded');
  }),
  define('the same leaf is never stored twice, and the whole batch fails', async (s) => {
    await s.commit(batch(0, 3), expected(0));
    const twice: CommitBatch = { entries: [entry(3), entry(1)], tiles: [], head: head(5) };
    await fails(s.commit(twice, expected(3)), StorageError, 'a leaf that is stored');
    const inside: CommitBatch = { entries: [entry(3), entry(3)], tiles: [], head: head(5) };
    await fails(s.commit(inside, expected(3)), StorageError, 'a leaf twice in a batch');
    same(await s.head(), head(3), 'head');
    same(await s.indicesOf([leaf(3)]), [undefined], 'nothing of the batch');
  }),
  define('a head that does not count its entries is refused', async (s) => {
    await fails(s.commit({ ...batch(0, 3), head: head(4) }, expected(0)), StorageError, 'a head of 4 over 3 entries');
    same(await s.head(), null, 'head');
  }),
  define('partial tiles are prefixes of leaf hashes and of the roots below', async (s) => {
    const hashes = new Uint8Array(8192);
    for (let i = 0; i < 256; i++) hashes.set(leaf(i), i * 32);
    const full: FullTile = { level: 0, index: 0, hashes, root: bytes(32, 77) };
    await s.commit(batch(0, 100), expected(0));
    same(await s.tile(0, 0, 100), hashes.slice(0, 3200), 'partial tile of 100');
    same(await s.tile(0, 0, 101), null, 'a wider one');
    await s.commit(batch(100, 300, [full]), expected(100));
    same(await s.tile(0, 0, 256), hashes, 'full tile');
    same(await s.tile(0, 0, 7), hashes.slice(0, 224), 'prefix of a full tile');
    same(
      await s.tile(0, 1, 44),
      Uint8Array.from(Array.from({ length: 44 }, (_, i) => [...leaf(256 + i)]).flat()),
      'next partial tile',
    );
    same(await s.tile(1, 0, 1), full.root, 'the tile above');
    same(await s.tile(1, 0, 2), null, 'the tile above, wider');
    await fails(
      s.commit(batch(300, 301, [{ ...full, root: bytes(32, 78) }]), expected(300)),
      StorageError,
      'a tile with other hashes',
    );
    same(await s.head(), head(300), 'head');
  }),
  define('the published checkpoint never goes back and never beyond the head', async (s) => {
    await fails(s.publish(head(1)), HeadConflictError, 'publishing before anything is committed');
    await s.commit(batch(0, 5), expected(0));
    await s.publish(head(3));
    same(await s.published(), head(3), 'published');
    await fails(s.publish(head(2)), HeadConflictError, 'going back');
    await fails(s.publish({ ...head(3), root: bytes(32, 1) }), HeadConflictError, 'another root at the same size');
    await fails(s.publish(head(6)), HeadConflictError, 'beyond the committed head');
    await s.publish({ ...head(3), note: bytes(50, 5) });
    await s.publish(head(5));
    same(await s.published(), head(5), 'published');
  }),
  define('of a published head only what is to be kept is kept, in the order of sizes', async (s) => {
    same(await s.keptHeads(0, 10), [], 'kept heads of an empty store');
    same(await s.lastKept(), null, 'the last kept head of an empty store');
    await s.commit(batch(0, 5), expected(0));
    for (const size of [1, 2, 3]) await s.publish(head(size), size !== 2);
    await s.publish(head(4), false);
    same(await s.keptHeads(0, 10), [head(1), head(3)], 'kept heads');
    same(await s.lastKept(), head(3), 'the last kept head');
    same(await s.published(), head(4), 'published');
    await s.publish(head(5), true);
    same(await s.keptHeads(0, 2), [head(1), head(3)], 'the first two');
    same(await s.keptHeads(3, 10), [head(3), head(5)], 'from a size on');
    same(await s.keptHeads(4, 1), [head(5)], 'from a size on of which none is kept');
    same(await s.keptHeads(6, 10), [], 'beyond the last');
  }),
  define('of one size the first and the newest head are kept', async (s) => {
    await s.commit(batch(0, 5), expected(0));
    const later = (size: number, minutes: number): StoredHead => ({
      ...head(size),
      time: head(size).time + minutes * 60_000,
      note: bytes(80, size + minutes),
    });
    await s.publish(head(2), true);
    await s.publish(later(2, 1), true);
    same(await s.keptHeads(0, 10), [head(2), later(2, 1)], 'two heads');
    await s.publish(later(2, 2), true);
    await s.publish(later(2, 3));
    same(await s.keptHeads(0, 10), [head(2), later(2, 2)], 'two heads of four');
    same(await s.lastKept(), later(2, 2), 'the last kept head');
    await s.publish(later(3, 4), true);
    same(await s.lastKept(), later(3, 4), 'the last kept head, of another size');
    await s.publish(later(3, 5), true);
    same(await s.keptHeads(0, 10), [head(2), later(2, 2), later(3, 4), later(3, 5)], 'two heads of two sizes');
    same(await s.keptHeads(2, 3), [head(2), later(2, 2), later(3, 4)], 'the first three');
  }),
  define('a head that is not published is not kept', async (s) => {
    await fails(s.publish(head(1), true), HeadConflictError, 'keeping before anything is committed');
    await s.commit(batch(0, 5), expected(0));
    await s.publish(head(3), true);
    await fails(s.publish(head(2), true), HeadConflictError, 'going back');
    await fails(s.publish({ ...head(3), root: bytes(32, 1) }, true), HeadConflictError, 'another root at the same size');
    await fails(s.publish(head(6), true), HeadConflictError, 'beyond the committed head');
    same(await s.keptHeads(0, 10), [head(3)], 'kept heads');
  }),
  define('topics are listed by prefix, entries of a topic newest first', async (s) => {
    await s.commit(
      {
        entries: [entry(0, 'model/a'), entry(1, 'model/b'), entry(2, ''), entry(3, 'model/a'), entry(4, 'modelx')],
        tiles: [],
        head: head(5),
      },
      expected(0),
    );
    const topics = await s.topics('model/', '', 10);
    same(
      topics.map((t) => [t.topic, t.count, t.latest.index]),
      [
        ['model/a', 2, 3],
        ['model/b', 1, 1],
      ],
      'topics',
    );
    same(
      (await s.topics('', 'model/a', 1)).map((t) => t.topic),
      ['model/b'],
      'topics after',
    );
    same((await s.topics('model%', '', 10)).length, 0, 'wildcards mean nothing');
    same(
      (await s.entriesOf('model/a', 10, 10)).map((e) => e.index),
      [3, 0],
      'entriesOf',
    );
    same(
      (await s.entriesOf('model/a', 3, 10)).map((e) => e.index),
      [0],
      'entriesOf before',
    );
    same(
      (await s.entriesOf('model/a', 10, 1)).map((e) => e.index),
      [3],
      'entriesOf limited',
    );
  }),
  define('attachments are stored once, listed and removed', async (s) => {
    const digest = 'ab'.repeat(32);
    same(await s.attachment(digest), null, 'before');
    same(await s.putAttachment(digest, bytes(70_000, 3)), true, 'new');
    same(await s.putAttachment(digest, bytes(70_000, 3)), false, 'again');
    same(await s.attachment(digest), bytes(70_000, 3), 'read back');
    same(await s.attachments('', 10), [digest], 'listed');
    same(await s.removeAttachment(digest), true, 'removed');
    same(await s.removeAttachment(digest), false, 'removed again');
    same(await s.attachment(digest), null, 'after');
  }),
  define('an attachment whose traces may stay is removed all the same', async (s) => {
    const [one, two] = ['ab'.repeat(32), 'cd'.repeat(32)];
    for (const digest of [one, two]) await s.putAttachment(digest, bytes(65, 3));
    same(await s.removeAttachment(one, false), true, 'removed');
    same(await s.removeAttachment(one, false), false, 'removed again');
    same(await s.removeAttachment(one), false, 'overwritten');
    same(await s.attachments('', 10), [two], 'the other one stays');
  }),
  define('an attachment is replaced where one is stored, and nowhere else', async (s) => {
    const [one, two] = ['ab'.repeat(32), 'cd'.repeat(32)];
    for (const digest of [one, two]) await s.putAttachment(digest, bytes(70_000, 3));
    same(await s.replaceAttachment(one, bytes(100, 4)), true, 'replaced');
    same(await s.attachment(one), bytes(100, 4), 'read back');
    same(await s.attachment(two), bytes(70_000, 3), 'the other one stays');
    same(await s.replaceAttachment('ef'.repeat(32), bytes(100, 4)), false, 'where there is none');
    same(await s.attachments('', 10), [one, two], 'listed');
  }),
  define('empty entries and entries of 65,535 bytes are kept as they are', async (s) => {
    const entries = [
      { bytes: new Uint8Array(0), leafHash: leaf(1), topic: '' },
      { bytes: bytes(65_535, 9), leafHash: leaf(2), topic: 'x' },
    ];
    await s.commit({ entries, tiles: [], head: head(2) }, expected(0));
    same(
      await s.entries(0, 2),
      entries.map((e) => e.bytes),
      'entries',
    );
  }),
];
