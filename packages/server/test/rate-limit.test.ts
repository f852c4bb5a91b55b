import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { clientOf, RateLimit } from '../src/index.js';

test('a bucket gives its burst at once, and then so many in a second', () => {
  const limit = new RateLimit(2, 3);
  assert.equal(
    [0, 0, 0, 0].map(() => limit.take('a', 1, 0)),
    [0, 0, 0, 1],
  );
  assert.is(limit.take('a', 1, 499), 1);
  assert.is(limit.take('a', 1, 500), 0);
  assert.is(limit.take('b', 1, 500), 0, 'another client has a bucket of its own');
  assert.is(limit.take('b', 10, 500), 1, 'what costs more than the burst waits for the burst');
  assert.is(limit.take('b', 10, 1000), 0);
});

test('without a rate nothing is refused, and nothing is remembered', () => {
  const limit = new RateLimit(0, 1);
  assert.is(limit.isOn, false);
  for (let i = 0; i < 100; i++) assert.is(limit.take('a', 1000, 0), 0);
  assert.is(new RateLimit(1, 1).isOn, true);
});

test('of many clients the longest unused is forgotten: memory has a bound, and who comes again and again stays limited', () => {
  const limit = new RateLimit(1, 1);
  limit.take('busy', 1, 0);
  for (let i = 0; i < 30_000; i++) {
    assert.is(limit.take(`client ${i}`, 1, 0), 0);
    if (i % 5000 === 0) assert.is(limit.take('busy', 1, 0), 1);
  }
  assert.is(limit.take('client 29999', 1, 0), 1, 'one that came just now is remembered');
  assert.is(limit.take('client 0', 1, 0), 0, 'one of long ago is not');
});

test('an address of IPv6 counts as its network of 64 bits, and one of IPv4 as itself, however it is written', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:db8:0:12::1', '2001:db8:0:12::/64'],
    ['2001:db8:0:12:ffff:ffff:ffff:ffff', '2001:db8:0:12::/64'],
    ['2001:0db8:0000:0012::', '2001:db8:0:12::/64'],
    ['2001:db8::13:0:0:0:1', '2001:db8:0:13::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['64:ff9b::192.0.2.7', '64:ff9b:0:0::/64'],
    ['unknown', 'unknown'],
  ];
  for (const [address, client] of cases) assert.is(clientOf(address), client, address);
});

test.run();
