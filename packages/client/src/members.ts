import { decodeBase64 } from '@treering/note';
import { ClientError } from './errors.js';
import { verified } from './verified.js';

/** An index or a size in a JSON answer. @throws ClientError (client/bad-answer) */
export function indexOf(value: unknown, what = 'an index'): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw new ClientError('client/bad-answer', `the log answers without ${what}`);
  return value;
}

/** A text in a JSON answer. @param what it is, for the message @throws ClientError (client/bad-answer) */
export function textOf(value: unknown, what: string): string {
  if (typeof value !== 'string') throw new ClientError('client/bad-answer', `the log answers without ${what}`);
  return value;
}

/** The hashes of a proof, at most 64. @throws ClientError client/bad-answer, or client/not-verified for what is no base64 */
export function hashesOf(value: unknown): Uint8Array[] {
  if (!Array.isArray(value) || value.length > 64) throw new ClientError('client/bad-answer', 'the log answers without a proof');
  return value.map((item) => verified(() => decodeBase64(textOf(item, 'hashes'))));
}
