import * as assert from 'uvu/assert';
import { MerkleInputError, MerkleStateError, ProofError } from '../src/index.js';

type ErrorClass = typeof MerkleInputError | typeof MerkleStateError | typeof ProofError;

/** The class of error that `act` fails with, or 'accepted'. Anything that is none of the package's own classes is passed on. */
export function verdictOf(act: () => void): ErrorClass | 'accepted' {
  try {
    act();
    return 'accepted';
  } catch (error) {
    const own = [MerkleInputError, MerkleStateError, ProofError].find((candidate) => error instanceof candidate);
    if (own === undefined) throw error;
    return own;
  }
}

/** True when a verifier does not accept, by one of the two classes that a verifier may throw. */
export function isRefused(act: () => void): boolean {
  const verdict = verdictOf(act);
  return verdict === ProofError || verdict === MerkleInputError;
}

/** Fails unless `act` throws exactly this class. */
export function throwsA(expected: ErrorClass, act: () => void, what?: string): void {
  const verdict = verdictOf(act);
  assert.ok(verdict === expected, `${what ?? 'the call'}: expected ${expected.name}, got ${nameOf(verdict)}`);
}

/** Fails unless the promise that `act` returns rejects with exactly this class. */
export async function rejectsWith(expected: ErrorClass, act: () => Promise<unknown>, what?: string): Promise<void> {
  let outcome: unknown = 'accepted';
  try {
    await act();
  } catch (error) {
    outcome = error;
  }
  assert.ok(outcome instanceof expected, `${what ?? 'the call'}: expected ${expected.name}, got ${String(outcome)}`);
}

function nameOf(verdict: ErrorClass | 'accepted'): string {
  return typeof verdict === 'string' ? verdict : verdict.name;
}
