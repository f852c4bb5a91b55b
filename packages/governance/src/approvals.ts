import { hex } from '@treering/note';
import type { ApprovalRule, RecordOf } from '@treering/record';
import { type Refusal, refuse } from './decision.js';
import { checkState } from './deployed-state.js';
import { checkGates } from './gates.js';
import { matchesGlob, reaches } from './glob.js';
import type { GovernanceState } from './state.js';
import type { ApprovalFact, DeploymentFacts, Identity, Version } from './state-parts.js';

/** Who may approve what, and what has to be approved before it is deployed. */

/**
 * Checks an approval or a rejection: the target is the newest record of its type on the approval's subject, the signer is a
 * person who holds the role, and not the author where the policy says so.
 */
export function checkApproval(
  state: GovernanceState,
  signer: Identity,
  record: RecordOf<'approval'>,
  iat: number,
): Refusal | undefined {
  if (signer.kind !== 'person')
    return refuse('governance/not-allowed', 'approval', `${signer.id} is a workload; approvals are decisions of people`);
  if (!signer.roles.includes(record.role)) {
    const message = `${signer.id} does not hold the role ${record.role}, and cannot decide in it`;
    return refuse('governance/not-allowed', 'approval', message);
  }
  const target = state.newest(hex(record.target));
  if (target === undefined || target.subject !== record.subject) {
    return refuse(
      'governance/approval-target',
      'approval',
      `the target is not the newest record of its type on ${record.subject}; what an earlier version was approved for ends with the next`,
    );
  }
  if (record.expires !== undefined && record.expires <= iat * 1000)
    return refuse('governance/invalid-record', 'approval', 'the approval expires before it is signed');
  const rule = rulesFor(state, record.subject).find(({ not_author, roles }) => not_author && roles.includes(record.role));
  if (record.decision === 'approve' && rule !== undefined && target.authors.includes(signer.id)) {
    return refuse(
      'governance/own-change',
      ruleName(state, rule),
      `${signer.id} is an author of this change, and somebody else approves it`,
    );
  }
  return undefined;
}

/**
 * Checks that what a deployment needs is approved, and that gates are satisfied: before an `intent` for the model and the
 * configuration, before `active` for the intent itself, and for those of the intent once more: much may have changed since. Only what is active already is carried on
 * by a further `active` record with the same state, unless that one was rejected.
 */
export function checkDeployment(state: GovernanceState, record: RecordOf<'deployment'>, iat: number): Refusal | undefined {
  const previous = state.version('deployment', record.subject);
  const continues = record.phase !== 'intent' && previous !== undefined && carriesOn(record, previous.deployment);
  const named = checkNamed(state, record, continues ? previous : undefined);
  if (named !== undefined || record.phase === 'ended') return named;
  if (record.break_glass) return checkState(state, record);
  if (!continues || previous?.deployment?.phase !== 'active') {
    for (const part of ['model', 'config'] as const) {
      const refusal = checkPart(state, part, record[part], iat);
      if (refusal !== undefined) return refusal;
    }
    const missing = checkGates(state, record, iat);
    if (missing !== undefined) return missing;
  }
  const wrong = checkState(state, record);
  if (wrong !== undefined || record.phase !== 'active') return wrong;
  for (const rule of rulesFor(state, record.subject)) {
    if (!continues || previous?.deployment === undefined) {
      return refuse(
        'governance/not-approved',
        ruleName(state, rule),
        `a deployment to ${record.subject} needs approvals, and they are given to its intent: record the intent first, with the same model, configuration and state`,
      );
    }
    const check = previous.deployment.phase === 'intent' ? checkTally : checkRejections;
    const refusal = check(state, previous, rule, iat);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

function carriesOn(record: RecordOf<'deployment'>, before: DeploymentFacts | undefined): boolean {
  if (before === undefined || before.phase === 'ended' || (before.breakGlass && !record.break_glass)) return false;
  const image = record.image === undefined ? '' : hex(record.image);
  return (
    before.state === hex(record.state) &&
    before.model === hex(record.model) &&
    before.config === hex(record.config) &&
    before.image === image
  );
}

function checkPart(state: GovernanceState, part: 'model' | 'config', leaf: Uint8Array, iat: number): Refusal | undefined {
  const target = state.newest(hex(leaf));
  if (target === undefined || target.type !== part) {
    const rule = state.policy?.approvals?.find(({ on }) => reaches(on, part));
    if (rule === undefined) return undefined;
    const message = `the ${part} ${hex(leaf)} is not the newest record of any ${part}, so nothing tells that it is approved; record that version again, or name the newest`;
    return refuse('governance/not-approved', ruleName(state, rule), message);
  }
  for (const rule of rulesFor(state, target.subject)) {
    const refusal = checkTally(state, target, rule, iat);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

/** What a deployment calls its approvals must be some. */
function checkNamed(
  state: GovernanceState,
  record: RecordOf<'deployment'>,
  previous: Version | undefined,
): Refusal | undefined {
  const targets = [record.model, record.config, ...(previous === undefined ? [] : [previous.leaf])].map(hex);
  const counting = new Set(
    targets
      .flatMap((target) => state.approvals(target).filter(({ decision }) => decision === 'approve'))
      .map(({ leaf }) => leaf),
  );
  for (const leaf of previous?.deployment?.approvals ?? []) counting.add(leaf);
  const wrong = record.approvals.map(hex).find((leaf) => !counting.has(leaf));
  if (wrong === undefined) return undefined;
  return refuse('governance/not-approved', 'approval', `${wrong} is no approval of what this deployment names`);
}

/** Where the decisions about an entry stand under one rule. */
export interface Tally {
  readonly approved: readonly ApprovalFact[];
  readonly rejected: readonly ApprovalFact[];
}

/**
 * Counts the decisions about an entry that a rule takes, in its roles; one person counts once, with the newest. An approval has to
 * be good at the time: its signer still holds the role with a key that is not revoked, it is fresh, has not expired, and is by no
 * author. A rejection stands, however old it is and whatever has become of its signer, until the same person approves or a new
 * version comes: time and staff changes never let through what somebody stopped.
 * @param at seconds since the epoch
 */
export function tallyApprovals(state: GovernanceState, target: Version, rule: ApprovalRule, at: number): Tally {
  const decisions = state.approvals(hex(target.leaf)).filter(({ role }) => rule.roles.includes(role));
  return {
    approved: decisions.filter((fact) => fact.decision === 'approve' && isGood(state, target, rule, fact, at)),
    rejected: decisions.filter(({ decision }) => decision === 'reject'),
  };
}

/**
 * Whether a deployment that is announced has what rules on its own subject ask for before it becomes active, as of the newest entry.
 * @param leaf leaf hash of the `intent` in hex
 * @returns false as well when there are no such rules, or when something newer takes its place
 */
export function isApproved(state: GovernanceState, leaf: string): boolean {
  const target = state.newest(leaf);
  if (target === undefined) return false;
  const rules = rulesFor(state, target.subject);
  return rules.length > 0 && rules.every((rule) => checkTally(state, target, rule, state.newestTime) === undefined);
}

function checkRejections(state: GovernanceState, target: Version, rule: ApprovalRule, at: number): Refusal | undefined {
  const { rejected } = tallyApprovals(state, target, rule, at);
  if (rejected.length === 0) return undefined;
  const message = `${nameOf(target)} was rejected by ${rejected.map(({ id }) => id).join(', ')} with entry ${rejected[0].index}`;
  return refuse('governance/not-approved', ruleName(state, rule), message);
}

function isGood(state: GovernanceState, target: Version, rule: ApprovalRule, fact: ApprovalFact, at: number): boolean {
  const { id, kid, role, iat, expires } = fact;
  const signer = state.identityOf(kid);
  if (signer === undefined || signer.revokedAt !== undefined || !signer.roles.includes(role)) return false;
  if (rule.not_author && target.authors.includes(id)) return false;
  return (expires === undefined || at * 1000 < expires) && (rule.within === undefined || at - iat <= rule.within);
}

function checkTally(state: GovernanceState, target: Version, rule: ApprovalRule, at: number): Refusal | undefined {
  const rejected = checkRejections(state, target, rule, at);
  const { approved } = tallyApprovals(state, target, rule, at);
  if (rejected !== undefined || approved.length >= rule.need) return rejected;
  const fresh = rule.within === undefined ? '' : `, not older than ${rule.within} seconds`;
  return refuse(
    'governance/not-approved',
    ruleName(state, rule),
    `${nameOf(target)} needs ${rule.need} approvals by ${rule.roles.join(' or ')}${rule.not_author ? ' other than its authors' : ''}${fresh}, and has ${approved.length}`,
  );
}

function nameOf({ index, type, subject }: Version): string {
  return `entry ${index} (${type} ${subject})`;
}

/** The approval rules of the policy in force that a subject falls under. */
export function rulesFor(state: GovernanceState, subject: string): ApprovalRule[] {
  return (state.policy?.approvals ?? []).filter(({ on }) => matchesGlob(on, subject));
}

function ruleName(state: GovernanceState, rule: ApprovalRule): string {
  return `policy@${state.policyIndex}/approvals/${rule.on}`;
}
