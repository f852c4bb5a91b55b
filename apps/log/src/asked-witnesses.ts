import { createHash } from 'node:crypto';
import { ClientError, type Fetch, WitnessClient } from '@treering/client';
import {
  type Ed25519,
  evaluateQuorum,
  NoteError,
  openNote,
  type PolicyWitness,
  parseCheckpoint,
  parseNote,
  type TrustPolicy,
  type VerifiedSignature,
} from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { SequencerError } from '@treering/sequencer';
import type { StoredHead } from '@treering/storage';

/** Milliseconds for a look at what a witness has cosigned. */
export const LOOK_TIMEOUT = 3000;

/** The newest heads that witnesses of a log have cosigned, by the URL of each that answered; undefined for one that has cosigned none. */
export type ShownHeads = ReadonlyMap<string, Uint8Array | undefined>;

/** The name under which a witness publishes what it has cosigned of a log. */
export function originHash(origin: string): string {
  return createHash('sha256').update(origin).digest('hex');
}

/** Whether these witnesses alone meet a policy. */
export function couldMakeQuorum(policy: TrustPolicy, witnesses: readonly PolicyWitness[]): boolean {
  const lines = witnesses.map(
    ({ key }): VerifiedSignature => ({ key, name: key.name, id: key.id, signature: new Uint8Array(0) }),
  );
  return evaluateQuorum(policy, lines).met;
}

/**
 * Entries in a head that was published when one of these has cosigned it, and 0 otherwise: a witness that shows less has forgotten
 * something, or somebody else answers in its place.
 */
export function vouchedSize(
  published: StoredHead | null | undefined,
  witnesses: readonly PolicyWitness[],
  ed25519: Ed25519 = nodeEd25519,
): number {
  if (published === undefined || published === null) return 0;
  const keys = witnesses.map(({ key }) => key);
  try {
    return openNote(parseNote(published.note), keys, ed25519).verified.length > 0 ? published.size : 0;
  } catch (error) {
    if (!(error instanceof NoteError)) throw error;
    return 0;
  }
}

/** Entries in the head that a witness shows; 0 when it shows none, or something else. What it shows is verified where it is compared. */
function shownSize(note: Uint8Array | undefined): number {
  if (note === undefined) return 0;
  try {
    return Number(parseCheckpoint(parseNote(note).text).size);
  } catch (error) {
    if (!(error instanceof NoteError)) throw error;
    return 0;
  }
}

/**
 * Asks the witnesses of a log whose store nothing else vouches for, before anything is taken for the newest: the anchor is missing or
 * damaged, and the operator says that the store may be trusted. Enough of them have to answer that no head can have had its quorum without one; one that
 * shows less than it has cosigned of what the store has published has not answered.
 * @param published what the store has published
 * @throws SequencerError (sequencer/no-anchor) when those that do not answer could have cosigned a newer head
 */
export async function askWitnesses(
  policy: TrustPolicy,
  origin: string,
  published: StoredHead | null,
  fetch?: Fetch,
): Promise<ShownHeads> {
  const witnesses = policy.witnesses.filter(({ url }) => url !== undefined);
  const urls = [...new Set(witnesses.map(({ url }) => url as string))];
  const shown = new Map<string, Uint8Array | undefined>();
  await Promise.all(
    urls.map(async (url) => {
      const client = new WitnessClient(url, { timeout: LOOK_TIMEOUT, ...(fetch === undefined ? {} : { fetch }) });
      try {
        const note = await client.checkpoint(originHash(origin));
        const own = witnesses.filter((witness) => witness.url === url);
        if (shownSize(note) >= vouchedSize(published, own)) shown.set(url, note);
      } catch (error) {
        if (!(error instanceof ClientError)) throw error;
      }
    }),
  );
  const silent = witnesses.filter(({ url }) => !shown.has(url as string));
  if (couldMakeQuorum(policy, []) || !couldMakeQuorum(policy, silent)) return shown;
  const names = [...new Set(silent.map(({ key }) => key.name))].join(', ');
  throw new SequencerError(
    'sequencer/no-anchor',
    `the store is to be trusted, and witnesses do not answer, or show less than they have cosigned of it, that may have cosigned a newer head than it has (${names}); start again when they can be reached`,
  );
}
