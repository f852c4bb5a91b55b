import { sha256 } from '@noble/hashes/sha2.js';
import { RecordError } from './errors.js';

/** A file of a model, as OpenSSF model signing v1.0 describes it. */
export interface ManifestResource {
  /** Path below the model's folder with '/', or '.' when the model is a single file. */
  readonly name: string;
  /** SHA-256, 32 bytes. */
  readonly digest: Uint8Array;
}

/** Names at the top of a model's folder that model signing leaves out. */
export const DEFAULT_IGNORED: readonly string[] = ['.git', '.gitattributes', '.github', '.gitignore'];

const encoder = new TextEncoder();

/** Resources in the order of their names' code points. */
export function sortResources(resources: readonly ManifestResource[]): ManifestResource[] {
  return [...resources].sort((a, b) => compareUtf8(a.name, b.name));
}

/**
 * The manifest's root: SHA-256 over the raw digests in the order of the names (OpenSSF model signing v1.0).
 * @throws RecordError (manifest/invalid) for no resources, the same name twice, or a digest that is not 32 bytes
 */
export function manifestRoot(resources: readonly ManifestResource[]): Uint8Array {
  if (resources.length === 0) throw new RecordError('manifest/invalid', 'there are no files to make a manifest of');
  const hash = sha256.create();
  let last: string | undefined;
  for (const { name, digest } of sortResources(resources)) {
    if (name === last) throw new RecordError('manifest/invalid', `the manifest names ${JSON.stringify(name)} twice`);
    if (digest.length !== 32)
      throw new RecordError('manifest/invalid', `the digest of ${JSON.stringify(name)} is not 32 bytes`);
    hash.update(digest);
    last = name;
  }
  return hash.digest();
}

/** SHA-256 over the digests in the order in which they are given. */
function rootInOrder(resources: readonly ManifestResource[]): Uint8Array {
  const hash = sha256.create();
  for (const { digest } of resources) hash.update(digest);
  return hash.digest();
}

/** The predicate type of OpenSSF model signing v1.0. */
const MODEL_SIGNING_PREDICATE = 'https://model_signing/signature/v1.0';

/**
 * The manifest as the in-toto statement of OpenSSF model signing v1.0, in JSON: what is attached to a model record, and what a
 * model-signing verifier reads.
 */
export function formatManifest(
  modelName: string,
  resources: readonly ManifestResource[],
  ignored: readonly string[] = [],
): Uint8Array {
  const sorted = sortResources(resources);
  const statement = {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: modelName, digest: { sha256: hex(manifestRoot(sorted)) } }],
    predicateType: MODEL_SIGNING_PREDICATE,
    predicate: {
      serialization: {
        method: 'files',
        hash_type: 'sha256',
        allow_symlinks: false,
        ...(ignored.length > 0 ? { ignore_paths: [...ignored].sort() } : {}),
      },
      resources: sorted.map(({ name, digest }) => ({ name, algorithm: 'sha256', digest: hex(digest) })),
    },
  };
  return encoder.encode(`${JSON.stringify(statement, null, 1)}\n`);
}

/** A model-signing statement as read. */
export interface ModelSigningManifest {
  readonly name: string;
  /** SHA-256 root as the statement's subject claims it; `manifestRoot(resources)` is compared with it on reading. */
  readonly root: Uint8Array;
  readonly resources: readonly ManifestResource[];
  readonly ignored: readonly string[];
}

/**
 * Reads a model-signing v1.0 statement (files method, SHA-256) and checks that its parts agree.
 * @throws RecordError (manifest/invalid)
 */
export function parseManifest(bytes: Uint8Array): ModelSigningManifest {
  const fail = (why: string): never => {
    throw new RecordError('manifest/invalid', `the model signing statement ${why}`);
  };
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return fail('is no JSON');
  }
  const statement = object(json) ?? fail('is no JSON object');
  if (statement._type !== 'https://in-toto.io/Statement/v1') fail('is no in-toto statement v1');
  const { predicateType } = statement;
  if (predicateType !== MODEL_SIGNING_PREDICATE)
    fail(typeof predicateType === 'string' ? `has the predicate type ${predicateType}` : 'has no predicate type');
  const subjects = Array.isArray(statement.subject) ? statement.subject : [];
  if (subjects.length !== 1) fail('does not have exactly one subject');
  const subject = object(subjects[0]);
  const root = unhex(object(subject?.digest)?.sha256) ?? fail('has no SHA-256 digest of its subject');
  const predicate = object(statement.predicate) ?? fail('has no predicate');
  const serialization = object(predicate.serialization) ?? fail('does not say how it was made');
  if (serialization.method !== 'files' || serialization.hash_type !== 'sha256')
    fail('was not made from files with SHA-256, which is all that is read here');
  const resources = (Array.isArray(predicate.resources) ? predicate.resources : []).map((item): ManifestResource => {
    const resource = object(item);
    if (typeof resource?.name !== 'string' || resource.algorithm !== 'sha256')
      return fail('holds a resource that is not understood');
    return {
      name: resource.name,
      digest: unhex(resource.digest) ?? fail(`has no digest for ${JSON.stringify(resource.name)}`),
    };
  });
  // Signers list by code points, as the specification says, or by the segments of the paths; the root is over their order.
  const roots = [rootInOrder(resources), manifestRoot(resources)].map(hex);
  if (!roots.includes(hex(root))) fail('names resources that do not hash to its subject');
  const ignored = (Array.isArray(serialization.ignore_paths) ? serialization.ignore_paths : []).filter(isText);
  return { name: typeof subject?.name === 'string' ? subject.name : '', root, resources, ignored };
}

function object(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
}

/** Whoever signed it may have put anything there, also lists in lists that are too deep to be written as a text. */
function isText(value: unknown): value is string {
  return typeof value === 'string';
}

/** Code point order, which is the order of the UTF-8 bytes. */
function compareUtf8(a: string, b: string): number {
  const [left, right] = [encoder.encode(a), encoder.encode(b)];
  for (let i = 0; i < left.length && i < right.length; i++) if (left[i] !== right[i]) return left[i] - right[i];
  return left.length - right.length;
}

/** Lower-case hex. */
export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function unhex(text: unknown): Uint8Array | undefined {
  if (typeof text !== 'string' || !/^[0-9a-f]{64}$/.test(text)) return undefined;
  return Uint8Array.from(text.match(/../g) as string[], (byte) => Number.parseInt(byte, 16));
}
