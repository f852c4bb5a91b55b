import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createAttachment, openAttachment, SALT_SIZE, validateRecord } from '../src/index.js';
import { EXAMPLES } from './examples.js';
import { refuses } from './expect-error.js';

const about = { name: 'reports/fairness.pdf', media_type: 'application/pdf', access: 'restricted' } as const;
const salt = fc.uint8Array({ minLength: SALT_SIZE, maxLength: SALT_SIZE });
const content = fc.uint8Array({ maxLength: 200 });
const sha256 = (...parts: readonly Uint8Array[]): Uint8Array =>
  new Uint8Array(createHash('sha256').update(Buffer.concat(parts)).digest());

test('a blob is 16 bytes of salt and the content, and its digest covers both', () => {
  assert.is(SALT_SIZE, 16);
  fc.assert(
    fc.property(salt, content, (s, c) => {
      const { ref, blob } = createAttachment(c, about, s);
      assert.equal(blob, Uint8Array.of(...s, ...c));
      assert.equal(ref, { ...about, size: c.length, digest: sha256(s, c) });
      assert.equal(openAttachment(blob, ref), c);
    }),
    { seed: 42, numRuns: 200 },
  );
});

test('a record can name what was made', () => {
  const { ref } = createAttachment(Uint8Array.of(1, 2, 3), about, new Uint8Array(SALT_SIZE));
  assert.equal(validateRecord({ ...EXAMPLES.incident.minimal, attachments: [ref] }).attachments, [ref]);
});

test('the same content under another salt has another digest', () => {
  const [a, b] = [1, 2].map((fill) => createAttachment(Uint8Array.of(7), about, new Uint8Array(SALT_SIZE).fill(fill)));
  assert.not.equal(a.ref.digest, b.ref.digest);
  refuses(() => openAttachment(a.blob, b.ref), 'record/invalid', 'the blob of another salt', /digest/);
});

test('a salt of another length is refused', () => {
  for (const size of [0, 15, 17, 32]) {
    refuses(() => createAttachment(Uint8Array.of(1), about, new Uint8Array(size)), 'record/invalid', `${size} bytes`, /salt/);
  }
});

test('any other byte, and any byte more or less, is refused', () => {
  fc.assert(
    fc.property(salt, content, fc.nat(), fc.integer({ min: 1, max: 255 }), (s, c, at, flip) => {
      const { ref, blob } = createAttachment(c, about, s);
      const flipped = new Uint8Array(blob);
      flipped[at % blob.length] ^= flip;
      refuses(() => openAttachment(flipped, ref), 'record/invalid', 'a flipped byte');
      refuses(() => openAttachment(blob.subarray(1), ref), 'record/invalid', 'a byte less in front');
      refuses(() => openAttachment(blob.subarray(0, -1), ref), 'record/invalid', 'a byte less');
      refuses(() => openAttachment(Uint8Array.of(...blob, 0), ref), 'record/invalid', 'a byte more');
    }),
    { seed: 42, numRuns: 100 },
  );
});

test('a size that is not that of the content is refused though the digest fits', () => {
  const { ref, blob } = createAttachment(Uint8Array.of(1, 2, 3), about, new Uint8Array(SALT_SIZE));
  for (const size of [0, 2, 4, 19])
    refuses(() => openAttachment(blob, { ...ref, size }), 'record/invalid', `size ${size}`, /size/);
  const short = Uint8Array.of(1, 2, 3);
  refuses(
    () => openAttachment(short, { ...ref, size: 0, digest: sha256(short) }),
    'record/invalid',
    'a blob without salt',
    /size/,
  );
});

test('a digest that is not 32 bytes fits nothing', () => {
  const { ref, blob } = createAttachment(Uint8Array.of(1, 2, 3), about, new Uint8Array(SALT_SIZE));
  for (const digest of [
    new Uint8Array(0),
    ref.digest.subarray(0, 1),
    ref.digest.subarray(0, 31),
    Uint8Array.of(...ref.digest, 0),
  ]) {
    refuses(() => openAttachment(blob, { ...ref, digest }), 'record/invalid', `a digest of ${digest.length} bytes`);
  }
});

test.run();
