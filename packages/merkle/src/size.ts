import { MerkleInputError } from './errors.js';

/** The largest tree size and the largest index that this project computes with: 2^53 - 1. */
export const MAX_SIZE = Number.MAX_SAFE_INTEGER;

const MAX_UINT64 = 0xffff_ffff_ffff_ffffn;

/**
 * Checks that a tree size or index is one that can be computed with exactly.
 * @throws MerkleInputError when it is negative, fractional, or beyond 2^53 - 1.
 */
export function checkSize(value: number, what: string): number {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new MerkleInputError(`${what} must be an integer from 0 to 2^53 - 1, got ${String(value)}`);
  }
  return value;
}

/**
 * Turns a 64-bit size from a note or from JSON into a number.
 * @throws MerkleInputError when it is beyond 2^53 - 1, which this implementation refuses rather than rounds.
 */
export function safeSize(value: bigint, what = 'tree size'): number {
  if (value < 0n || value > BigInt(MAX_SIZE)) {
    throw new MerkleInputError(`${what} ${value} is beyond 2^53 - 1, the largest that this implementation computes with`);
  }
  return Number(value);
}

/**
 * Takes a size or index as a verifier does: exact up to 2^64 - 1 when it comes as a bigint, up to 2^53 - 1 as a number.
 * @throws MerkleInputError outside that range.
 */
export function exactSize(value: number | bigint, what: string): bigint {
  if (typeof value === 'number') return BigInt(checkSize(value, what));
  if (value < 0n || value > MAX_UINT64) throw new MerkleInputError(`${what} must be from 0 to 2^64 - 1, got ${value}`);
  return value;
}

/** floor(value / 2^level), exact where `>>` would cut at 32 bits. */
export function shiftRight(value: number, level: number): number {
  return level >= 53 ? 0 : Math.floor(value / 2 ** level);
}

/** True when bit `level` of `value` is set; exact beyond 32 bits. */
export function hasBit(value: number, level: number): boolean {
  return shiftRight(value, level) % 2 === 1;
}

/** The largest power of two that is smaller than n. Requires n >= 2. */
export function largestPowerBelow(n: number): number {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}
