import { encodeUtf8, openCheckpoint } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import type { createMemoryStorage, StoredHead } from '@treering/storage';
import { openSqliteStorage } from '@treering/storage-sqlite';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { fsck } from '../src/index.js';
import { type MemoryLog, memoryLog, temporaryFolder } from './fixture.js';

const MINUTE = 60_000;

interface Listed {
  readonly size: number;
  readonly time: number;
  readonly checkpoint: string;
}

/** A log that keeps every publication: heads of 2 (twice), 3, 4 (twice), 5 and 6 entries. */
async function keepingLog() {
  let now = Date.now();
  const one = await memoryLog({ keepEvery: 0, refresh: MINUTE, clock: () => now });
  const published: (StoredHead | null)[] = [];
  for (const times of [2, 1, 2, 1, 1]) {
    await one.grow(1, { iat: Math.floor(now / 1000) });
    for (let i = 0; i < times; i++) {
      now += MINUTE;
      published.push(await one.log.publisher.publish());
    }
  }
  return { ...one, published: published as StoredHead[] };
}

const one = await keepingLog();
const SIZES = [2, 2, 3, 4, 4, 5, 6];
const sizes = (heads: readonly { size: number }[]): number[] => heads.map(({ size }) => size);

/** The pages of a log from a size on, as a reader follows them. */
async function pages({ json }: MemoryLog, limit: number, from = 0): Promise<Listed[][]> {
  const out: Listed[][] = [];
  for (let at: number | undefined = from; at !== undefined; ) {
    const page: { checkpoints: Listed[]; next?: number } = await json(`/v1/checkpoints?from=${at}&limit=${limit}`);
    assert.ok(out.length < 20 && (page.next === undefined || page.next > at), 'the pages end');
    out.push(page.checkpoints);
    at = page.next;
  }
  return out;
}

test('kept checkpoints are listed with size, time and the note as it was published', async () => {
  const response = await one.app.request('/v1/checkpoints');
  assert.is(response.status, 200);
  assert.match(response.headers.get('content-type') ?? '', /^application\/json/);
  assert.is(response.headers.get('cache-control'), 'no-cache');
  const { checkpoints, ...rest } = (await response.json()) as { checkpoints: Listed[] };
  assert.equal(rest, {}, 'there is no next page');
  assert.equal(
    checkpoints.map(({ size, time, checkpoint }) => [size, time, encodeUtf8(checkpoint)]),
    one.published.map(({ size, time, note }) => [size, time, note]),
  );
  for (const { size, checkpoint } of checkpoints)
    assert.is(openCheckpoint(encodeUtf8(checkpoint), one.log.trust, nodeEd25519).checkpoint.size, BigInt(size));
});

test('no page loses a head, and two of one size are never on two pages', async () => {
  for (const limit of [1, 2, 3, 4, 5, 6, 7, 8, 1000]) {
    const found = await pages(one, limit);
    assert.equal(sizes(found.flat()), SIZES, `pages of ${limit}`);
    for (const [i, page] of found.entries()) {
      const parted = page.length > 1 && page[page.length - 1].size === page[page.length - 2].size;
      assert.ok(page.length <= limit + (parted ? 1 : 0), `${page.length} heads on a page of ${limit}`);
      assert.ok(i === found.length - 1 || page.length >= limit, 'a page that is not the last is full');
      for (const other of found.slice(i + 1).flat()) assert.ok(other.size > page[page.length - 1].size);
    }
  }
  assert.equal((await pages(one, 2)).map(sizes), [
    [2, 2],
    [3, 4, 4],
    [5, 6],
  ]);
});

test('a list begins where it is asked to', async () => {
  assert.equal(sizes((await pages(one, 100, 3)).flat()), [3, 4, 4, 5, 6]);
  assert.equal(sizes((await pages(one, 100, 6)).flat()), [6]);
  assert.equal(await one.json('/v1/checkpoints?from=7'), { checkpoints: [] });
  assert.equal(await one.json(`/v1/checkpoints?from=${Number.MAX_SAFE_INTEGER}`), { checkpoints: [] });
});

test('what is no size or no limit is refused', async () => {
  for (const query of ['from=-1', 'from=01', 'from=x', 'from=', 'from=9007199254740993', 'limit=0', 'limit=1001', 'limit=-1'])
    assert.is((await one.json(`/v1/checkpoints?${query}`)).code, 'request/malformed', query);
});

test('a log that has published nothing keeps nothing', async () => {
  const empty = await memoryLog();
  assert.equal(await empty.json('/v1/checkpoints'), { checkpoints: [] });
});

test('without a setting a publication is kept every ten minutes', async () => {
  let now = Date.now();
  const usual = await memoryLog({ clock: () => now });
  for (let minute = 0; minute <= 21; minute += 3) {
    await usual.grow(1, { iat: Math.floor(now / 1000) });
    await usual.log.publisher.publish();
    now += 3 * MINUTE;
  }
  assert.equal(sizes((await pages(usual, 100)).flat()), [2, 6]);
});

test('the pages of the store in a file are the same', async () => {
  const folder = temporaryFolder();
  const storage = openSqliteStorage(`${folder.path}/log.db`, { mode: 'create' });
  const copied = await memoryLog({ storage });
  await copied.grow(5);
  for (const head of one.published) await storage.publish(head, true);
  for (const limit of [1, 2, 3, 4, 100]) assert.equal(sizes((await pages(copied, limit)).flat()), SIZES, `pages of ${limit}`);
  await storage.close();
  folder.remove();
});

/** What an examination finds when the store gives out its kept heads altered. */
async function findings(alter: (heads: StoredHead[]) => StoredHead[]): Promise<string[]> {
  const storage = {
    ...one.log.storage,
    keptHeads: async (from: number, limit: number) =>
      alter(await one.log.storage.keptHeads(0, 100))
        .filter(({ size }) => size >= from)
        .slice(0, limit),
  };
  const anchor = { read: async () => null, write: async () => undefined };
  const report = await fsck({ storage, anchor, trust: one.log.trust });
  return report.findings.map(({ where, what }) => `${where}: ${what}`);
}

/** Alters the kept head of 3 entries. */
const third = (change: (head: StoredHead) => StoredHead) => (heads: StoredHead[]) =>
  heads.map((head) => (head.size === 3 ? change(head) : head));

test('an examination finds nothing wrong with kept heads as they are', async () => {
  assert.equal(await findings((heads) => heads), []);
});

test('an examination names a kept head whose signature or root does not hold', async () => {
  const flip = (bytes: Uint8Array, at: number) => bytes.map((b, i) => (i === at ? b ^ 1 : b));
  assert.match(
    (await findings(third((head) => ({ ...head, note: flip(head.note, head.note.length - 20) })))).join(),
    /^kept head 3: the signed note does not hold/,
  );
  assert.equal(await findings(third((head) => ({ ...head, root: flip(head.root, 5) }))), [
    'kept head 3: its root is not that of the first 3 entries',
    'kept head 3: the signed note says another size or root than the row beside it',
  ]);
  const other = one.published.find(({ size }) => size === 5) as StoredHead;
  assert.equal(await findings(third((head) => ({ ...head, note: other.note }))), [
    'kept head 3: the signed note says another size or root than the row beside it',
  ]);
});

test('an examination names a kept head of another history', async () => {
  const other = await keepingLog();
  const foreign = other.published.find(({ size }) => size === 3) as StoredHead;
  assert.equal(await findings(third(() => foreign)), ['kept head 3: its root is not that of the first 3 entries']);
});

test('an examination tells that the store is older than a kept head', async () => {
  assert.match(
    (await findings((heads) => [...heads, { ...heads[0], size: 70 }])).join('\n'),
    /kept head 70: it has 70 entries and the store 6/,
  );
});

test('an examination of heads that cannot be read, or come out of order for ever, ends', async () => {
  const failing = async (keptHeads: ReturnType<typeof createMemoryStorage>['keptHeads']) => {
    const storage = { ...one.log.storage, keptHeads };
    const anchor = { read: async () => null, write: async () => undefined };
    return (await fsck({ storage, anchor, trust: one.log.trust })).findings;
  };
  assert.equal(
    await failing(async () => {
      throw new Error('a bad sector');
    }),
    [{ where: 'kept heads', what: 'a bad sector' }],
  );
  const [head] = one.published;
  assert.equal(await failing(async (_, limit) => Array.from({ length: limit }, () => ({ ...head, size: 0 }))), [
    { where: 'kept heads', what: 'kept heads are not in the order of sizes' },
  ]);
});

test.run();
