import { ClientError, EnrolledKeys, type LogClient, type ReadEntry } from '@treering/client';
import { ATTESTATION_ROLE } from '@treering/evidence';
import { nodeEd25519 } from '@treering/note/node';
import { type CoseKey, coseKeyThumbprint, parseCoseKey } from '@treering/statement';
import { UsageError } from './exit.js';
import type { Session } from './session.js';

/** The entry that enrolled an attestation key, proved and with its signature checked. */
export interface EnrolledAttestationKey {
  readonly key: CoseKey;
  readonly index: number;
  /** 32 bytes */
  readonly leaf: Uint8Array;
}

/**
 * The record by which a log enrols this key under an id, for quotes. That no later record revokes it is what the log says.
 * @throws UsageError when there is none, or it is over
 */
export async function enrolledAttestationKey(
  session: Session,
  client: LogClient,
  id: string,
  key: CoseKey,
): Promise<EnrolledAttestationKey> {
  const keys = new EnrolledKeys(client, session.trust().origin, nodeEd25519);
  const wanted = thumbprintOf(key);
  for (const entry of await identityHistory(client, id)) {
    const { record, index, leaf } = entry;
    if (record?.type !== 'identity') continue;
    const own = record.key === undefined ? undefined : parseCoseKey(record.key);
    const about = own === undefined || thumbprintOf(own) === wanted;
    if (record.action !== 'enrol' && about) throw new UsageError(`entry ${index} revoked the attestation key of ${id}`);
    if (record.action !== 'enrol' || own === undefined || !about) continue;
    await keys.verifySigner(entry);
    if (!(record.roles ?? []).includes(ATTESTATION_ROLE))
      throw new UsageError(`entry ${index} enrols the key of ${id} without the role ${ATTESTATION_ROLE}`);
    if (record.valid_until !== undefined && record.valid_until * 1000 < Date.now())
      throw new UsageError(`the enrolment of entry ${index} has ended`);
    return { key: own, index, leaf };
  }
  throw new UsageError(
    `the log does not enrol this attestation key as ${id}: an administrator records the file that "treering attest key" wrote`,
  );
}

async function identityHistory(client: LogClient, id: string): Promise<readonly ReadEntry[]> {
  return client.history(`identity/${id}`).catch((error: unknown) => {
    if (error instanceof ClientError && error.status === 404) return [];
    throw error;
  });
}

function thumbprintOf(key: CoseKey): string {
  return Buffer.from(coseKeyThumbprint(key)).toString('hex');
}
