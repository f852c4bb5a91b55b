import { GovernanceState } from '@treering/governance';
import type { StoredHead } from '@treering/storage';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { StateSnapshots } from '../src/state-snapshots.js';

const head = (size: number): StoredHead => ({ size, root: new Uint8Array(32), time: 0, note: new Uint8Array(0) });
const state = new GovernanceState();

/** A store that remembers the sizes that it was asked to keep, and ends each writing when and how the test says. */
function store() {
  const sizes: number[] = [];
  const ends: ((error?: Error) => void)[] = [];
  const write = ({ size }: { size: number }): Promise<void> => {
    sizes.push(size);
    return new Promise((resolve, reject) => {
      ends.push((error) => (error === undefined ? resolve() : reject(error)));
    });
  };
  return { sizes, ends, snapshots: new StateSnapshots({ read: () => undefined, write }) };
}

test('a snapshot is due when the log has grown by a quarter, by 4,096 entries at least, and while none is written', async () => {
  const { sizes, ends, snapshots } = store();
  assert.not(snapshots.isDue(4095));
  assert.ok(snapshots.isDue(4096));
  const saved = snapshots.save(head(100_000), state);
  assert.equal(sizes, [100_000], 'at once: the state is that of this head now');
  assert.not(snapshots.isDue(200_000));
  ends[0]();
  await saved;
  assert.not(snapshots.isDue(124_999));
  assert.ok(snapshots.isDue(125_000));
  await snapshots.save(head(100_000), state);
  assert.equal(sizes, [100_000], 'what is saved is not saved again');
});

test('one that fails is due again when it would have been, and is made when the log closes', async () => {
  const { sizes, ends, snapshots } = store();
  const warned = new Promise<string>((resolve) => process.once('warning', ({ message }) => resolve(message)));
  const saved = snapshots.save(head(5000), state);
  ends[0](new Error('no space'));
  await saved;
  assert.is(await warned, 'the state of the log could not be saved: no space');
  assert.not(snapshots.isDue(5001), 'a full disk is not tried at every commit');
  const closing = snapshots.save(head(5000), state);
  assert.equal(sizes, [5000, 5000]);
  ends[1]();
  await closing;
});

test('a log that closes waits for what is being written, and saves what came after it', async () => {
  const { sizes, ends, snapshots } = store();
  void snapshots.save(head(5000), state);
  const closing = snapshots.save(head(5001), state);
  let settled = false;
  void closing.then(() => {
    settled = true;
  });
  ends[0]();
  while (sizes.length < 2) await new Promise((resolve) => setImmediate(resolve));
  assert.equal([sizes, settled], [[5000, 5001], false]);
  ends[1]();
  await closing;
  await snapshots.settled();
});

test('a replay that could not use the snapshot has none, and one in progress is not taken for lost', async () => {
  const { ends, snapshots, sizes } = store();
  snapshots.began(100_000);
  assert.not(snapshots.isDue(110_000));
  snapshots.began(0);
  assert.ok(snapshots.isDue(110_000));
  const saved = snapshots.save(head(110_000), state);
  snapshots.began(0);
  ends[0]();
  await saved;
  assert.not(snapshots.isDue(120_000));
  await snapshots.save(head(110_000), state);
  assert.equal(sizes, [110_000]);
});

test.run();
