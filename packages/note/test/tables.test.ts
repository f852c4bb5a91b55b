import { createHash } from 'node:crypto';
import { Point } from '@noble/ed25519';
import { portableEd25519 } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BatchEd25519 } from '../bench/experiments/batch-ed25519.js';
import { instantiateEdwards } from '../bench/experiments/edwards-wasm.js';
import { LIMB_OFFSETS } from '../bench/experiments/field-wasm.js';
import type { SignedMessage } from '../bench/experiments/signed-message.js';
import { PointDecoder } from '../bench/experiments/subgroup.js';
import { TableEd25519 } from '../bench/experiments/table-ed25519.js';
import { haveVectors, vectorJson } from './vectors.js';

// The WebAssembly experiment of the benchmark `ed25519`: its arithmetic against BigInt, its verdicts against the portable rule.

const P = 2n ** 255n - 19n;
const L = 2n ** 252n + 27742317777372353535851937790883648493n;

const sha = (text: string): Uint8Array => new Uint8Array(createHash('sha256').update(text).digest());
const littleEndian = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
const le32 = (value: bigint): Uint8Array => new Uint8Array(Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse());
const join = (...parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));
const fromHex = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));

/** The eight points whose order divides 8; the one at index i is i times the first of order 8. */
const torsion: readonly Point[] = (() => {
  const eighth = Point.fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05');
  const points = [Point.ZERO];
  for (let i = 1; i < 8; i++) points.push(points[i - 1].add(eighth));
  return points;
})();

function decodePoint(bytes: Uint8Array): Point | undefined {
  try {
    return Point.fromBytes(bytes);
  } catch {
    return undefined;
  }
}

interface Verifier {
  verifyMany(items: readonly SignedMessage[]): boolean[];
}

/** Every verifier, with room for so many keys. */
const verifiers = (keys: number): Readonly<Record<string, Verifier>> => ({
  tables: new TableEd25519(keys, 4),
  'batches of 64': new BatchEd25519(64, keys),
  'batches of 1': new BatchEd25519(1, keys),
});

/** Compares every verdict of every verifier with the portable implementation's, and returns how many hold. */
function sameVerdicts(items: readonly SignedMessage[], what: string): number {
  const keys = new Set(items.map(({ publicKey }) => Buffer.from(publicKey).toString('hex'))).size;
  const expected = items.map(({ publicKey, message, signature }) => portableEd25519.verify(publicKey, message, signature));
  for (const [name, verifier] of Object.entries(verifiers(keys))) {
    const verdicts = verifier.verifyMany(items);
    assert.equal(
      verdicts.flatMap((valid, index) => (valid === expected[index] ? [] : [index])),
      [],
      `${what}: ${name} differs in these`,
    );
    assert.is(verdicts.length, items.length);
  }
  return expected.filter((valid) => valid).length;
}

test('the field arithmetic is that of BigInt, from the smallest limbs to the largest', () => {
  const { memory, multiply, square, multiplyTimes, squareTimes, invert, toBytes } = instantiateEdwards(1);
  const view = new DataView(memory.buffer);
  const [a, b, out, bytes, scratch] = [0, 64, 128, 192, 256];
  const write = (at: number, value: (limb: number) => number): void =>
    LIMB_OFFSETS.forEach((_, limb) => {
      view.setInt32(at + 4 * limb, value(limb), true);
    });
  const read = (at: number): bigint =>
    LIMB_OFFSETS.reduce((sum, offset, limb) => sum + (BigInt(view.getInt32(at + 4 * limb, true)) << BigInt(offset)), 0n);
  const limbs = (value: bigint) => (limb: number) =>
    Number(BigInt.asUintN(limb % 2 === 0 ? 26 : 25, value >> BigInt(LIMB_OFFSETS[limb])));
  const residue = (value: bigint): bigint => ((value % P) + P) % P;
  const encoded = (at: number): bigint => {
    toBytes(bytes, at);
    return littleEndian(new Uint8Array(memory.buffer, bytes, 32));
  };
  // The largest factors that are allowed: sums of four products and of three, of one sign or of both.
  const extreme = (sign: number) => (limb: number) => sign * 4 * 2 ** (limb % 2 === 0 ? 26 : 25);
  const triple = (limb: number): number => 3 * 2 ** (limb % 2 === 0 ? 26 : 25);
  const alternating = (limb: number): number => (limb % 3 === 0 ? -1 : 1) * triple(limb);
  const edges = [0n, 1n, 18n, 19n, P - 1n, P, P + 1n, 2n ** 255n - 1n];
  const random = Array.from({ length: 64 }, (_, i) => littleEndian(sha(`field ${i}`)) >> 1n);
  const written = [extreme(1), extreme(-1), alternating, ...[...edges, ...random].map(limbs)];
  written.forEach((left, i) => {
    const right = written[(i * 7 + 3) % written.length];
    write(a, left);
    write(b, i < 2 ? triple : i === 2 ? alternating : right);
    multiply(out, a, b);
    assert.is(encoded(out), residue(read(a) * read(b)), `product ${i}`);
    assert.is(encoded(a), residue(read(a)), `encoding ${i}`);
    write(a, i < 2 ? triple : left);
    square(out, a);
    assert.is(encoded(out), residue(read(a) ** 2n), `square ${i}`);
    squareTimes(out, a, 3);
    multiplyTimes(out, a, 2);
    assert.is(encoded(out), residue(read(a) ** 10n), `chains ${i}`);
    invert(b, out, scratch);
    multiply(out, out, b);
    assert.is(encoded(out), residue(read(a)) === 0n ? 0n : 1n, `inverse ${i}`);
  });
});

test('a point is decoded as the portable implementation decodes it, and only multiples of the base point pass as such', () => {
  const module = instantiateEdwards(1);
  const [x, y, n, scratch] = [0, 64, 128, 192];
  const decoder = new PointDecoder(module, 1024);
  let outside = 0;
  for (let i = 0; i < 64; i++) {
    const bytes = sha(`point ${i}`);
    const point = decodePoint(bytes);
    assert.is(decoder.decode(bytes, x, y), point !== undefined, `point ${i}`);
    if (point === undefined) outside++;
  }
  assert.ok(outside > 10 && outside < 54);
  for (const bytes of [le32(P), le32(P + 1n), le32(1n | (1n << 255n)), le32((P - 1n) | (1n << 255n)), le32(2n ** 256n - 1n)]) {
    assert.is(decoder.decode(bytes, x, y), false);
  }
  torsion.forEach((small, order) => {
    for (let i = 0; i < 20; i++) {
      const point = i === 0 ? small : Point.BASE.multiply(littleEndian(sha(`multiple ${i}`)) % L).add(small);
      assert.is(decoder.decode(point.toBytes(), x, y), true);
      decoder.toInvert(n, x, y);
      module.invert(n + 512, n, scratch);
      // The two points with x = 0 cannot be told: they are multiples of everything that follows.
      if (i > 0 || order % 4 !== 0) assert.is(decoder.isPrimeOrder(x, y, n + 512), order === 0, `${i} + T${order}`);
    }
  });
});

test('with every window, valid signatures hold and one changed bit breaks them', () => {
  const seeds = [sha('a'), sha('b'), sha('c')];
  const items = Array.from({ length: 130 }, (_, i): SignedMessage => {
    const seed = seeds[i % seeds.length];
    const message = sha(`message ${i}`).subarray(0, i % 33);
    return { publicKey: nodeEd25519.publicKey(seed), message, signature: nodeEd25519.sign(seed, message) };
  });
  const broken = items.map((item, i): SignedMessage => {
    const signature = item.signature.slice();
    signature[((i * 13) % 512) >> 3] ^= 1 << (i % 8);
    return { ...item, signature };
  });
  const byWindow = [4, 5, 6, 7, 8].map((window) => new TableEd25519(seeds.length, window));
  const bySize = [1, 2, 16, 130].map((size) => new BatchEd25519(size, seeds.length));
  for (const verifier of [...byWindow, ...bySize]) {
    assert.equal(verifier.verifyMany(items), new Array(items.length).fill(true));
    assert.equal(verifier.verifyMany(broken), new Array(items.length).fill(false));
    assert.is(verifier.verifyMany([]).length, 0);
  }
  for (const size of [1, 2, 16, 130]) {
    const verifier = new BatchEd25519(size, seeds.length);
    verifier.verifyMany(items);
    assert.is(verifier.leftToNative, 0, 'valid signatures are decided by the equation');
    verifier.verifyMany(items.map((item, i) => (i === 129 ? { ...item, message: sha('another') } : item)));
    assert.ok(verifier.leftToNative > 0 && verifier.leftToNative <= 4, `beside a bad one: ${verifier.leftToNative}`);
  }
});

test('one bad signature among many is refused alone', () => {
  const seed = sha('one bad');
  const publicKey = nodeEd25519.publicKey(seed);
  const items = Array.from({ length: 70 }, (_, i): SignedMessage => {
    const message = sha(`${i}`);
    return { publicKey, message, signature: nodeEd25519.sign(seed, i === 66 || i === 3 ? sha('another') : message) };
  });
  assert.is(sameVerdicts(items, 'one bad'), 68);
});

test('keys and R with a part of small order: the equation without the cofactor decides', () => {
  const items: SignedMessage[] = [];
  torsion.forEach((ofKey, i) => {
    const a = littleEndian(sha(`a ${i}`)) % L;
    const publicKey = Point.BASE.multiply(a).add(ofKey).toBytes();
    torsion.forEach((ofR, j) => {
      for (let n = 0; n < 3; n++) {
        const r = n === 2 ? 0n : littleEndian(sha(`r ${i} ${j} ${n}`)) % L;
        const rBytes = (r === 0n ? ofR : Point.BASE.multiply(r).add(ofR)).toBytes();
        const message = sha(`m ${i} ${j} ${n}`);
        const digest = createHash('sha512').update(rBytes).update(publicKey).update(message).digest();
        const s = (r + (littleEndian(new Uint8Array(digest)) % L) * a) % L;
        items.push({ publicKey, message, signature: join(rBytes, le32(s)) });
      }
    });
  });
  const held = sameVerdicts(items, 'small order');
  assert.ok(held > 10 && held < 60, `${held} of ${items.length} hold`);
});

test('weak keys, second spellings, S from L up and wrong lengths are refused, beside a signature that holds', () => {
  const seed = sha('refused');
  const publicKey = nodeEd25519.publicKey(seed);
  const message = sha('m');
  const signature = nodeEd25519.sign(seed, message);
  const s = littleEndian(signature.subarray(32));
  const r = signature.subarray(0, 32);
  const neutral = Point.ZERO.toBytes();
  const refused: SignedMessage[] = [
    ...[s + L, s + 2n * L, L, 2n ** 256n - 1n].map((value) => ({ publicKey, message, signature: join(r, le32(value)) })),
    ...[0, 1, 31, 63].map((length) => ({ publicKey, message, signature: signature.subarray(0, length) })),
    { publicKey, message, signature: join(signature, Uint8Array.of(0)) },
    ...[1n, P - 1n, 0n, P, P + 1n, 1n | (1n << 255n), 2n].map((key) => ({
      publicKey: le32(key),
      message,
      signature: join(neutral, new Uint8Array(32)),
    })),
    ...[31, 33, 0].map((length) => ({ publicKey: new Uint8Array(length).fill(9), message, signature })),
  ];
  assert.is(sameVerdicts([...refused, { publicKey, message, signature }], 'refused'), 1);
});

test('a key beyond those that there is room for is an error, not a verdict', () => {
  const verifier = new TableEd25519(1);
  const [first, second] = [sha('first'), sha('second')].map((seed) => nodeEd25519.publicKey(seed));
  assert.type(verifier.load(first), 'number');
  assert.is(verifier.load(first), verifier.load(first.slice()));
  assert.throws(() => verifier.load(second), /room for 1 keys/);
  assert.is(verifier.load(new Uint8Array(32)), null);
  const item = { publicKey: second, message: sha('m'), signature: new Uint8Array(64) };
  assert.throws(() => new BatchEd25519(4, 1).verifyMany([item, { ...item, publicKey: first }]), /room for 1 keys/);
});

if (haveVectors) {
  test('third-party vectors: the portable verdict on each', () => {
    const cctv = vectorJson('cctv-ed25519/ed25519vectors.json').map(
      ({ key, sig, msg }: Record<'key' | 'sig' | 'msg', string>): SignedMessage => ({
        publicKey: fromHex(key),
        message: new Uint8Array(Buffer.from(msg)),
        signature: fromHex(sig),
      }),
    );
    const speccheck = vectorJson('ed25519-speccheck/cases.json').map(
      (item: Record<'pub_key' | 'message' | 'signature', string>): SignedMessage => ({
        publicKey: fromHex(item.pub_key),
        message: fromHex(item.message),
        signature: fromHex(item.signature),
      }),
    );
    const wycheproof = vectorJson('wycheproof/ed25519_test.json').testGroups.flatMap(
      ({ publicKey, tests }: { publicKey: { pk: string }; tests: { msg: string; sig: string }[] }) =>
        tests.map(
          ({ msg, sig }): SignedMessage => ({
            publicKey: fromHex(publicKey.pk),
            message: fromHex(msg),
            signature: fromHex(sig),
          }),
        ),
    );
    for (const [name, items] of Object.entries({ cctv, speccheck, wycheproof })) {
      assert.ok(sameVerdicts(items, name) > 0, name);
    }
  });
}

test.run();
