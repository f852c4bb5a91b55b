import { nodeHasher } from '@treering/merkle/node';
import { createMemoryStorage, type Storage, StorageError } from '@treering/storage';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { AuthenticReader } from '../src/index.js';
import { open, submission } from './fixture.js';

const SIZE = 600;
const storage = createMemoryStorage();
const sequencer = await open(storage);
await Promise.all(Array.from({ length: SIZE }, (_, i) => sequencer.submit(submission(`entry ${i}`))));
const flip = (bytes: Uint8Array, at: number): Uint8Array => bytes.map((byte, i) => (i === at ? byte ^ 4 : byte));

/** A reader of the same log from a store that returns something else. */
const readerOf = (damaged: Partial<Storage>): AuthenticReader =>
  new AuthenticReader({ ...storage, ...damaged }, nodeHasher, () => sequencer.head);

/** The message of the StorageError that says damage, or 'given out'. */
async function outcome(reading: Promise<unknown>): Promise<string> {
  try {
    await reading;
    return 'given out';
  } catch (error) {
    assert.ok(error instanceof StorageError && error.code === 'storage/corrupt', String(error));
    return (error as Error).message;
  }
}

test('everything of an undamaged store is given out, across the edges of tiles and at every width', async () => {
  const { reader } = sequencer;
  assert.is(reader.size, SIZE);
  assert.equal(await reader.entries(250, 520), await storage.entries(250, 520));
  assert.equal(await reader.entry(599), (await storage.entries(599, 600))[0]);
  for (const [level, index, width] of [
    [0, 0, 256],
    [0, 1, 17],
    [0, 2, 88],
    [0, 2, 5],
    [1, 0, 2],
  ])
    assert.equal(await reader.tile(level, index, width), await storage.tile(level, index, width));
});

test('an entry with another byte is refused by its number, and its neighbours are given out', async () => {
  const reader = readerOf({
    entries: async (start, end) => {
      const entries = await storage.entries(start, end);
      return entries.map((entry, i) => (start + i === 300 ? flip(entry, 3) : entry));
    },
  });
  assert.match(await outcome(reader.entry(300)), /bytes of entry 300 /);
  assert.match(await outcome(reader.entries(290, 310)), /bytes of entry 300 /);
  assert.is(await outcome(reader.entries(200, 300)), 'given out');
  assert.is(await outcome(reader.entries(301, SIZE)), 'given out');
});

for (const [level, index, others] of [
  [0, 0, 'given out'],
  [0, 2, 'damage'],
  [1, 0, 'damage'],
] as const)
  test(`nothing that leads through tile ${level}/${index} is given out when a bit of it has flipped: others are ${others}`, async () => {
    const reader = readerOf({
      tile: async (l, i, width) => {
        const tile = await storage.tile(l, i, width);
        return tile !== null && l === level && i === index ? flip(tile, 40) : tile;
      },
    });
    assert.match(await outcome(reader.tile(level, index, 2)), /does not lead to/);
    assert.match(await outcome(reader.readHashes([{ level: level * 8, index: index * 256 }])), /does not lead to/);
    assert.is((await outcome(reader.tile(0, 1, 256))) === 'given out', others === 'given out');
    assert.is((await outcome(reader.entry(256))) === 'given out', others === 'given out');
  });

test('entries that are gone are damage, and those beyond the head are just not there', async () => {
  const reader = readerOf({
    entries: async (start, end) => {
      if (start <= 300 && end > 300) throw new StorageError('storage/missing', 'entries are not all stored');
      return storage.entries(start, end);
    },
  });
  assert.match(await outcome(reader.entry(300)), /entries are not all stored; run "treering fsck"/);
  assert.is(await outcome(reader.entry(301)), 'given out');
  const beyond = await reader.entries(SIZE - 1, SIZE + 1).catch((error: StorageError) => error.code);
  assert.is(beyond, 'storage/missing');
});

test('a tile that is gone is damage', async () => {
  const reader = readerOf({
    tile: async (level, index, width) => (level === 0 && index === 1 ? null : storage.tile(level, index, width)),
  });
  assert.match(await outcome(reader.tile(0, 1, 256)), /no tile 0\/1 /);
});

test.run();
