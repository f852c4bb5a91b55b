import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { keepUp, type Supervised } from '../src/supervised.js';

// Time passes only while something waits or runs.
function table() {
  let now = 0;
  const said: string[] = [];
  const pauses: number[] = [];
  const over = new AbortController();
  return {
    said,
    pauses,
    over,
    server: (lifetime: number, code = 1): Supervised => ({
      label: 'witness-1',
      ready: {},
      get ended() {
        now += lifetime;
        return Promise.resolve(code);
      },
      stop: () => Promise.resolve(),
    }),
    parts: {
      say: (text: string) => void said.push(text),
      signal: over.signal,
      clock: () => now,
      wait: (milliseconds: number) => {
        pauses.push(milliseconds / 1000);
        now += milliseconds;
        return Promise.resolve();
      },
    },
  };
}

test('a server that cannot start is tried after longer and longer pauses, and its name and each cause are said once', async () => {
  const { said, pauses, over, server, parts } = table();
  let tries = 0;
  await keepUp(server(10, 137), {
    ...parts,
    start: () => {
      if (++tries === 9) over.abort();
      return Promise.reject(new Error(`witness-1 does not start at 127.0.0.1:1: ${tries < 5 ? 'one cause' : 'another'}`));
    },
    replace: () => assert.unreachable(),
  });
  assert.equal(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
  assert.equal(said, [
    'witness-1 ended with code 137; it is started again.',
    'witness-1 does not start at 127.0.0.1:1: one cause; it is tried again.',
    'witness-1 does not start at 127.0.0.1:1: another; it is tried again.',
  ]);
});

test('a server that starts and soon ends again is no recovered one; after a minute it is', async () => {
  const { said, pauses, over, server, parts } = table();
  const lives = [10, 10, 10, 60_000, 10];
  const replaced: Supervised[] = [];
  await keepUp(server(10), {
    ...parts,
    start: () => {
      const life = lives.shift();
      if (life === undefined) over.abort();
      return Promise.resolve(server(life ?? 0));
    },
    replace: (again) => void replaced.push(again),
  });
  assert.equal(pauses, [1, 2, 4, 8, 1, 2]);
  assert.is(replaced.length, 6);
  assert.equal(said, [
    'witness-1 ended with code 1; it is started again.',
    'witness-1 ended with code 1; it is started again.',
  ]);
});

test.run();
