import { join, resolve } from 'node:path';
import { ClientError, type LogClient, type ReadEntry } from '@treering/client';
import type { ChangeRecord, RecordOf } from '@treering/record';
import { coseKeyThumbprint, parseCoseKey } from '@treering/statement';
import { UsageError } from '../exit.js';
import type { Session } from '../session.js';
import { submitRecord } from '../submit.js';

/** Flags of `revoke`. */
export interface RevokeFlags {
  readonly reason: string;
  readonly thumbprint?: string;
  readonly out?: string;
  readonly wait: boolean;
}

/** `revoke`: ends all keys of an identity, or one of them, from the next entry on. */
export async function revoke(session: Session, id: string, flags: RevokeFlags): Promise<void> {
  const client = session.client();
  const record: RecordOf<'identity'> = {
    v: 1,
    type: 'identity',
    subject: `identity/${id}`,
    reason: flags.reason,
    action: 'revoke',
    id,
    ...(flags.thumbprint === undefined ? {} : { key: await keyOf(client, id, flags.thumbprint) }),
  };
  const proof =
    flags.out === undefined ? join(session.cwd, `identity-${id}-revoked.tlog-proof`) : resolve(session.cwd, flags.out);
  await submitRecord(session, client, record, { proof, wait: flags.wait });
}

/** The key of an identity with a thumbprint, from the records that enrolled it: its own, or those that name administrators. */
async function keyOf(client: LogClient, id: string, thumbprint: string): Promise<Uint8Array> {
  if (!/^[0-9a-f]{64}$/.test(thumbprint))
    throw new UsageError('--thumbprint takes 64 hex digits, as "treering keygen" prints them');
  for (const subject of [`identity/${id}`, 'charter']) {
    for (const { record } of await historyOf(client, subject)) {
      const fitting = keysIn(record, id).find((key) => hex(coseKeyThumbprint(parseCoseKey(key))) === thumbprint);
      if (fitting !== undefined) return fitting;
    }
  }
  throw new UsageError(`the log has enrolled no key of ${id} with this thumbprint`);
}

async function historyOf(client: LogClient, subject: string): Promise<readonly ReadEntry[]> {
  return client.history(subject).catch((error: unknown) => {
    if (error instanceof ClientError && error.status === 404) return [];
    throw error;
  });
}

function keysIn(record: ChangeRecord | undefined, id: string): Uint8Array[] {
  if (record?.type === 'identity') return record.key === undefined ? [] : [record.key];
  if (record?.type !== 'charter' && record?.type !== 'amendment') return [];
  return (record.administrators ?? []).filter((administrator) => administrator.id === id).map(({ key }) => key);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
