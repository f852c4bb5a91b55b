import { MerkleInputError, ProofError } from '@treering/merkle';
import { NoteError } from '@treering/note';
import { StatementError } from '@treering/statement';
import { ClientError } from './errors.js';

/**
 * Runs a check of something that a server said. What does not verify is its fault, and is said so.
 * @param who said it, in messages: `log` or `mirror`
 * @throws ClientError (client/not-verified)
 */
export function verified<T>(check: () => T, who = 'log'): T {
  try {
    return check();
  } catch (error) {
    const known = [ProofError, MerkleInputError, NoteError, StatementError].some((kind) => error instanceof kind);
    if (!known) throw error;
    throw new ClientError('client/not-verified', `what the ${who} answers does not hold: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
