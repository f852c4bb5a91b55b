// What a batch by random linear combination costs at least, in field operations. Under the strict rule R must be shown to lie in the
// subgroup of prime order before the combined equation says anything: see docs/ed25519-batch.md.

/** Field operations per signature. */
interface FieldOperations {
  readonly multiplications: number;
  readonly squarings: number;
}

/** A power of about 2^252: a square root, or a test of residues. */
const POWER: FieldOperations = { multiplications: 11, squarings: 252 };
/** A point added to a bucket: seven for an affine point, and two to prepare it, which is spread over its uses and left out. */
const BUCKET_ADDITION = 7;
/** A general addition. */
const ADDITION = 8;
/** A doubling as four multiplications and four squarings. */
const DOUBLING: FieldOperations = { multiplications: 4, squarings: 4 };
/** Trials by which a part of small order goes unseen with a probability of 2^-128. */
const TRIALS = 128;
const Z_BITS = 128;
const SCALAR_BITS = 253;

/** A batch, and what field operations cost. */
interface Batch {
  /** Signatures in the batch. */
  readonly size: number;
  /** Keys seen for the first time, to be decoded and tested. */
  readonly newKeys: number;
  /** Keys in the batch, each with one term of full length. */
  readonly keys: number;
  /** Nanoseconds of one multiplication and of one squaring. */
  readonly multiply: number;
  readonly square: number;
}

/** A lower bound of the time per signature in microseconds: no hashing, no scalars, no memory, only field operations. */
export function batchBound({ size, newKeys, keys, multiply, square }: Batch): number {
  const cost = (operations: FieldOperations): number => operations.multiplications * multiply + operations.squarings * square;
  const power = cost(POWER);
  // Alone, a point takes three powers: two square roots to halve it once and one test of fourth powers. Together, random subsets
  // are summed: windows of six points share their sums, and each of the trials ends in a decoded test of its own.
  const subsetSums = (2 ** 6 / 6 + TRIALS / 6) * ADDITION * multiply + (TRIALS / size) * 4 * power;
  const membership = Math.min(3 * power, subsetSums);
  const points = (size + newKeys) * (power + membership);
  return (points + cheapestSum(size, keys, multiply, cost(DOUBLING))) / size / 1000;
}

/** Nanoseconds of the sum of multiples by buckets (Pippenger), with the window that suits the batch. */
function cheapestSum(size: number, keys: number, multiply: number, doubling: number): number {
  const withWindow = (window: number): number => {
    const short = Math.ceil(Z_BITS / window);
    const long = Math.ceil(SCALAR_BITS / window);
    const intoBuckets = (size * short + (keys + 1) * long) * BUCKET_ADDITION;
    const outOfBuckets = long * 2 * 2 ** (window - 1) * ADDITION;
    return (intoBuckets + outOfBuckets) * multiply + SCALAR_BITS * doubling;
  };
  return Math.min(...[3, 4, 5, 6, 7, 8, 9, 10, 11, 12].map(withWindow));
}
