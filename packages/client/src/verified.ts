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

/**
 * The same for work that reads tiles: such a failure is the log's fault, anything else stays what it is.
 * @throws ClientError (client/not-verified)
 */
export async function held<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof ProofError || error instanceof MerkleInputError)) throw error;
    throw new ClientError('client/not-verified', `the log's tiles do not hold: ${error.message}`, { cause: error });
  }
}
