/** The 64 round constants of SHA-256 (FIPS 180-4 section 4.2.2): first fraction bits of the cube roots of primes. */
export const ROUND_CONSTANTS: readonly number[] = primes(64).map((prime) => fraction(prime, 3n));

/** The initial hash value of SHA-256 (FIPS 180-4 section 5.3.3): first fraction bits of the square roots of primes. */
export const INITIAL_HASH: readonly number[] = primes(8).map((prime) => fraction(prime, 2n));

/** Two rotations to the right and, behind them, a shift or a third rotation; in bits. */
export type Sigma = readonly [number, number, number];

/** The functions of the message schedule (FIPS 180-4 section 4.1.2). */
export const SIGMA_0: Sigma = [7, 18, 3];
export const SIGMA_1: Sigma = [17, 19, 10];

/** The first 32 bits behind the point of the root of `value` with this degree, exactly. */
function fraction(value: number, degree: bigint): number {
  const scaled = BigInt(value) << (32n * degree);
  let root = 0n;
  for (let bit = 1n << 40n; bit > 0n; bit >>= 1n) if ((root | bit) ** degree <= scaled) root |= bit;
  return Number(root & 0xffffffffn);
}

function primes(count: number): number[] {
  const found: number[] = [];
  for (let candidate = 2; found.length < count; candidate++) {
    if (found.every((prime) => candidate % prime !== 0)) found.push(candidate);
  }
  return found;
}
