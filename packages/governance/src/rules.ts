import type { ChangeRecord, PolicyBody, PolicyRule, RecordOf } from '@treering/record';
import type { IssuerFinding } from './candidate.js';
import { ADMINISTRATORS, type Decision, refuse } from './decision.js';
import { enrollerOf, isEnrolledBy } from './enroller.js';
import { coversGlob, matchesGlob, matchesText } from './glob.js';
import type { GovernanceState } from './state.js';
import type { Identity } from './state-parts.js';

/** Which rule of the policy in force lets somebody record something (formats.md section 7). Default deny. */

/** A decision that names the rule of the policy that allowed. */
export type RuleDecision = Decision & { readonly allowing?: PolicyRule };

/** The rule by which an enrolled key may record this. */
export function findRule(state: GovernanceState, signer: Identity, record: ChangeRecord): RuleDecision {
  if (record.type === 'map-head')
    return refuse('governance/not-allowed', 'charter', `${record.type} records are written by the log alone`);
  if (record.type === 'identity' && signer.administrator) return { admitted: true, rule: ADMINISTRATORS };
  const fitting = (state.policy?.rules ?? []).filter((rule) => fits(rule, signer, record));
  const allowing = record.type === 'identity' ? enrollingRule(state, fitting, record) : fitting[0];
  if (allowing !== undefined) return { admitted: true, rule: `policy@${state.policyIndex}/${allowing.name}`, allowing };
  return refuse(
    'governance/not-allowed',
    'default deny',
    `no rule of the policy lets ${signer.id} (${signer.roles.join(', ') || 'no role'}) record ${record.type} on ${record.subject}`,
  );
}

/** Of several rules that let enrol, the one that may give these roles, and rather the one that enrolled the id before. */
function enrollingRule(state: GovernanceState, fitting: readonly PolicyRule[], record: RecordOf<'identity'>) {
  const giving = fitting.filter((rule) => givesRoles(rule, record));
  if (giving.length < 2) return giving[0] ?? fitting[0];
  return giving.find((rule) => isEnrolledBy(state, record.id, enrollerOf(record, undefined, rule))) ?? giving[0];
}

/**
 * The rule of a policy by which somebody may record a type on a subject; undefined when none lets them. For trying a policy out:
 * approvals, limits and freezes are not asked.
 */
export function ruleFor(
  policy: PolicyBody,
  who: Pick<Identity, 'id' | 'roles'>,
  type: ChangeRecord['type'],
  subject: string,
): PolicyRule | undefined {
  if (['charter', 'policy', 'amendment', 'map-head'].includes(type)) return undefined;
  return policy.rules.find((rule) => fits(rule, who, { type, subject } as ChangeRecord));
}

/** The rule by which a foreign statement on this subject may be logged. */
export function findForeignRule(
  state: GovernanceState,
  signer: Identity | undefined,
  issuer: IssuerFinding | undefined,
  subject: string,
): RuleDecision | undefined {
  for (const rule of state.policy?.rules ?? []) {
    if (!rule.may.includes('foreign') && !(signer !== undefined && rule.may.includes('*'))) continue;
    if (!rule.on.some((glob) => matchesGlob(glob, subject))) continue;
    if (fitsSigner(rule, signer) && fitsIssuer(rule, issuer))
      return { admitted: true, rule: `policy@${state.policyIndex}/${rule.name}`, allowing: rule };
  }
  return undefined;
}

/** A rule that grants roles itself takes no tokens: whoever it is about is nobody who verifies them. */
function givesRoles({ grants }: PolicyRule, record: RecordOf<'identity'>): boolean {
  if (record.action === 'revoke') return true;
  if (record.oidc !== undefined) return grants === undefined;
  return grants !== undefined && (record.roles ?? []).every((role) => grants.includes(role));
}

function fits(rule: PolicyRule, signer: Pick<Identity, 'id' | 'roles'>, record: ChangeRecord): boolean {
  // Issuer and claims describe foreign statements; a record by an enrolled key never fits such a rule.
  if (rule.who.issuer !== undefined || !fitsSigner(rule, signer)) return false;
  if (!opens(rule, record.type)) return false;
  // What is frozen must lie within the rule as well as the name of the freeze.
  if (record.type === 'freeze' && record.on !== undefined && !rule.on.some((glob) => coversGlob(glob, record.on))) return false;
  return rule.on.some((glob) => matchesGlob(glob, record.subject));
}

/** Whether a rule opens a type. With `*`, identities are meant only where the rule says which roles it gives. */
function opens({ may, grants }: PolicyRule, type: ChangeRecord['type']): boolean {
  return may.includes(type) || (may.includes('*') && (type !== 'identity' || grants !== undefined));
}

function fitsSigner({ who: { roles, ids, issuer } }: PolicyRule, signer: Pick<Identity, 'id' | 'roles'> | undefined): boolean {
  if (signer === undefined) return roles === undefined && ids === undefined && issuer !== undefined;
  if (roles !== undefined && !roles.some((role) => signer.roles.includes(role))) return false;
  return ids === undefined || ids.includes(signer.id);
}

function fitsIssuer({ who }: PolicyRule, issuer: IssuerFinding | undefined): boolean {
  if (who.issuer === undefined) return true;
  if (issuer?.issuer !== who.issuer) return false;
  return Object.entries(who.claims ?? {}).every(
    ([name, pattern]) => Object.hasOwn(issuer.claims, name) && matchesText(pattern, issuer.claims[name]),
  );
}
