import { setTimeout as pause } from 'node:timers/promises';
import type { RecordOf } from '@treering/record';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { EXAMPLES } from '../../../packages/record/test/examples.js';
import { ErasureQueue } from '../src/erasure-queue.js';
import { rejection } from './fixture.js';

const record = EXAMPLES.correction.minimal as RecordOf<'correction'>;
const leaf = new Uint8Array(32).fill(7);
const SHORT = 10;

/** A queue whose store and log are as the test says, and the indices of the corrections that were carried out. */
function queueWith(works: () => boolean, indexOf: () => number | undefined) {
  const done: number[] = [];
  const erasure = {
    async carryOut(index: number) {
      if (!works()) throw new Error('a backup reads what should be overwritten');
      done.push(index);
    },
  };
  const queue = new ErasureQueue(erasure, { indexOf: async () => indexOf() }, SHORT);
  return { queue, done };
}

async function emptied(queue: ErasureQueue): Promise<void> {
  for (let i = 0; i < 200 && !queue.isEmpty; i++) await pause(SHORT);
  assert.ok(queue.isEmpty);
}

test('an erasure that fails is tried again until it is carried out', async () => {
  let attempts = 0;
  const { queue, done } = queueWith(
    () => ++attempts > 3,
    () => 9,
  );
  queue.add(leaf, record);
  assert.not(queue.isEmpty, 'from the moment on that it is submitted');
  assert.match((await rejection(queue.carryOut(leaf, 9, record))).message, /a backup reads/);
  await emptied(queue);
  assert.equal([attempts, done], [4, [9]]);
});

test('a correction of which nobody knows whether it is logged is carried out if it is, and forgotten if not', async () => {
  for (const [index, expected] of [
    [5, [5]],
    [undefined, []],
  ] as const) {
    const { queue, done } = queueWith(
      () => true,
      () => index,
    );
    queue.add(leaf, record);
    queue.unknown(leaf);
    await emptied(queue);
    assert.equal(done, [...expected]);
  }
});

test('as long as that cannot be found out, it waits', async () => {
  let asked = 0;
  const { queue, done } = queueWith(
    () => true,
    () => {
      if (++asked < 4) throw new Error('the store does not answer');
      return 3;
    },
  );
  queue.add(leaf, record);
  queue.unknown(leaf);
  await emptied(queue);
  assert.equal([asked, done], [4, [3]]);
});

test('a refused correction erases nothing, and a stopped queue tries nothing', async () => {
  const { queue, done } = queueWith(
    () => true,
    () => 1,
  );
  queue.add(leaf, record);
  queue.refused(leaf);
  assert.ok(queue.isEmpty);
  queue.add(leaf, record);
  queue.unknown(leaf);
  queue.stop();
  await pause(5 * SHORT);
  assert.equal([queue.isEmpty, done], [false, []]);
});

test('of one correction that is under way twice, the refused one does not take the other with it', async () => {
  const { queue, done } = queueWith(
    () => true,
    () => undefined,
  );
  queue.add(leaf, record);
  queue.add(leaf, record);
  queue.refused(leaf);
  assert.not(queue.isEmpty, 'no snapshot passes over it');
  await queue.carryOut(leaf, 4, record);
  assert.ok(queue.isEmpty);
  assert.equal(done, [4]);
});

test('a correction that is sent again while it is looked for is not forgotten with what was not logged', async () => {
  let answer: (index: number | undefined) => void = () => undefined;
  const done: number[] = [];
  const queue = new ErasureQueue(
    { carryOut: async (index) => void done.push(index) },
    { indexOf: () => new Promise((resolve) => (answer = resolve)) },
    SHORT,
  );
  queue.add(leaf, record);
  queue.unknown(leaf);
  await pause(3 * SHORT);
  queue.add(leaf, record);
  answer(undefined);
  await pause(SHORT);
  assert.not(queue.isEmpty);
  // The second one's fate is not known either, and this time it is logged.
  queue.unknown(leaf);
  await pause(3 * SHORT);
  answer(6);
  await emptied(queue);
  assert.equal(done, [6]);
});

test.run();
