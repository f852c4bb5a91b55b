import { sha256 } from '@noble/hashes/sha2.js';
import { encodeCbor } from '@treering/statement';
import { sortResources } from './manifest.js';
import type { RecordOf } from './record.js';

const CONTEXT = new TextEncoder().encode('treering/config/v1');

/**
 * The digest of what a configuration sets, whatever its name, version and place in git: SHA-256("treering/config/v1" ‖ CBOR), 32
 * bytes. The deterministic CBOR is a map of `files`, pairs of path and digest in the order of the paths' code points, and of
 * `guardrails`, `parameters` and `system_prompt` as the record has them: an empty list, an empty map and null when it has none.
 */
export function configDigest(
  config: Pick<RecordOf<'config'>, 'files' | 'guardrails' | 'parameters' | 'system_prompt'>,
): Uint8Array {
  const { files, guardrails = [], parameters = {}, system_prompt = null } = config;
  const sorted = sortResources(files.map(({ path, digest }) => ({ name: path, digest })));
  const pairs = sorted.map(({ name, digest }) => [name, digest]);
  const content = encodeCbor({ files: pairs, guardrails, parameters, system_prompt });
  return sha256.create().update(CONTEXT).update(content).digest();
}
