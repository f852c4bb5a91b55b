import { decodeUtf8, NoteError } from '@treering/note';
import type { PackContent } from './content.js';

/** What an attachment of the record that enrolled somebody says about the person behind the pseudonym. */
export interface Described {
  readonly name: string | undefined;
  readonly email: string | undefined;
  /** The entry whose attachment it is. */
  readonly index: number;
}

/** Larger attachments are no descriptions of people. */
const LARGEST = 64 * 1024;

/** Who is behind the ids of identities, as far as disclosed attachments of their records say. By id. */
export function describedPeople(content: PackContent): Map<string, Described> {
  const people = new Map<string, Described>();
  for (const { index, record } of content.of('identity')) {
    for (const { digest } of record.attachments ?? []) {
      const claims = claimsIn(content.attachment(digest)?.content);
      const [name, email] = [claims?.name, claims?.email].map(text);
      if (name !== undefined || email !== undefined) people.set(record.id, { name, email, index });
    }
  }
  return people;
}

/** The object in JSON, or the one in its member `claims`. */
function claimsIn(content: Uint8Array | undefined): Record<string, unknown> | undefined {
  if (content === undefined || content.length > LARGEST) return undefined;
  try {
    const value: unknown = JSON.parse(decodeUtf8(content));
    return isObject(value) && isObject(value.claims) ? value.claims : isObject(value) ? value : undefined;
  } catch (error) {
    // It is some other attachment.
    if (error instanceof SyntaxError || error instanceof NoteError) return undefined;
    throw error;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value.slice(0, 200) : undefined;
}
