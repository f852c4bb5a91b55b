import { sha256 } from '@noble/hashes/sha2.js';
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus';

/** A source of numbers that looks random and gives the same ones for the same seed. */
export interface Random {
  /** A whole number from 0 to `limit` - 1, each as likely as the others. */
  below(limit: number): number;
}

/**
 * A source that a digest begins.
 * @param seed 32 bytes
 * @param purpose sources of one seed with different purposes have nothing in common
 */
export function seededRandom(seed: Uint8Array, purpose: string): Random {
  const state = sha256(concatBytes(seed, utf8ToBytes(purpose)));
  const view = new DataView(state.buffer, state.byteOffset, state.length);
  const generator = xoroshiro128plusFromState([0, 4, 8, 12].map((at) => view.getInt32(at)));
  return { below: (limit) => uniformInt(generator, 0, limit - 1) };
}

/**
 * Some of a list's items, drawn without putting back, in the list's order.
 * @param seed 32 bytes
 */
export function sampleOf<T>(items: readonly T[], count: number, seed: Uint8Array): readonly T[] {
  if (count >= items.length) return items;
  const random = seededRandom(seed, 'sample');
  const positions = items.map((_, i) => i);
  for (let i = 0; i < count; i++) {
    const other = i + random.below(positions.length - i);
    [positions[i], positions[other]] = [positions[other], positions[i]];
  }
  return positions
    .slice(0, count)
    .sort((a, b) => a - b)
    .map((at) => items[at]);
}
