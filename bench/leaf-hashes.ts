import { HASH_SIZE } from '@treering/merkle';

/**
 * 32 bytes for each of `count` leaves, flat, that stand for their hashes: cheap to make, and the same in every language that a rival
 * is written in. They lie where threads can see them.
 */
export function makeLeafHashes(count: number): Uint8Array {
  const words = new Uint32Array(new SharedArrayBuffer(count * HASH_SIZE));
  for (let i = 0; i < count; i++) {
    for (let j = 0; j < 8; j++) words[i * 8 + j] = Math.imul(i, 0x9e3779b1) + Math.imul(j, 0x85ebca77);
  }
  return new Uint8Array(words.buffer);
}
