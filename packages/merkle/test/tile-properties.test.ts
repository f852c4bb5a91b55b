import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  bundlePath,
  formatEntryBundle,
  MAX_SIZE,
  MerkleInputError,
  parseEntryBundle,
  parseTilePath,
  type TileId,
  type TilePath,
  tilePath,
  tilesForGrowth,
  tileWidth,
} from '../src/index.js';
import { throwsA, verdictOf } from './refusal.js';

const OPTIONS = { seed: 42, numRuns: 2000 };
const indices = fc.oneof(
  fc.nat({ max: 1_000_000 }),
  fc.maxSafeNat(),
  fc.constantFrom(0, 999, 1000, 999_999, 1_000_000, MAX_SIZE),
);
const widths = fc.integer({ min: 1, max: 256 });
const tiles: fc.Arbitrary<TileId> = fc.record(
  { level: fc.integer({ min: 0, max: 63 }), index: indices, width: widths },
  { noNullPrototype: true },
);
const write = (path: TilePath): string => (path.kind === 'tile' ? tilePath(path.tile) : bundlePath(path.bundle));

test('parseTilePath reads what tilePath and bundlePath write', () => {
  fc.assert(
    fc.property(tiles, (tile) => {
      assert.equal(parseTilePath(tilePath(tile)), { kind: 'tile', tile });
      const { level: _, ...bundle } = tile;
      assert.equal(parseTilePath(bundlePath(bundle)), { kind: 'entries', bundle });
    }),
    OPTIONS,
  );
});

/** Text is either the one spelling of a path, or refused as bad input. */
function checkPath(text: string): boolean {
  let parsed: TilePath | undefined;
  const verdict = verdictOf(() => {
    parsed = parseTilePath(text);
  });
  if (parsed === undefined) assert.ok(verdict === MerkleInputError, JSON.stringify(text));
  else assert.is(write(parsed), text, 'one spelling for each tile');
  return parsed !== undefined;
}

test('any text is either the one spelling of a tile path or bad input', () => {
  const pieces = [
    'tile',
    'entries',
    '/',
    'x',
    '.p/',
    '0',
    '1',
    '63',
    '64',
    '000',
    '001',
    'x001',
    '255',
    '256',
    '..',
    '%2e',
    '\n',
    ' ',
    '+',
    '-',
    '٣',
  ];
  const texts = fc.oneof(
    fc.string(),
    fc.string({ unit: 'binary' }),
    fc.array(fc.constantFrom(...pieces)).map((p) => p.join('')),
  );
  fc.assert(
    fc.property(texts, (text) => void checkPath(text)),
    { ...OPTIONS, numRuns: 3000 },
  );
});

test('a mutated tile path is another tile in its one spelling, or bad input', () => {
  let accepted = 0;
  const edits = fc.tuple(
    tiles,
    fc.boolean(),
    fc.nat(),
    fc.nat({ max: 2 }),
    fc.constantFrom(...'0159x/.p \n', 'tile/', '000/', ''),
  );
  fc.assert(
    fc.property(edits, ([tile, entries, place, cut, insert]) => {
      const path = entries ? bundlePath(tile) : tilePath(tile);
      const at = place % (path.length + 1);
      if (checkPath(path.slice(0, at) + insert + path.slice(at + cut))) accepted++;
    }),
    { ...OPTIONS, numRuns: 3000 },
  );
  assert.ok(accepted > 100, 'some mutations are paths of other tiles');
});

test('paths with a second spelling, out of range or with anything around them are refused', () => {
  const bad = [
    '',
    '/tile/0/000',
    'tile/0/000/',
    'tile/0/000\n',
    'tile/00/000',
    'tile/-1/000',
    'tile/64/000',
    'tile/0/0',
    'tile/0/0000',
    'tile/0/x000/001',
    'tile/0/001/x002',
    'tile/0/X001/002',
    'tile/0/000.p/0',
    'tile/0/000.p/01',
    'tile/0/000.p/256',
    'tile/0/000.p/300',
    'tile/0/000.p',
    'tile/0/../000',
    'tile/Entries/000',
    'tile/entries/x009/x007/x199/x254/x740/992', // 2^53
    'tile/entries/x999/x999/x999/x999/x999/x999/999',
  ];
  for (const path of bad) throwsA(MerkleInputError, () => parseTilePath(path), JSON.stringify(path));
  const last = { index: MAX_SIZE, width: 256 };
  assert.equal(parseTilePath('tile/entries/x009/x007/x199/x254/x740/991'), { kind: 'entries', bundle: last });
});

test('growth in steps makes the tiles that growth at once makes, at their last width', () => {
  const sizes = fc.array(fc.nat({ max: 200_000 }), { minLength: 1, maxLength: 6 }).map((s) => s.sort((a, b) => a - b));
  fc.assert(
    fc.property(sizes, (steps) => {
      const widest = new Map<string, number>();
      let before = 0;
      for (const size of steps) {
        for (const { level, index, width } of tilesForGrowth(before, size)) {
          assert.is(width, tileWidth(size, level, index));
          const key = `${level}/${index}`;
          assert.ok(width > (widest.get(key) ?? 0), `tile ${key} is made again without having grown`);
          widest.set(key, width);
        }
        before = size;
      }
      const once = tilesForGrowth(0, before).map(({ level, index, width }): [string, number] => [`${level}/${index}`, width]);
      assert.equal(new Map([...widest].sort()), new Map(once.sort()));
    }),
    { ...OPTIONS, numRuns: 40 },
  );
});

const entries = fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 12 });

test('an entry bundle reads back as it was written', () => {
  fc.assert(
    fc.property(entries, (list) => {
      const bundle = formatEntryBundle(list);
      assert.is(
        bundle.length,
        list.reduce((sum, entry) => sum + 2 + entry.length, 0),
      );
      assert.equal(parseEntryBundle(bundle, list.length), list);
    }),
    { ...OPTIONS, numRuns: 500 },
  );
  const longest = [new Uint8Array(65_535).fill(7), new Uint8Array(0)];
  assert.equal(parseEntryBundle(formatEntryBundle(longest), 2), longest);
  assert.is(parseEntryBundle(formatEntryBundle(Array(256).fill(Uint8Array.of(1))), 256).length, 256);
});

test('a bundle cut short, with bytes left over or of another width is refused', () => {
  fc.assert(
    fc.property(entries, fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 5 }), (list, place, extra) => {
      const bundle = formatEntryBundle(list);
      const cut = place % bundle.length;
      throwsA(MerkleInputError, () => parseEntryBundle(bundle.subarray(0, cut), list.length), `cut at ${cut}`);
      throwsA(MerkleInputError, () => parseEntryBundle(Uint8Array.of(...bundle, ...extra), list.length), 'bytes left over');
      throwsA(MerkleInputError, () => parseEntryBundle(bundle, list.length + 1), 'an entry missing');
      throwsA(MerkleInputError, () => parseEntryBundle(bundle, list.length - 1), 'an entry too many');
    }),
    { ...OPTIONS, numRuns: 500 },
  );
});

test('any bytes are either the one form of their entries or bad input', () => {
  let read = 0;
  const mutated = fc.tuple(entries, fc.nat(), fc.nat({ max: 255 })).map(([list, place, byte]) => {
    const bundle = formatEntryBundle(list.slice(0, 6).map((entry) => entry.subarray(0, 8)));
    bundle[place % bundle.length] = byte % 10;
    return bundle;
  });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 600 }), mutated), fc.integer({ min: 1, max: 6 }), (bytes, width) => {
      let parsed: Uint8Array[] | undefined;
      const verdict = verdictOf(() => {
        parsed = parseEntryBundle(bytes, width);
      });
      if (parsed === undefined) {
        assert.ok(verdict === MerkleInputError);
      } else {
        read++;
        assert.equal(formatEntryBundle(parsed), bytes);
      }
    }),
    { ...OPTIONS, numRuns: 3000 },
  );
  assert.ok(read > 50, 'some of the bytes are bundles');
});

test('a bundle of 257 entries and an entry of 65,536 bytes are refused', () => {
  throwsA(MerkleInputError, () => formatEntryBundle(Array(257).fill(new Uint8Array(0))));
  throwsA(MerkleInputError, () => formatEntryBundle([new Uint8Array(65_536)]));
  throwsA(MerkleInputError, () => parseEntryBundle(new Uint8Array(257 * 2), 257), 'reading 257 empty entries');
});

test.run();
