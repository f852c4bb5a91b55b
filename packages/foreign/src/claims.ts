import type { DsseEnvelope } from '@treering/statement';
import { IN_TOTO_PAYLOAD, type InTotoStatement, parseInToto } from './in-toto.js';

/**
 * What a verified envelope vouches for, for the rules of a policy: `payload_type` and, for in-toto statements, `predicate_type`,
 * `subject_name` and `subject_digest` (SHA-256). What differs between the subjects of a statement is claimed of none, so that a
 * rule that asks for it is never satisfied by one of them alone. A model-signing statement must hash to its subject.
 * @throws ForeignError when the payload is not what its type says
 */
export function claimsOf(envelope: Pick<DsseEnvelope, 'payload' | 'payloadType'>): Record<string, string> {
  const { payload, payloadType } = envelope;
  if (payloadType !== IN_TOTO_PAYLOAD) return { payload_type: payloadType };
  const { predicateType, subjects } = parseInToto(payload);
  const name = same(subjects, (subject) => subject.name);
  const digest = same(subjects, ({ digests }) => digests.sha256);
  return {
    payload_type: payloadType,
    predicate_type: predicateType,
    ...(name === undefined ? {} : { subject_name: name }),
    ...(digest === undefined ? {} : { subject_digest: digest }),
  };
}

/** What is the same for all subjects, or undefined. */
function same(
  subjects: InTotoStatement['subjects'],
  of: (subject: InTotoStatement['subjects'][number]) => string | undefined,
): string | undefined {
  const [first, ...others] = subjects.map(of);
  return others.every((value) => value === first) ? first : undefined;
}
