import { join, resolve } from 'node:path';
import type { RecordOf } from '@treering/record';
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

/** The key of an identity with a thumbprint, from the records that enrolled it. */
async function keyOf(client: ReturnType<Session['client']>, id: string, thumbprint: string): Promise<Uint8Array> {
  if (!/^[0-9a-f]{64}$/.test(thumbprint))
    throw new UsageError('--thumbprint takes 64 hex digits, as "treering keygen" prints them');
  for (const { record } of await client.history(`identity/${id}`)) {
    if (record?.type !== 'identity' || record.key === undefined) continue;
    if (hex(coseKeyThumbprint(parseCoseKey(record.key))) === thumbprint) return record.key;
  }
  throw new UsageError(`the log has enrolled no key of ${id} with this thumbprint`);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
