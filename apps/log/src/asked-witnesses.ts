import { createHash } from 'node:crypto';
import { ClientError, type Fetch, WitnessClient } from '@treering/client';
import { evaluateQuorum, type PolicyWitness, type TrustPolicy, type VerifiedSignature } from '@treering/note';
import { SequencerError } from '@treering/sequencer';

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
 * Asks the witnesses of a log whose store nothing else vouches for, before anything is taken for the newest: the anchor is missing or
 * damaged, and the operator says that the store may be trusted. Enough of them have to answer that no head can have had its quorum without one.
 * @throws SequencerError (sequencer/no-anchor) when those that do not answer could have cosigned a newer head
 */
export async function askWitnesses(policy: TrustPolicy, origin: string, fetch?: Fetch): Promise<ShownHeads> {
  const witnesses = policy.witnesses.filter(({ url }) => url !== undefined);
  const urls = [...new Set(witnesses.map(({ url }) => url as string))];
  const shown = new Map<string, Uint8Array | undefined>();
  await Promise.all(
    urls.map(async (url) => {
      const client = new WitnessClient(url, { timeout: LOOK_TIMEOUT, ...(fetch === undefined ? {} : { fetch }) });
      try {
        shown.set(url, await client.checkpoint(originHash(origin)));
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
    `the store is to be trusted, and witnesses do not answer that may have cosigned a newer head than it has (${names}); start again when they can be reached`,
  );
}
