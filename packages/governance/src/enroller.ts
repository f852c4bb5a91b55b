import type { PolicyRule, RecordOf } from '@treering/record';
import { ADMINISTRATORS, type Refusal, refuse } from './decision.js';
import type { GovernanceState } from './state.js';
import type { Identity } from './state-parts.js';

/** Who enrolled whom: an id belongs to whatever enrolled its keys, so that nobody is taken over by a further key. */

/** Tokens of identity providers enrol ids that nobody else gives: each provider has a prefix of its own. */
const TOKENS = 'oidc/tokens';

/** By what an enrolment enrols: tokens, administrators, or the name of a rule, which has no slash. */
export function enrollerOf(
  { oidc }: RecordOf<'identity'>,
  signer: Pick<Identity, 'administrator'> | undefined,
  rule: Pick<PolicyRule, 'name'> | undefined,
): string {
  if (oidc !== undefined) return TOKENS;
  return signer?.administrator ? ADMINISTRATORS : (rule?.name ?? '');
}

/** Whether all keys that an id ever had were enrolled by this; also when it never had one. */
export function isEnrolledBy(state: GovernanceState, id: string, enroller: string): boolean {
  return state.identities().every((known) => known.id !== id || known.enrolledBy === enroller);
}

/**
 * Checks that whoever is no administrator enrols ids of its own only, and changes nothing about a key but how long it lasts.
 * @param known what the log knows of the key
 * @param rule name of the rule by which the signer enrols, and `allowing` that rule
 */
export function checkEnroller(
  state: GovernanceState,
  record: RecordOf<'identity'>,
  known: Identity | undefined,
  allowing: PolicyRule | undefined,
  rule: string,
): Refusal | undefined {
  const wrong = (message: string): Refusal => refuse('governance/not-allowed', rule, message);
  const { id, kind, roles = [], oidc } = record;
  const named = state.policy?.rules.find(({ who }) => who.ids?.includes(id));
  if (named !== undefined) return wrong(`the rule ${named.name} is about ${id}, whose keys an administrator enrols`);
  if (!isEnrolledBy(state, id, enrollerOf(record, undefined, allowing)))
    return wrong(`${id} was enrolled otherwise, and gets further keys the same way or from an administrator`);
  // A token proves the roles anew.
  if (known === undefined || oidc !== undefined) return undefined;
  if (kind === known.kind && roles.length === known.roles.length && roles.every((role) => known.roles.includes(role)))
    return undefined;
  return wrong(
    `this key of ${id} is a ${known.kind}'s with ${known.roles.join(', ') || 'no role'}; an administrator changes that`,
  );
}
