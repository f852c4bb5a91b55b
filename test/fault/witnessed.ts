import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatVerifierKey, type LogTrust } from '@treering/note';
import { configSchema, type ServedWitness, serveWitness } from '@treering/witness';

/** A witness of one log in this process, and what the log's configuration says about it. */
export interface OwnWitness {
  readonly served: ServedWitness;
  /** The configuration of a log that publishes nothing without this witness. */
  readonly config: { readonly witnesses: string };
}

/** Begins a witness in an existing empty folder, for a log that it has never seen. */
export async function beginWitness(data: string, { logKeys }: LogTrust): Promise<OwnWitness> {
  writeFileSync(join(data, 'logs.txt'), logKeys.map((key) => `log ${formatVerifierKey(key)}\n`).join(''));
  const served = await openWitness(data);
  const witnesses = join(data, 'policy');
  writeFileSync(witnesses, `witness own ${served.vkeys[0]} ${served.url}\nquorum own\n`);
  return { served, config: { witnesses } };
}

/** Opens such a witness again. */
export function openWitness(data: string): Promise<ServedWitness> {
  return serveWitness(configSchema.parse({ data, listen: '127.0.0.1:0', name: 'witness.test/own', log_level: 'silent' }));
}
