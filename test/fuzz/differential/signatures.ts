import { createHash, createPublicKey, verify } from 'node:crypto';
import { Point } from '@noble/ed25519';
import { checkEd25519PublicKey, NoteError, portableEd25519 } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { createTableEd25519 } from '@treering/note/tables';
import type { Random } from '../random.js';
import { type Comparison, requireSame, unlessRefused, type Verdict } from './comparison.js';

// The one rule for Ed25519 in four implementations, and once more here: key and R in their one spelling, no key of small order,
// S < L, and SB = R + kA without the cofactor. Keys and R are made with parts of small order, where implementations differ.

const L = 2n ** 252n + 27742317777372353535851937790883648493n;
const EIGHTH = Point.fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05');
const TORSION: readonly Point[] = Array.from({ length: 8 }).reduce<Point[]>(
  (points) => [...points, (points.at(-1) ?? Point.ZERO.subtract(EIGHTH)).add(EIGHTH)],
  [],
);
const tables = createTableEd25519(nodeEd25519, { tables: 16 });

const number = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
const le32 = (value: bigint): Uint8Array =>
  new Uint8Array(Buffer.from((value % 2n ** 256n).toString(16).padStart(64, '0'), 'hex').reverse());
const challenge = (...parts: readonly Uint8Array[]): bigint =>
  number(createHash('sha512').update(Buffer.concat(parts)).digest()) % L;
const timesBase = (scalar: bigint): Point => (scalar === 0n ? Point.ZERO : Point.BASE.multiply(scalar));

/** A point in its one spelling; undefined for everything else. */
function pointOf(bytes: Uint8Array): Point | undefined {
  try {
    const point = Point.fromBytes(bytes);
    return Buffer.compare(point.toBytes(), bytes) === 0 ? point : undefined;
  } catch {
    return undefined;
  }
}

function reference(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const [a, r] = [pointOf(publicKey), pointOf(signature.subarray(0, 32))];
  const s = number(signature.subarray(32));
  if (a === undefined || r === undefined || s >= L || TORSION.some((small) => small.equals(a))) return false;
  const k = challenge(signature.subarray(0, 32), publicKey, message);
  const ka = k === 0n ? Point.ZERO : a.multiply(k, false);
  return timesBase(s).equals(r.add(ka));
}

/** Scalars of keys that occur again and again, so that tables are made of some of them. */
const SCALARS = Array.from({ length: 6 }, (_, i) => number(createHash('sha256').update(`key ${i}`).digest()) % L);

interface Signed {
  publicKey: Uint8Array;
  message: Uint8Array;
  signature: Uint8Array;
}

/** Signed with the equation itself, so that key and R may have any part of small order. */
function signed(random: Random): Signed {
  const a = random.pick(SCALARS);
  const publicKey = timesBase(a)
    .add(random.oneIn(2) ? Point.ZERO : random.pick(TORSION))
    .toBytes();
  const r = number(random.bytes(32)) % L;
  const rBytes = timesBase(r)
    .add(random.oneIn(2) ? Point.ZERO : random.pick(TORSION))
    .toBytes();
  const message = random.bytes(random.below(40));
  const s = (r + challenge(rBytes, publicKey, message) * a) % L;
  return { publicKey, message, signature: Uint8Array.from([...rBytes, ...le32(s)]) };
}

function change(item: Signed, random: Random): void {
  const { publicKey, signature } = item;
  const put = (bytes: Uint8Array, at: number): void => {
    item.signature = signature.slice();
    item.signature.set(bytes, at);
  };
  switch (random.below(8)) {
    case 0:
      put(le32(number(signature.subarray(32)) + L * BigInt(1 + random.below(15))), 32);
      return;
    case 1:
      put(random.pick(TORSION).toBytes(), 0);
      return;
    case 2:
      item.publicKey = random.pick(TORSION).toBytes();
      return;
    case 3:
      // Another spelling of a small y, or the other sign.
      item.publicKey = le32(BigInt(random.below(19)) + 2n ** 255n - 19n + (random.oneIn(2) ? 2n ** 255n : 0n));
      return;
    case 4:
      put(le32(BigInt(random.below(19)) + 2n ** 255n - 19n + (random.oneIn(2) ? 2n ** 255n : 0n)), 0);
      return;
    case 5:
      put(Uint8Array.of(signature[31] ^ 0x80), 31);
      return;
    case 6:
      put(le32(random.pick([0n, 1n, L - 1n, L, L + 1n, 2n ** 256n - 1n])), 32);
      return;
    default: {
      const at = random.below(96);
      if (at < 64) put(Uint8Array.of(signature[at] ^ (1 << random.below(8))), at);
      else item.publicKey = publicKey.map((byte, i) => (i === at - 64 ? byte ^ (1 << random.below(8)) : byte));
    }
  }
}

/** Whether OpenSSL takes it, which refuses less: it may never be what refuses alone. */
function openssl({ publicKey, message, signature }: Signed): boolean {
  const x = Buffer.from(publicKey).toString('base64url');
  return verify(null, message, createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' }), signature);
}

/** Signatures under the one rule. */
export const signatureComparison: Comparison = {
  name: 'differential-signatures',
  scenario: 'Ed25519 signatures with parts of small order, in four implementations and the rule itself',
  compare(random): Verdict {
    const item = signed(random);
    for (let changes = random.below(2); changes > 0; changes--) change(item, random);
    const { publicKey, message, signature } = item;
    const shown = Buffer.concat([publicKey, signature, message]).toString('hex');
    const holds = reference(publicKey, message, signature);
    for (const implementation of [portableEd25519, nodeEd25519, tables])
      requireSame(implementation.verify(publicKey, message, signature), holds, `${implementation.name}: ${shown}`);
    if (holds && !openssl(item)) throw new Error(`OpenSSL refuses ${shown}`);
    const point = pointOf(publicKey);
    const isKey = point !== undefined && !TORSION.some((small) => small.equals(point));
    requireSame(unlessRefused(() => checkEd25519PublicKey(publicKey), [NoteError]) !== undefined, isKey, `key ${shown}`);
    return holds ? 'accepted' : 'refused';
  },
};
