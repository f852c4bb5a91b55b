/** mulberry32: small, seeded, good enough to choose mutations. */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Bytes at which formats change their mind: ends, signs, heads of CBOR items. */
const TELLING = [0x00, 0x0a, 0x1b, 0x5f, 0x7f, 0x80, 0x9f, 0xbf, 0xff];

/** A copy with one to four changes: bits flipped, bytes set, removed, repeated, cut off or put in. */
export function mutate(seed: Uint8Array, random: () => number): Uint8Array {
  let bytes = Array.from(seed);
  const below = (n: number): number => Math.floor(random() * n);
  for (let changes = 1 + below(4); changes > 0; changes--) {
    const [from, to] = [below(bytes.length + 1), below(bytes.length + 1)].sort((a, b) => a - b);
    const kind = below(6);
    if (kind === 0 && from < bytes.length) bytes[from] ^= 1 << below(8);
    else if (kind === 1 && from < bytes.length) bytes[from] = TELLING[below(TELLING.length)];
    else if (kind === 2) bytes.splice(from, to - from);
    else if (kind === 3) bytes.splice(from, 0, ...bytes.slice(from, Math.min(to, from + 64)));
    else if (kind === 4) bytes = bytes.slice(0, to);
    else bytes.splice(from, 0, ...Array.from({ length: 1 + below(8) }, () => below(256)));
  }
  return Uint8Array.from(bytes);
}
