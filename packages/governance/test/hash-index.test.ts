import { sha256 } from '@noble/hashes/sha2.js';
import { hex } from '@treering/note';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { HashIndex } from '../src/hash-index.js';

const hashOf = (n: number): Uint8Array => sha256(Uint8Array.of(n >> 16, n >> 8, n));

test('it finds what a map finds, however often entries are taken back', () => {
  const steps = fc.array(fc.oneof(fc.nat({ max: 400 }), fc.constant('back' as const)), { maxLength: 300 });
  fc.assert(
    fc.property(steps, (list) => {
      const index = new HashIndex();
      const naive = new Map<string, number>();
      const undos: (() => void)[] = [];
      for (const step of list) {
        if (step === 'back') undos.pop()?.();
        else if (index.get(hashOf(step)) === undefined) {
          const undo = index.add(hashOf(step), step * 7);
          naive.set(hex(hashOf(step)), step * 7);
          undos.push(() => {
            undo();
            naive.delete(hex(hashOf(step)));
          });
        }
        assert.is(index.size, naive.size);
      }
      for (const again of [index, new HashIndex(index.bytes)])
        for (let n = 0; n <= 400; n++) assert.is(again.get(hashOf(n)), naive.get(hex(hashOf(n))));
    }),
    { seed: 7, numRuns: 100 },
  );
});

test('the rows of a moment stay as they were while others come and go behind them', () => {
  const index = new HashIndex();
  for (let n = 0; n < 50; n++) index.add(hashOf(n), n);
  const rows = index.bytes;
  const copy = rows.slice();
  for (let round = 0; round < 5; round++) {
    const undos = Array.from({ length: 40 }, (_, n) => index.add(hashOf(1000 + round * 100 + n), n));
    if (round % 2 === 0) for (const undo of undos.reverse()) undo();
  }
  assert.equal(rows, copy);
  assert.is(index.size, 130);
  // A part of a file that was read as a whole: the index does not hold on to it.
  const file = Buffer.concat([Buffer.alloc(1000), copy]);
  const again = new HashIndex(file.subarray(1000));
  file.fill(0);
  assert.equal(again.bytes, copy);
  assert.is(again.bytes.buffer.byteLength, copy.length);
});

test('hashes that begin alike are told apart', () => {
  const [one, two, three] = [1, 2, 3].map((last) => new Uint8Array(32).fill(9).fill(last, 15));
  const index = new HashIndex();
  const undo = [one, two].map((hash, i) => index.add(hash, i));
  assert.equal(
    [one, two, three].map((hash) => index.get(hash)),
    [0, 1, undefined],
  );
  undo[1]();
  assert.equal(
    [one, two, three].map((hash) => index.get(hash)),
    [0, undefined, undefined],
  );
});

test('rows that are cut off, and an index that no row can hold, are refused', () => {
  const index = new HashIndex();
  index.add(hashOf(1), 0xffff_ffff);
  assert.is(new HashIndex(index.bytes).get(hashOf(1)), 0xffff_ffff);
  assert.throws(() => new HashIndex(index.bytes.subarray(1)), RangeError);
  assert.throws(() => index.add(hashOf(2), 2 ** 32), RangeError);
});

test.run();
