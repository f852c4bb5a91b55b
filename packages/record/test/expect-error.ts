import * as assert from 'uvu/assert';
import { RecordError, type RecordErrorCode } from '../src/index.js';

/** Fails unless `act` throws a RecordError with this code, whose message fits the pattern. */
export function refuses(act: () => unknown, code: RecordErrorCode, what = 'this', message = /./): void {
  let thrown: unknown;
  try {
    act();
  } catch (error) {
    thrown = error;
  }
  checkError(thrown, code, what, message);
}

/** Fails unless the promise rejects with a RecordError of this code. */
export async function rejects(promise: Promise<unknown>, code: RecordErrorCode, what = 'this', message = /./): Promise<void> {
  const thrown = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  checkError(thrown, code, what, message);
}

function checkError(thrown: unknown, code: RecordErrorCode, what: string, message: RegExp): void {
  if (thrown === undefined) assert.unreachable(`${what} was accepted`);
  if (!(thrown instanceof RecordError)) assert.unreachable(`${what} threw ${thrown}, which is no RecordError`);
  const error = thrown as RecordError;
  assert.is(error.code, code, `${what}: ${error.message}`);
  assert.match(error.message, message, what);
}
