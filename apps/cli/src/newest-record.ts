import { ClientError, EnrolledKeys, type LogClient, type ReadEntry } from '@treering/client';
import { nodeEd25519 } from '@treering/note/node';
import type { ChangeRecord } from '@treering/record';
import type { Session } from './session.js';

/** An entry whose record is of a known type. */
export type EntryOf<R extends ChangeRecord> = ReadEntry & { readonly record: R };

/** The newest record of a subject that fits, and the newest entry of the subject, whatever it is: `prev` of the next one. */
export interface NewestRecord<R extends ChangeRecord> {
  readonly found: EntryOf<R> | undefined;
  readonly newest: ReadEntry | undefined;
}

/** How many entries of a subject are read at first, then, and in the end. */
const DEPTHS = [1, 20, Number.POSITIVE_INFINITY];

/**
 * Looks for the newest record of a subject that fits: approvals and corrections may lie on top of it. Its inclusion and the signature
 * under an enrolled key are proved; that there is no newer one is only what the log says.
 * @throws ClientError
 */
export async function newestRecord<R extends ChangeRecord>(
  session: Session,
  client: LogClient,
  subject: string,
  fits: (record: ChangeRecord) => record is R,
): Promise<NewestRecord<R>> {
  let entries: readonly ReadEntry[] = [];
  for (const depth of DEPTHS) {
    entries = await historyOf(client, subject, depth);
    const found = entries.find((entry): entry is EntryOf<R> => entry.record !== undefined && fits(entry.record));
    if (found !== undefined) {
      await new EnrolledKeys(client, session.trust().origin, nodeEd25519).verifySigner(found);
      return { found, newest: entries[0] };
    }
    if (entries.length < depth) break;
  }
  return { found: undefined, newest: entries[0] };
}

/** The newest entries of a subject; none of one that nothing is recorded about. */
async function historyOf(client: LogClient, subject: string, depth: number): Promise<readonly ReadEntry[]> {
  try {
    return await client.history(subject, depth);
  } catch (error) {
    if (error instanceof ClientError && error.status === 404) return [];
    throw error;
  }
}
