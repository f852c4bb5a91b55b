import type { ApprovalRule, ChangeRecord, GateRule, OidcProvider, PolicyBody, PolicyRule } from '@treering/record';
import { ADMINISTRATOR_ROLE } from './decision.js';
import { coversGlob } from './glob.js';
import { deadlocksOf } from './lock-out.js';

/** A policy in plain language, and what looks wrong in it. */
export interface PolicyReading {
  readonly sentences: readonly string[];
  /** What cannot be meant: with it nobody could do what the policy asks for. */
  readonly mistakes: readonly string[];
  /** What may be meant. */
  readonly remarks: readonly string[];
}

/** What the evidence of an enrolment may need: header, claims and key of a token. */
const EVIDENCE_BYTES = 16_384;

/** Reads a policy to people before it is signed. */
export function explainPolicy(policy: PolicyBody): PolicyReading {
  const sentences = [
    ...policy.rules.map(readRule),
    ...(policy.approvals ?? []).map(readApproval),
    ...(policy.gates ?? []).map(readGate),
    ...(policy.oidc ?? []).map(readProvider),
    ...(policy.issuers ?? []).map(
      ({ issuer, keys, roots, trusted_root, identities }) =>
        `Signatures of ${issuer} count with ${[keys && `${keys.length} keys`, roots && `${roots.length} root certificates`, trusted_root && 'a Sigstore trusted root'].filter(Boolean).join(', ')}${identities === undefined ? '' : `, for ${identities.join(' or ')}`}.`,
    ),
    ...readLimits(policy),
    'Everything else is refused. Administrators of the charter enrol and revoke keys, and change this policy.',
  ];
  return { sentences, mistakes: [...mistakesOf(policy), ...stallingLimits(policy)], remarks: remarksOf(policy) };
}

/** What is known to be wrong with a record before it is signed, whatever the state of the log; the log looks at that as well. */
export function mistakesIn(record: ChangeRecord): string[] {
  if (record.type === 'policy') return mistakesOf(record.policy);
  if (record.type !== 'amendment' || record.administrators === undefined) return [];
  const { administrators, threshold = 1 } = record;
  if (administrators.length >= threshold) return [];
  return [`${threshold} administrators would have to agree, and the amendment names ${administrators.length}`];
}

function readRule(rule: PolicyRule): string {
  const { name, who, may, on, grants } = rule;
  const people = [
    who.roles && `whoever holds the role ${who.roles.join(' or ')}`,
    who.ids?.join(' or '),
    who.issuer && `the issuer ${who.issuer}${who.claims === undefined ? '' : ` with ${pairs(who.claims)}`}`,
  ].filter(Boolean);
  const what = may.includes('*')
    ? `everything${may.includes('identity') || grants !== undefined ? '' : ' but identity'}`
    : may.map((type) => (type === 'foreign' ? 'foreign statements' : type)).join(', ');
  const where = on.includes('**') ? 'on every subject' : `on ${on.join(' and ')}`;
  const tokens = takesTokens(rule) ? ', and enrols what a token of an identity provider proves' : '';
  const gives = grants === undefined ? tokens : `, and gives the roles ${grants.join(', ') || 'none'}`;
  return `${name}: ${people.join(', being ')} may record ${what} ${where}${gives}.`;
}

function readApproval({ on, need, roles, not_author, within }: ApprovalRule): string {
  const fresh = within === undefined ? '' : `, none older than ${duration(within)}`;
  return `Before ${on} is deployed, ${need} ${need === 1 ? 'person' : 'different people'} with the role ${roles.join(' or ')} must approve${not_author ? ', none of them an author' : ''}${fresh}; one rejection blocks until its signer approves or a new version comes.`;
}

function readGate({ on, evaluation, assessment, incidents }: GateRule): string {
  const wanted: string[] = [];
  if (evaluation !== undefined) {
    const { suite, within, tolerances = [], not_author } = evaluation;
    const bounds = tolerances.map(({ metric, slice, min, max }) => {
      const name = slice === undefined ? metric : `${metric} of ${slice}`;
      return `${name}${min === undefined ? '' : ` at least ${min}`}${max === undefined ? '' : ` at most ${max}`}`;
    });
    wanted.push(
      `an evaluation${suite === undefined ? '' : ` of ${suite}`} must pass${within === undefined ? '' : `, none older than ${duration(within)}`}${not_author ? ', by somebody other than its authors' : ''}${bounds.length === 0 ? '' : `, with ${bounds.join(' and ')}`}`,
    );
  }
  if (assessment !== undefined) {
    const by = assessment !== true && assessment.not_author ? ', by somebody other than its authors,' : '';
    wanted.push(`model and configuration must be assessed${by} as no substantial change, or as conforming again`);
  }
  if (incidents !== undefined) wanted.push(`no incident of ${incidents} severity or worse that affects it may be open`);
  return `Before ${on} is deployed, ${wanted.join('; ')}.`;
}

function readProvider({ name, issuer, audience, kind, prefix, binding, grants, valid_for }: OidcProvider): string {
  const roles = grants.map((grant) => `${grant.roles.join(', ')} for ${pairs(grant.claims) || 'everybody'}`).join('; ');
  return `A token of ${issuer} for ${audience} enrols a ${kind} as ${prefix}-… for ${duration(valid_for)} (${name}, bound by ${binding}): ${roles}.`;
}

function readLimits({ limits }: PolicyBody): string[] {
  if (limits === undefined) return [];
  const { entry_bytes, attachments, attachment_bytes, attachment_quota, clock_skew, break_glass } = limits;
  const parts = [
    entry_bytes && `an entry has at most ${entry_bytes} bytes`,
    attachments !== undefined && `a record has at most ${attachments} attachments`,
    attachment_bytes !== undefined && `an attachment has at most ${attachment_bytes} bytes`,
    attachment_quota !== undefined && `one identity attaches at most ${attachment_quota} bytes a day`,
    clock_skew && `clocks differ by at most ${clock_skew} seconds`,
    break_glass && 'break-glass deployments are allowed, and always an alarm',
  ].filter(Boolean);
  return parts.length === 0 ? [] : [`Limits: ${parts.join('; ')}.`];
}

function mistakesOf(policy: PolicyBody): string[] {
  const out = deadlocksOf(policy);
  for (const { on, roles, need } of out.length > 0 ? [] : (policy.approvals ?? [])) {
    const givers = roles.filter((role) => canApprove(policy, role, on));
    if (givers.length === 0)
      out.push(
        `${on} needs ${need} approvals by ${roles.join(' or ')}, and no rule lets any of them record an approval everywhere there: something could not be deployed`,
      );
  }
  for (const { on, evaluation, assessment } of policy.gates ?? []) {
    const wanted = [evaluation && 'evaluation', assessment && 'assessment'].filter((type) => type !== undefined);
    for (const type of wanted as ('evaluation' | 'assessment')[])
      if (!policy.rules.some(({ who, may }) => who.issuer === undefined && (may.includes(type) || may.includes('*'))))
        out.push(`${on} needs an ${type}, and no rule lets anybody record one: nothing could be deployed`);
  }
  for (const { name, who } of policy.rules) {
    const known = (policy.issuers ?? []).some(({ issuer }) => issuer === who.issuer);
    if (who.issuer !== undefined && !known)
      out.push(`the rule ${name} is about the issuer ${who.issuer}, whose keys the policy does not name`);
  }
  if ((policy.oidc ?? []).length > 0 && !policy.rules.some(takesTokens))
    out.push('identity providers are named, and no rule lets a registrar record identity by their tokens, without grants');
  return out;
}

function takesTokens({ may, grants }: PolicyRule): boolean {
  return may.includes('identity') && grants === undefined;
}

/** Limits that stop what the policy asks for elsewhere. */
function stallingLimits({ oidc = [], limits }: PolicyBody): string[] {
  const enrols = oidc.length > 0;
  const least = Math.min(limits?.attachment_bytes ?? EVIDENCE_BYTES, limits?.attachment_quota ?? EVIDENCE_BYTES);
  if (enrols && limits?.attachments === 0)
    return ['no record has an attachment, and an enrolment by token has its evidence attached: nobody could log in'];
  if (enrols && least < EVIDENCE_BYTES)
    return [`attachments of ${least} bytes are too small for the evidence of an enrolment by token: nobody could log in`];
  return [];
}

/** What is deployed: a pattern for everything is about these. */
const DEPLOYED = ['model/*', 'config/*', 'deploy/**'];

/** Whether a role approves wherever approvals are asked for, by one rule for each kind of subject. */
function canApprove({ rules }: PolicyBody, role: string, on: string): boolean {
  const approving = rules.filter(
    ({ who, may }) =>
      who.issuer === undefined &&
      (who.roles === undefined || who.roles.includes(role)) &&
      (may.includes('approval') || may.includes('*')),
  );
  const wanted = on === '**' ? DEPLOYED : [on];
  return wanted.every((pattern) => approving.some((rule) => rule.on.some((glob) => coversGlob(glob, pattern))));
}

function remarksOf(policy: PolicyBody): string[] {
  const out: string[] = [];
  const deploys = policy.rules.some(({ may }) => may.includes('deployment') || may.includes('*'));
  if (deploys && (policy.approvals ?? []).length === 0) out.push('nothing has to be approved before it is deployed');
  for (const rule of policy.rules) {
    const { name, may } = rule;
    if (takesTokens(rule) && (policy.oidc ?? []).length === 0)
      out.push(`the rule ${name} lets record identity, without grants and without identity providers: it enrols nobody`);
    if (may.includes('*') && !isForAdministrators(rule))
      out.push(`the rule ${name} lets record everything, also freezes and corrections: name the types that are meant`);
  }
  for (const { prefix } of policy.oidc ?? []) {
    const about = policy.rules.find(({ who }) => who.ids?.some((id) => id.startsWith(`${prefix}-`)));
    if (about !== undefined)
      out.push(`the rule ${about.name} is about ids of ${prefix}-…: administrators enrol them, and no token does any more`);
  }
  for (const { name, binding, kind } of policy.oidc ?? []) {
    if (binding === 'possession')
      out.push(
        `tokens of ${name} are bound to no key: whoever steals one first enrols with it, once${kind === 'person' ? '; people should be bound by nonce' : ''}`,
      );
  }
  for (const { on, not_author, within } of policy.approvals ?? []) {
    if (on.split('/').slice(0, -1).includes('**'))
      out.push(`in ${on}, "**" stands for one segment: only at the end of a pattern it stands for more`);
    if (within !== undefined && within < 60) out.push(`approvals of ${on} are too old after ${duration(within)}`);
    if (!not_author) out.push(`authors may approve their own changes of ${on}`);
  }
  return out;
}

function isForAdministrators({ who: { roles } }: PolicyRule): boolean {
  return roles?.length === 1 && roles[0] === ADMINISTRATOR_ROLE;
}

function pairs(claims: Readonly<Record<string, string>>): string {
  return Object.entries(claims)
    .map(([name, pattern]) => `${name} = ${pattern}`)
    .join(' and ');
}

function duration(seconds: number): string {
  if (seconds % 86_400 === 0) return `${seconds / 86_400} days`;
  return seconds % 3600 === 0 ? `${seconds / 3600} hours` : `${seconds} seconds`;
}
