import type { LogClient } from '@treering/client';
import { configDigest, stateDigest } from '@treering/record';
import { UsageError } from './exit.js';

/**
 * The state digest of a deployment, from the records that it names.
 * @param model leaf hash of a model record in hex, and `config` of a configuration; `image` the digest of an image
 * @returns 64 hex digits
 * @throws UsageError when an entry is no such record: nobody can tell its digest then
 */
export async function deployedState(client: LogClient, model: string, config: string, image?: string): Promise<string> {
  const [first, second] = await Promise.all([client.entry(model), client.entry(config)]);
  if (first.record?.type !== 'model') throw new UsageError(`entry ${first.index} is no model record: say the state yourself`);
  if (second.record?.type !== 'config')
    throw new UsageError(`entry ${second.index} is no config record: say the state yourself`);
  const digest = image === undefined ? undefined : new Uint8Array(Buffer.from(image, 'hex'));
  return Buffer.from(stateDigest(first.record.digest, configDigest(second.record), digest)).toString('hex');
}
