import type { Random } from './random.js';

/** Bytes at which formats change their mind: ends, signs, heads of CBOR items. */
const TELLING = [0x00, 0x0a, 0x1b, 0x5f, 0x7f, 0x80, 0x9f, 0xbf, 0xff];

/** A copy with one to four changes: bits flipped, bytes set, removed, repeated, cut off or put in. */
export function mutateBytes(seed: Uint8Array, random: Random): Uint8Array {
  let bytes = Array.from(seed);
  for (let changes = 1 + random.below(4); changes > 0; changes--) {
    const [from, to] = [random.below(bytes.length + 1), random.below(bytes.length + 1)].sort((a, b) => a - b);
    const kind = random.below(6);
    if (kind === 0 && from < bytes.length) bytes[from] ^= 1 << random.below(8);
    else if (kind === 1 && from < bytes.length) bytes[from] = random.pick(TELLING);
    else if (kind === 2) bytes.splice(from, to - from);
    else if (kind === 3) bytes.splice(from, 0, ...bytes.slice(from, Math.min(to, from + 64)));
    else if (kind === 4) bytes = bytes.slice(0, to);
    else bytes.splice(from, 0, ...random.bytes(1 + random.below(8)));
  }
  return Uint8Array.from(bytes);
}

/** The beginning of one input and the end of another. */
export function splice(head: Uint8Array, tail: Uint8Array, random: Random): Uint8Array {
  const [cut, from] = [random.below(head.length + 1), random.below(tail.length + 1)];
  return Uint8Array.from([...head.subarray(0, cut), ...tail.subarray(from)]);
}

/** A stretch of the input repeated until it is some `size` bytes long: what grows faster than its input shows itself. */
export function inflate(seed: Uint8Array, random: Random, size: number): Uint8Array {
  if (seed.length === 0) return new Uint8Array(size);
  const from = random.below(seed.length);
  const length = 1 + random.below(Math.min(64, seed.length - from));
  const piece = seed.subarray(from, from + length);
  const times = Math.max(1, Math.floor(size / length));
  const out = new Uint8Array(seed.length + times * length);
  out.set(seed.subarray(0, from));
  for (let i = 0; i < times; i++) out.set(piece, from + i * length);
  out.set(seed.subarray(from), from + times * length);
  return out;
}
