import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { entryPackages, formatEntryPackage, MerkleInputError } from '../src/index.js';

const refused = (error: unknown): boolean => error instanceof MerkleInputError;

test('an upload is cut at multiples of 256', () => {
  const cut = (start: number, end: number) =>
    [...entryPackages(start, end)].map(({ first, start: a, end: b }) => [first, a, b]);
  assert.equal(cut(0, 0), []);
  assert.equal(cut(700, 700), []);
  assert.equal(cut(0, 256), [[0, 0, 256]]);
  assert.equal(cut(255, 257), [
    [0, 255, 256],
    [256, 256, 257],
  ]);
  assert.equal(cut(300, 600), [
    [256, 300, 512],
    [512, 512, 600],
  ]);
  for (const [start, end] of [
    [1, 0],
    [-1, 3],
    [0.5, 3],
    [0, 2 ** 53],
  ])
    assert.throws(() => cut(start, end), refused);
});

test('the packages are those of the formulas in the specification', () => {
  fc.assert(
    fc.property(fc.nat(5000), fc.nat(5000), (start, length) => {
      const end = start + length;
      const roundedStart = start - (start % 256);
      const roundedEnd = Math.ceil(end / 256) * 256;
      const count = length === 0 ? 0 : (roundedEnd - roundedStart) / 256;
      const expected = Array.from({ length: count }, (_, i) => ({
        first: roundedStart + i * 256,
        start: Math.max(start, roundedStart + i * 256),
        end: Math.min(end, roundedStart + (i + 1) * 256),
      }));
      assert.equal([...entryPackages(start, end)], expected);
    }),
  );
});

test('a package holds its entries and its proof', () => {
  const hash = new Uint8Array(32).fill(5);
  const bytes = formatEntryPackage([Uint8Array.of(1, 2), new Uint8Array(0)], [hash]);
  assert.equal(bytes, Uint8Array.of(0, 2, 1, 2, 0, 0, 1, ...hash));
  assert.is(formatEntryPackage([new Uint8Array(65_535)], []).length, 65_538);
  assert.throws(() => formatEntryPackage([new Uint8Array(65_536)], []), refused);
  assert.throws(() => formatEntryPackage(Array(257).fill(new Uint8Array(0)), []), refused);
  assert.throws(() => formatEntryPackage([], Array(64).fill(hash)), refused);
  assert.throws(() => formatEntryPackage([], [new Uint8Array(31)]), refused);
});

test.run();
