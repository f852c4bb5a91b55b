import { decodeUtf8 } from '@treering/note';
import { parseManifest, RecordError } from '@treering/record';
import type { DsseEnvelope } from '@treering/statement';
import { ForeignError } from './errors.js';
import { IN_TOTO_PAYLOAD, parseInToto } from './in-toto.js';

/** Predicate types of OpenSSF model signing; what else is written by it is refused. */
const MODEL_SIGNING = 'https://model_signing/signature/v1.0';

/**
 * What a verified envelope vouches for, for the rules of a policy: `payload_type` and, for in-toto statements, `predicate_type`,
 * `subject_name` and `subject_digest` of its first subject. A model-signing statement must hash to its subject.
 * @throws ForeignError when the payload is not what its type says
 */
export function claimsOf(envelope: Pick<DsseEnvelope, 'payload' | 'payloadType'>): Record<string, string> {
  const { payload, payloadType } = envelope;
  const claims: Record<string, string> = { payload_type: payloadType };
  if (payloadType !== IN_TOTO_PAYLOAD) return claims;
  const { predicateType, subjects } = parseInToto(payload);
  claims.predicate_type = predicateType;
  claims.subject_name = subjects[0].name;
  const { sha256 } = subjects[0].digests;
  if (sha256 !== undefined) claims.subject_digest = sha256;
  if (predicateType === MODEL_SIGNING && isFilesWithSha256(payload)) checkModel(payload);
  return claims;
}

function checkModel(payload: Uint8Array): void {
  try {
    parseManifest(payload);
  } catch (error) {
    if (!(error instanceof RecordError)) throw error;
    throw new ForeignError('foreign/malformed', error.message, { cause: error });
  }
}

/** Shards and other hash functions are allowed by the specification, and their root is over other digests. */
function isFilesWithSha256(payload: Uint8Array): boolean {
  const { predicate } = JSON.parse(decodeUtf8(payload)) as {
    predicate?: { serialization?: { method?: unknown; hash_type?: unknown } };
  };
  const serialization = predicate?.serialization;
  return serialization?.method === 'files' && serialization.hash_type === 'sha256';
}
