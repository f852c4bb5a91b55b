/**
 * The three ways in which tree code can fail. Callers switch on the class or on `code`, never on the message.
 */

/** The caller passed something that no tree could have produced: a hash of 31 bytes, an index beyond the size. */
export class MerkleInputError extends Error {
  override readonly name = 'MerkleInputError';
  readonly code = 'merkle/bad-input';
}

/** A proof was well formed and does not hold. Nobody may act on what it claims. */
export class ProofError extends Error {
  override readonly name = 'ProofError';
  readonly code = 'merkle/proof-failed';
}

/** Stored or remembered hashes contradict each other: a damaged store or a defect. Never continue after it. */
export class MerkleStateError extends Error {
  override readonly name = 'MerkleStateError';
  readonly code = 'merkle/impossible-state';
}
