import type { ApprovalRule, PolicyBody } from '@treering/record';
import { ADMINISTRATORS, type Refusal, refuse } from './decision.js';
import { overlapsGlob } from './glob.js';
import type { Identity } from './state-parts.js';

/** After what changes nobody could change the rules any more, or do what they ask for. */

/**
 * Checks those who would be administrators after a change: as many as must agree need keys that do not expire, because whoever
 * signs last may do so at any time.
 */
export function checkAdministratorsLeft(
  left: readonly Pick<Identity, 'id' | 'validUntil'>[],
  threshold: number,
): Refusal | undefined {
  const lasting = new Set(left.filter(({ validUntil }) => validUntil === undefined).map(({ id }) => id)).size;
  if (lasting >= threshold) return undefined;
  const message = `${threshold} administrators must agree on a change of the rules, and only ${lasting} would have keys that do not expire; name them in an amendment of the charter first`;
  return refuse('governance/locks-out', ADMINISTRATORS, message);
}

/** What a policy asks for and lets nobody do, whoever holds which role. */
export function deadlocksOf(policy: PolicyBody): string[] {
  const out = policy.rules.length === 0 ? ['no rule lets anybody record anything'] : [];
  for (const rule of policy.approvals ?? []) {
    const people = mostApprovers(policy, rule);
    if (people >= rule.need) continue;
    const most = people === 0 ? 'no rule lets anybody' : `the rules let at most ${people} people`;
    out.push(`${rule.on} needs ${rule.need} approvals, and ${most} record an approval there: nothing could be deployed`);
  }
  return out;
}

/** How many people could record an approval that counts under a rule. Roles are given freely, so only ids are a limit. */
function mostApprovers({ rules }: PolicyBody, { on }: ApprovalRule): number {
  const ids = new Set<string>();
  for (const { who, may, on: globs } of rules) {
    const fits = who.issuer === undefined && (may.includes('approval') || may.includes('*'));
    if (!fits || !globs.some((glob) => overlapsGlob(glob, on))) continue;
    if (who.ids === undefined) return Number.POSITIVE_INFINITY;
    for (const id of who.ids) ids.add(id);
  }
  return ids.size;
}
