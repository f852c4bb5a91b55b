import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Turns } from '../src/turns.js';

test('one piece of work at a time, and what cannot wait goes first', async () => {
  const turns = new Turns();
  const done: string[] = [];
  let release = (): void => undefined;
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  let running = 0;
  const work =
    (name: string, until = Promise.resolve()) =>
    async (): Promise<string> => {
      assert.is(++running, 1);
      await until;
      running--;
      done.push(name);
      return name;
    };
  const all = [
    turns.take(work('visitor 1', gate), false),
    turns.take(work('visitor 2'), false),
    turns.take(work('visitor 3'), false),
    turns.take(work('poll'), true),
  ];
  assert.is(turns.waiting, 2);
  release();
  assert.equal(await Promise.all(all), ['visitor 1', 'visitor 2', 'visitor 3', 'poll']);
  assert.equal(done, ['visitor 1', 'poll', 'visitor 2', 'visitor 3']);
  assert.is(turns.waiting, 0);
});

test('a piece of work that fails keeps nobody waiting', async () => {
  const turns = new Turns();
  const failed = turns.take(() => Promise.reject(new Error('no')), true).catch((error: Error) => error.message);
  assert.is(await turns.take(async () => 'yes', false), 'yes');
  assert.is(await failed, 'no');
});

test.run();
