import type { LogClient, ReadEntry } from '@treering/client';
import { equalBytes } from '@treering/merkle';
import { type ChangeRecord, isSubject, printable, type RecordOf, renderRecord } from '@treering/record';
import { UsageError } from './exit.js';
import { newestRecord } from './newest-record.js';
import type { Session } from './session.js';

/** An entry that an incident affects. */
export interface Affected {
  readonly index: number;
  /** 32 bytes */
  readonly leaf: Uint8Array;
  readonly subject: string;
  /** What it is, for people. */
  readonly what: string;
}

type Running = RecordOf<'deployment'> | RecordOf<'model'> | RecordOf<'config'> | RecordOf<'system'>;

/**
 * The entries that a user names: by index or leaf hash the entry itself; by subject its newest active deployment with the model and the
 * configuration that it put into service, or the newest version of a model, a configuration or a system.
 * @throws UsageError for a subject of which nothing can be affected, ClientError for an entry that is not there
 */
export async function affectedBy(session: Session, client: LogClient, names: readonly string[]): Promise<Affected[]> {
  const out: Affected[] = [];
  for (const name of names)
    for (const entry of await named(session, client, name))
      if (!out.some(({ leaf }) => equalBytes(leaf, entry.leaf))) out.push(describe(entry));
  return out;
}

async function named(session: Session, client: LogClient, name: string): Promise<ReadEntry[]> {
  if (/^(?:0|[1-9][0-9]{0,15})$/.test(name) || /^[0-9a-f]{64}$/.test(name)) return [await client.entry(name)];
  if (!isSubject(name))
    throw new UsageError(
      `${printable(name)} is no index, no leaf hash of 64 hex digits and no subject such as deploy/prod/triage`,
    );
  const { found } = await newestRecord(session, client, name, isRunning);
  if (found === undefined)
    throw new UsageError(
      `nothing on ${name} was ever in service: there is no active deployment, model, configuration or system; name an entry`,
    );
  const { record } = found;
  if (record.type !== 'deployment') return [found];
  return [found, await client.entry(hex(record.model)), await client.entry(hex(record.config))];
}

function isRunning(record: ChangeRecord): record is Running {
  if (record.type === 'deployment') return record.phase === 'active';
  return record.type === 'model' || record.type === 'config' || record.type === 'system';
}

function describe({ index, leaf, statement, record }: ReadEntry): Affected {
  const what = record === undefined ? 'a foreign statement' : renderRecord(record).title;
  return { index, leaf, subject: statement.sub, what };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
