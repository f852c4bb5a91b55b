import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Turns } from '../src/turns.js';

test('so much is under way at once and no more, in the order in which it came; what fails makes room', async () => {
  const turns = new Turns(3);
  const began: number[] = [];
  let underWay = 0;
  let most = 0;
  const works = Array.from({ length: 20 }, (_, i) =>
    turns.take(async () => {
      began.push(i);
      most = Math.max(most, ++underWay);
      await new Promise((resolve) => setImmediate(resolve));
      underWay--;
      if (i % 5 === 0) throw new Error(`work ${i}`);
      return i;
    }),
  );
  const outcomes = await Promise.allSettled(works);
  assert.equal(
    outcomes.map((outcome, i) =>
      outcome.status === 'fulfilled' ? outcome.value === i : outcome.reason.message === `work ${i}`,
    ),
    new Array(20).fill(true),
  );
  assert.equal(
    began,
    Array.from({ length: 20 }, (_, i) => i),
  );
  assert.is(most, 3);
  assert.is(await turns.take(async () => 'later'), 'later');
});

test('others have their turn of the event loop between the works', async () => {
  const turns = new Turns(1);
  const order: string[] = [];
  const works = [1, 2, 3].map((i) =>
    turns.take(async () => {
      order.push(`work ${i}`);
    }),
  );
  setImmediate(() => order.push('another'));
  await Promise.all(works);
  assert.ok(order.indexOf('another') < 2, order.join(', '));
});

test.run();
