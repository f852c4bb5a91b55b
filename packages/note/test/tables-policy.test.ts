import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Ed25519, portableEd25519 } from '../src/index.js';
import { nodeEd25519 } from '../src/node/index.js';
import { createTableEd25519, type SignedMessage, TableMismatchError } from '../src/tables/index.js';
import { seed } from './fixtures.js';

/** An implementation that counts what it is asked, and lies when it is told to. */
function watched(): Ed25519 & { asked: number; lie: boolean } {
  const base = {
    ...nodeEd25519,
    asked: 0,
    lie: false,
    verify(...args: Parameters<Ed25519['verify']>) {
      base.asked++;
      return nodeEd25519.verify(...args) !== base.lie;
    },
  };
  return base;
}

function signed(key: string, number = 0): SignedMessage {
  const own = seed(key);
  const message = seed(`message ${number}`);
  return { publicKey: nodeEd25519.publicKey(own), message, signature: nodeEd25519.sign(own, message) };
}

const many = (key: string, count: number): SignedMessage[] => Array.from({ length: count }, (_, i) => signed(key, i));
const invalid = (key: string): SignedMessage => ({ ...signed(key), message: seed('another message') });

/** How many of these signatures the base was asked about. */
function askedFor(base: { asked: number }, verify: () => unknown): number {
  const before = base.asked;
  verify();
  return base.asked - before;
}

const nextCheck = (): number => 64;

test('a key gets its table after 24 valid signatures, and memory is taken only then', () => {
  const base = watched();
  const tables = createTableEd25519(base, { nextCheck });
  assert.is(
    askedFor(base, () => tables.verifyMany(many('recurs', 24))),
    24,
  );
  assert.is(tables.tableBytes, 0);
  assert.is(
    askedFor(base, () => tables.verifyMany(many('recurs', 10))),
    0,
  );
  const one = tables.tableBytes;
  assert.ok(one > 0 && one < 2 ** 20, `${one} bytes`);
  tables.verifyMany(many('another', 25));
  const growth = tables.tableBytes - one;
  assert.ok(growth >= 1376 * 128 - 65_536 && growth <= 1376 * 128 + 65_536, `${growth} bytes for one more`);
});

test('one by one and many at once count alike, also in the middle of a batch', () => {
  const base = watched();
  const tables = createTableEd25519(base, { nextCheck, after: 5 });
  const items = [...many('a', 8), ...many('b', 3), ...many('a', 2)];
  assert.equal(tables.verifyMany(items), new Array(13).fill(true));
  assert.is(base.asked, 5 + 3);
  for (const { publicKey, message, signature } of many('b', 4)) assert.is(tables.verify(publicKey, message, signature), true);
  assert.is(base.asked, 5 + 5);
});

test('signatures that do not hold earn no table', () => {
  const base = watched();
  const tables = createTableEd25519(base, { nextCheck, after: 3 });
  for (let i = 0; i < 10; i++) assert.equal(tables.verifyMany([invalid('victim')]), [false]);
  assert.is(base.asked, 10);
  assert.is(tables.tableBytes, 0);
});

test('what tables find invalid is asked of the base', () => {
  const base = watched();
  const tables = createTableEd25519(base, { nextCheck, after: 1 });
  tables.verifyMany(many('k', 2));
  const malleable = signed('k');
  malleable.signature[63] |= 0xf0;
  const short = { ...signed('k'), signature: signed('k').signature.subarray(0, 63) };
  const items = [signed('k'), invalid('k'), malleable, short];
  assert.is(
    askedFor(base, () => assert.equal(tables.verifyMany(items), [true, false, false, false])),
    3,
  );
});

test('a base that finds valid what tables find invalid is a mismatch, and no verdict', () => {
  const base = watched();
  const tables = createTableEd25519(base, { nextCheck, after: 1 });
  tables.verifyMany(many('k', 2));
  base.lie = true;
  for (const item of [invalid('k'), { ...signed('k'), signature: new Uint8Array(64).fill(0xff) }]) {
    assert.throws(
      () => tables.verifyMany([signed('k'), item]),
      (error: unknown) =>
        error instanceof TableMismatchError &&
        error.code === 'note/table-mismatch' &&
        error.message === 'two computations of a signature differ: the machine cannot be trusted',
    );
  }
});

test('one in so many signatures that tables find valid is asked of the base, and a difference is a mismatch', () => {
  const base = watched();
  const tables = createTableEd25519(base, { nextCheck, after: 1 });
  tables.verifyMany([signed('k')]);
  assert.is(
    askedFor(base, () => tables.verifyMany(many('k', 63))),
    0,
  );
  assert.is(
    askedFor(base, () => tables.verifyMany([signed('k')])),
    1,
  );
  assert.is(
    askedFor(base, () => tables.verifyMany(many('k', 130))),
    2,
  );
  base.lie = true;
  // 2 of the next 64 are counted already.
  assert.equal(tables.verifyMany(many('k', 61)), new Array(61).fill(true));
  assert.throws(
    () => tables.verifyMany([signed('k')]),
    (error: unknown) => error instanceof TableMismatchError,
  );
});

test('which valid signatures are asked of the base cannot be foreseen, and is one in 64 or so', () => {
  const asked = Array.from({ length: 4 }, () => {
    const base = watched();
    const tables = createTableEd25519(base, { after: 1 });
    tables.verifyMany([signed('k')]);
    return Array.from({ length: 2000 }, (_, i) => (askedFor(base, () => tables.verifyMany([signed('k')])) > 0 ? i : -1))
      .filter((i) => i >= 0)
      .join(' ');
  });
  assert.is(new Set(asked).size, 4);
  for (const places of asked) {
    const count = places.split(' ').length;
    // 31 are expected; each pause is 1 to 128 with equal probability, which deviates by some 3.
    assert.ok(count > 14 && count < 56, `${count} of 2000`);
    assert.ok(places.split(' ').every((place, i, all) => Number(place) - Number(all[i - 1] ?? -1) <= 128));
  }
});

test('the key that was used longest ago makes way, and has to earn another table', () => {
  const base = watched();
  const tables = createTableEd25519(base, { nextCheck, after: 1, tables: 2 });
  for (const key of ['a', 'b']) tables.verifyMany(many(key, 2));
  const size = tables.tableBytes;
  assert.is(
    askedFor(base, () => tables.verifyMany([signed('a'), ...many('c', 2)])),
    1,
    'c takes the place of b',
  );
  assert.is(
    askedFor(base, () => tables.verifyMany([signed('a'), signed('c')])),
    0,
  );
  assert.is(
    askedFor(base, () => tables.verifyMany(many('b', 2))),
    1,
    'b takes the place of a',
  );
  assert.is(
    askedFor(base, () => tables.verifyMany([signed('c'), signed('a')])),
    1,
  );
  assert.is(tables.tableBytes, size);
});

test('a table may make way while sums of its key wait in the same batch', () => {
  const tables = createTableEd25519(nodeEd25519, { after: 0, tables: 1 });
  const items = ['a', 'b', 'c', 'a', 'b', 'c'].flatMap((key, i) =>
    i % 2 === 0 ? [signed(key, i)] : [invalid(key), signed(key, i)],
  );
  assert.equal(
    tables.verifyMany(items),
    items.map(({ publicKey, message, signature }) => portableEd25519.verify(publicKey, message, signature)),
  );
});

test('the counts of keys are bounded: a key that was forgotten begins anew', () => {
  const base: Ed25519 = { ...nodeEd25519, verify: () => true };
  const tables = createTableEd25519(base, { nextCheck, after: 2 });
  const any = signed('any');
  const with32 = (number: number): SignedMessage => {
    const publicKey = any.publicKey.slice();
    new DataView(publicKey.buffer).setUint32(4, number);
    return { ...any, publicKey };
  };
  tables.verifyMany([any]);
  tables.verifyMany(Array.from({ length: 4096 }, (_, i) => with32(i)));
  tables.verifyMany([any, any]);
  assert.is(tables.tableBytes, 0);
  tables.verifyMany([any]);
  assert.ok(tables.tableBytes > 0);
});

test('unacceptable keys never get a table', () => {
  const base = watched();
  const tables = createTableEd25519(base, { nextCheck, after: 0 });
  const keys = [0, 31, 33].map((length) => new Uint8Array(length).fill(9));
  const weak = [
    new Uint8Array(32),
    Uint8Array.of(1, ...new Uint8Array(31)),
    new Uint8Array(32).fill(0xff),
    Uint8Array.of(2, ...new Uint8Array(31)),
  ];
  const items = [...keys, ...weak].map((publicKey) => ({ ...signed('x'), publicKey }));
  assert.equal(tables.verifyMany(items), new Array(items.length).fill(false));
  assert.is(base.asked, items.length);
  assert.is(tables.tableBytes, 0);
});

test('keys and signatures are those of the base, and its name says so', () => {
  const tables = createTableEd25519(nodeEd25519);
  const own = seed('own');
  assert.equal(tables.publicKey(own), nodeEd25519.publicKey(own));
  assert.equal(tables.sign(own, seed('m')), nodeEd25519.sign(own, seed('m')));
  assert.is(tables.name, 'tables in WebAssembly, node:crypto');
});

test.run();
