import { createHash, hash } from 'node:crypto';
import { Point } from '@noble/ed25519';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { haveVectors, vectorJson } from '../../../test/vectors.js';
import { portableEd25519 } from '../src/index.js';
import { nodeEd25519 } from '../src/node/index.js';
import { instantiateEdwards } from '../src/tables/edwards.js';
import { LIMB_OFFSETS } from '../src/tables/field.js';
import { createTableEd25519, type SignedMessage } from '../src/tables/index.js';

// The arithmetic of the tables against BigInt, and their verdicts against the portable rule. Every key has a table from its first
// signature on, so that nothing is left to the other implementation but what is asked twice.

const sha512 = (message: Uint8Array): Uint8Array => hash('sha512', message, 'buffer');

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

/**
 * Compares every verdict with the portable implementation's, all at once and one by one, and returns how many hold. A difference
 * shows as a TableMismatchError where the tables find something invalid.
 */
function sameVerdicts(items: readonly SignedMessage[], what: string): number {
  const expected = items.map(({ publicKey, message, signature }) => portableEd25519.verify(publicKey, message, signature));
  for (const options of [{ sha512 }, { tables: 3 }]) {
    const tables = createTableEd25519(nodeEd25519, { after: 0, ...options });
    assert.equal(tables.verifyMany(items), expected, `${what}: all at once`);
    const singly = items.map(({ publicKey, message, signature }) => tables.verify(publicKey, message, signature));
    assert.equal(singly, expected, `${what}: one by one`);
  }
  return expected.filter((valid) => valid).length;
}

test('the field arithmetic is that of BigInt, from the smallest limbs to the largest', () => {
  const { memory, multiply, square, squareTimes, invert, toBytes } = instantiateEdwards(1);
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
    assert.is(encoded(out), residue(read(a) ** 8n), `three squares ${i}`);
    invert(b, out, scratch);
    multiply(out, out, b);
    assert.is(encoded(out), residue(read(a)) === 0n ? 0n : 1n, `inverse ${i}`);
  });
});

test('valid signatures hold and one changed bit breaks them', () => {
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
  assert.is(sameVerdicts(items, 'valid'), 130);
  assert.is(sameVerdicts(broken, 'broken'), 0);
  assert.is(sameVerdicts([], 'none'), 0);
});

test('random keys, messages and signatures, half of them changed somewhere', () => {
  const items = Array.from({ length: 160 }, (_, i): SignedMessage => {
    const seed = sha(`random ${i % 40}`);
    const message = new Uint8Array(
      createHash('shake256', { outputLength: 1 + ((i * 37) % 700) })
        .update(`${i}`)
        .digest(),
    );
    const item = { publicKey: nodeEd25519.publicKey(seed), message, signature: nodeEd25519.sign(seed, message) };
    const choice = sha(`choice ${i}`);
    if (choice[0] % 2 === 0) return item;
    const part = (['publicKey', 'message', 'signature'] as const)[choice[1] % 3];
    const changed = item[part].slice();
    changed[choice[2] % changed.length] ^= 1 << (choice[3] % 8);
    return { ...item, [part]: changed };
  });
  const held = sameVerdicts(items, 'random');
  assert.ok(held > 50 && held < 110, `${held} hold`);
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
