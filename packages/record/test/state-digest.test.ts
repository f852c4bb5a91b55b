import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { stateDigest } from '../src/index.js';
import { digestOf } from './examples.js';

const plain = (...parts: readonly Uint8Array[]): Uint8Array =>
  new Uint8Array(
    createHash('sha256')
      .update(Buffer.concat([Buffer.from('treering/state/v1', 'ascii'), ...parts]))
      .digest(),
  );
const part = fc.uint8Array({ minLength: 32, maxLength: 32 });

test('the state digest is SHA-256 over context, model, config and image', () => {
  fc.assert(
    fc.property(part, part, part, (model, config, image) => {
      assert.equal(stateDigest(model, config, image), plain(model, config, image));
      assert.equal(stateDigest(model, config), plain(model, config, new Uint8Array(32)));
    }),
    { seed: 42, numRuns: 100 },
  );
});

test('the parts do not stand for each other', () => {
  const [a, b, c] = [1, 2, 3].map(digestOf);
  const all = [stateDigest(a, b, c), stateDigest(b, a, c), stateDigest(a, c, b), stateDigest(a, b), stateDigest(c, b, a)];
  assert.is(new Set(all.map((d) => Buffer.from(d).toString('hex'))).size, all.length);
});

test('parts that are not 32 bytes are refused', () => {
  const good = digestOf(1);
  for (const size of [0, 31, 33, 64]) {
    const bad = new Uint8Array(size);
    for (const parts of [
      [bad, good],
      [good, bad],
      [good, good, bad],
    ] as [Uint8Array, Uint8Array, Uint8Array?][]) {
      assert.throws(
        () => stateDigest(...parts),
        (error: unknown) => error instanceof RangeError && /32 bytes/.test(error.message),
        `${size} bytes`,
      );
    }
  }
});

test.run();
