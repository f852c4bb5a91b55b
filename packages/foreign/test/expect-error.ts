import * as assert from 'uvu/assert';
import { ForeignError, type ForeignErrorCode } from '../src/index.js';

/** Fails unless `act` throws a ForeignError with one of the codes and, if one is given, a message that fits. */
export function refuses(
  act: () => unknown,
  codes: ForeignErrorCode | readonly ForeignErrorCode[],
  what: string,
  message?: RegExp,
): void {
  let thrown: unknown;
  try {
    act();
  } catch (error) {
    thrown = error;
  }
  if (thrown === undefined) assert.unreachable(`${what} was accepted`);
  if (!(thrown instanceof ForeignError)) assert.unreachable(`${what} threw ${thrown}, which is no ForeignError`);
  const error = thrown as ForeignError;
  const allowed: readonly string[] = typeof codes === 'string' ? [codes] : codes;
  assert.ok(
    allowed.includes(error.code),
    `${what} was refused with ${error.code} (${error.message}), not ${allowed.join(' or ')}`,
  );
  if (message !== undefined) assert.match(error.message, message, what);
}
