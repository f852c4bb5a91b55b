import { printable } from '@treering/record';
import { ForeignError } from './errors.js';
import { checkModelSigning } from './model-signing.js';
import { members, parseStrictJson } from './strict-json.js';

/** The media type of in-toto statements in a DSSE envelope. */
export const IN_TOTO_PAYLOAD = 'application/vnd.in-toto+json';

/** What an in-toto statement is about (https://github.com/in-toto/attestation, spec/v1). */
export interface InTotoStatement {
  readonly predicateType: string;
  readonly subjects: readonly { readonly name: string; readonly digests: Readonly<Record<string, string>> }[];
}

const TYPES: readonly unknown[] = ['https://in-toto.io/Statement/v1', 'https://in-toto.io/Statement/v0.1'];

/**
 * Reads what an in-toto statement says of itself. Its predicate stays unread, but for that of model signing, which has to be about
 * the subject.
 * @throws ForeignError foreign/malformed or foreign/unsupported
 */
export function parseInToto(payload: Uint8Array): InTotoStatement {
  const fail = (why: string): never => {
    throw new ForeignError('foreign/malformed', `the in-toto statement ${why}`);
  };
  let json: unknown;
  try {
    json = parseStrictJson(payload);
  } catch (error) {
    return fail(`is no JSON that reads in one way: ${printable((error as Error).message)}`);
  }
  const statement = members(json) ?? fail('is no JSON object');
  if (!TYPES.includes(statement._type))
    fail(typeof statement._type === 'string' ? `has the type ${statement._type}` : 'has no type');
  const { predicateType, subject } = statement;
  if (typeof predicateType !== 'string' || predicateType === '') fail('names no predicate type');
  if (!Array.isArray(subject) || subject.length === 0) fail('has no subject');
  const subjects = (subject as unknown[]).map((item) => {
    const { name, digest } = members(item) ?? fail('has a subject that is none');
    const digests = Object.entries(members(digest) ?? {});
    if (digests.length === 0 || !digests.every(([, value]) => typeof value === 'string')) fail('has a subject without digest');
    if (digests.some(([hash, value]) => hash === 'sha256' && !/^[0-9a-f]{64}$/.test(value as string)))
      fail('has a SHA-256 digest that is not 64 lower-case hex digits');
    return { name: typeof name === 'string' ? name : '', digests: Object.fromEntries(digests) as Record<string, string> };
  });
  checkModelSigning(statement, payload);
  return { predicateType: predicateType as string, subjects };
}
