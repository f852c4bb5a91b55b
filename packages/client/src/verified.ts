import { MerkleInputError, ProofError } from '@treering/merkle';
import { NoteError } from '@treering/note';
import { StatementError } from '@treering/statement';
import { ClientError } from './errors.js';

/**
 * Runs a check of something that the log said. What does not verify is the log's fault, and is said so.
 * @throws ClientError (client/not-verified)
 */
export function verified<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    const known = [ProofError, MerkleInputError, NoteError, StatementError].some((kind) => error instanceof kind);
    if (!known) throw error;
    throw new ClientError('client/not-verified', `what the log answers does not hold: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
