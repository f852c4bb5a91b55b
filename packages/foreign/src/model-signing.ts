import { sha256 } from '@noble/hashes/sha2.js';
import { hex } from '@treering/note';
import { parseManifest, RecordError } from '@treering/record';
import { ForeignError } from './errors.js';
import { members } from './strict-json.js';

/** What OpenSSF model signing names its predicates; only version 1.0 is read. */
const PREDICATES = 'https://model_signing/';
const MODEL_SIGNING = `${PREDICATES}signature/v1.0`;

/**
 * Checks that a statement of OpenSSF model signing is about what it lists: its one subject is the SHA-256 over the raw digests of
 * its resources (https://github.com/ossf/model-signing-spec), whatever these are digests of. Other statements are not looked at.
 * @param payload the same statement in bytes
 * @throws ForeignError
 */
export function checkModelSigning(statement: Record<string, unknown>, payload: Uint8Array): void {
  const { predicateType, predicate } = statement;
  if (typeof predicateType !== 'string' || !predicateType.startsWith(PREDICATES)) return;
  if (predicateType !== MODEL_SIGNING)
    throw new ForeignError('foreign/unsupported', 'of model signing, only statements of version 1.0 are read');
  const { serialization, resources } = members(predicate) ?? {};
  const how = members(serialization) ?? malformed('does not say how it was made');
  if (how.method === 'files' && how.hash_type === 'sha256') checkFiles(payload);
  else checkRoot(statement.subject, resources);
}

/** Files with SHA-256 are read as the manifests that are recorded here. */
function checkFiles(payload: Uint8Array): void {
  try {
    parseManifest(payload);
  } catch (error) {
    if (!(error instanceof RecordError)) throw error;
    throw new ForeignError('foreign/malformed', error.message, { cause: error });
  }
}

/** Shards and other hash functions are allowed by the specification; the root is over their digests in the order of the list. */
function checkRoot(subject: unknown, resources: unknown): void {
  const [only, ...more] = Array.isArray(subject) ? subject : [];
  const root = members(members(only)?.digest)?.sha256;
  if (more.length > 0 || typeof root !== 'string') malformed('does not have exactly one subject with a SHA-256 digest');
  if (!Array.isArray(resources) || resources.length === 0) malformed('lists no resources');
  const hash = sha256.create();
  const names = new Set<string>();
  for (const item of resources as unknown[]) {
    const { name, algorithm, digest } = members(item) ?? {};
    if (typeof name !== 'string' || typeof algorithm !== 'string' || names.has(name))
      malformed('holds a resource that is not understood');
    names.add(name as string);
    hash.update(unhex(digest) ?? malformed(`has no digest for ${JSON.stringify(name)}`));
  }
  if (hex(hash.digest()) !== root) malformed('names resources that do not hash to its subject');
}

function unhex(text: unknown): Uint8Array | undefined {
  if (typeof text !== 'string' || !/^(?:[0-9a-f]{2}){16,64}$/.test(text)) return undefined;
  return Uint8Array.from(text.match(/../g) as string[], (byte) => Number.parseInt(byte, 16));
}

function malformed(why: string): never {
  throw new ForeignError('foreign/malformed', `the model signing statement ${why}`);
}
