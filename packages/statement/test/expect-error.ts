import * as assert from 'uvu/assert';
import { StatementError, type StatementErrorCode } from '../src/index.js';

/** The StatementError that `act` throws. Fails when it throws anything else, or nothing. */
export function errorOf(act: () => unknown, what = 'this'): StatementError {
  let thrown: unknown;
  try {
    act();
  } catch (error) {
    thrown = error;
  }
  if (thrown === undefined) assert.unreachable(`${what} was accepted`);
  if (!(thrown instanceof StatementError)) assert.unreachable(`${what} threw ${thrown}, which is no StatementError`);
  return thrown as StatementError;
}

/** Fails unless `act` throws a StatementError with one of the codes. */
export function refuses(act: () => unknown, codes: StatementErrorCode | readonly StatementErrorCode[], what = 'this'): void {
  const error = errorOf(act, what);
  const allowed: readonly string[] = typeof codes === 'string' ? [codes] : codes;
  assert.ok(
    allowed.includes(error.code),
    `${what} was refused with ${error.code} (${error.message}), not with ${allowed.join(' or ')}`,
  );
}

/** Fails unless the promise rejects with a StatementError of this code. */
export async function rejects(promise: Promise<unknown>, code: StatementErrorCode, what = 'this'): Promise<void> {
  const outcome = await promise.then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  if (outcome === undefined) assert.unreachable(`${what} was accepted`);
  refuses(
    () => {
      throw outcome?.error;
    },
    code,
    what,
  );
}
