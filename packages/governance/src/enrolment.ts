import { equalBytes } from '@treering/merkle';
import { hex } from '@treering/note';
import type { OidcProvider, PolicyRule, RecordOf } from '@treering/record';
import { coseKeyThumbprint, parseCoseKey, StatementError } from '@treering/statement';
import { ADMINISTRATOR_ROLE, ADMINISTRATORS, type Refusal, refuse } from './decision.js';
import { checkEnroller } from './enroller.js';
import { matchesText } from './glob.js';
import { checkAdministratorsLeft } from './lock-out.js';
import type { GovernanceState } from './state.js';
import type { Identity } from './state-parts.js';

/** What somebody who may record `identity` may say in it. */

/**
 * Checks an enrolment or a revocation.
 * @param allowing the rule that lets the signer record it, and `rule` its name; undefined for administrators
 */
export function checkEnrolment(
  state: GovernanceState,
  signer: Identity,
  record: RecordOf<'identity'>,
  iat: number,
  allowing: PolicyRule | undefined,
  rule: string,
): Refusal | undefined {
  const theirs = state.identities().some((identity) => identity.administrator && identity.id === record.id);
  // Whoever may enrol others must not come by an administrator's rights that way.
  if (!signer.administrator && (theirs || record.roles?.includes(ADMINISTRATOR_ROLE))) {
    return refuse('governance/not-allowed', ADMINISTRATORS, 'only an administrator enrols or revokes keys of administrators');
  }
  if (record.action === 'enrol' && record.kind === 'person' && !isPseudonym(record.id))
    return refuse('governance/invalid-record', 'identity', NO_PSEUDONYM);
  return (
    (record.oidc === undefined ? undefined : checkToken(state, record, iat)) ??
    checkGrant(signer, record, allowing, rule) ??
    checkKey(state, record) ??
    (signer.administrator || record.action === 'revoke'
      ? undefined
      : checkEnroller(state, record, keyOf(state, record), allowing, rule)) ??
    (theirs ? checkAdministrators(state, signer, record) : undefined)
  );
}

/** Why an id of a person is not taken. */
export const NO_PSEUDONYM = 'an id of a person stays in the log for ever and holds no "@": it must be no mail address';

/** Whether an id can be a person's: a mail address is a name, and a log forgets none. Workloads are called as it suits. */
export function isPseudonym(id: string): boolean {
  return !id.includes('@');
}

/** With several administrators to agree, one alone changes no other's key; nobody takes away those that are needed. */
function checkAdministrators(state: GovernanceState, signer: Identity, record: RecordOf<'identity'>): Refusal | undefined {
  const kid = record.key === undefined ? undefined : hex(coseKeyThumbprint(parseCoseKey(record.key)));
  const enrols = record.action === 'enrol';
  const touches = (identity: Identity): boolean => kid === undefined || hex(coseKeyThumbprint(identity.key)) === kid;
  const theirKey = state.administrators().some((identity) => identity.id === record.id && touches(identity));
  // Whoever stole an administrator's key may have enrolled others under that name; none of them is an administrator.
  if (!enrols && kid !== undefined && !theirKey) return undefined;
  if (state.threshold > 1 && (record.id !== signer.id || (enrols && theirKey))) {
    const message = `${state.threshold} administrators must agree to change the keys of ${record.id}: record an amendment of the administrators`;
    return refuse('governance/not-allowed', ADMINISTRATORS, message);
  }
  if (enrols && !theirKey) return undefined;
  const left = state.administrators().flatMap((identity) => {
    if (identity.id !== record.id || !touches(identity)) return [identity];
    return enrols ? [{ ...identity, validUntil: record.valid_until }] : [];
  });
  return checkAdministratorsLeft(left, state.threshold);
}

/** Which roles the rule lets its holder give without a token; a rule that gives some takes no token, which is not seen here. */
function checkGrant(
  signer: Identity,
  record: RecordOf<'identity'>,
  allowing: PolicyRule | undefined,
  rule: string,
): Refusal | undefined {
  if (signer.administrator || record.action === 'revoke') return undefined;
  const grants = allowing?.grants;
  if (record.oidc !== undefined) {
    if (grants === undefined) return undefined;
    const message = 'this rule grants roles and takes no tokens; a registrar has a rule that names identity, without grants';
    return refuse('governance/not-allowed', rule, message);
  }
  if (grants === undefined) {
    const message =
      'this rule enrols only what the token of an identity provider proves; name roles in its grants to allow more';
    return refuse('governance/not-allowed', rule, message);
  }
  const beyond = record.roles?.find((role) => !grants.includes(role));
  if (beyond === undefined) return undefined;
  return refuse('governance/not-allowed', rule, `this rule gives ${grants.join(', ') || 'no role'}, and not ${beyond}`);
}

/** The part of an enrolment by token that can be checked without the token. */
function checkToken(state: GovernanceState, record: RecordOf<'identity'>, iat: number): Refusal | undefined {
  const { provider: name, token } = record.oidc as NonNullable<typeof record.oidc>;
  const rule = `policy@${state.policyIndex}/oidc/${name}`;
  const wrong = (message: string): Refusal => refuse('governance/not-allowed', rule, message);
  if (record.action !== 'enrol') return wrong('a token enrols a key and revokes none');
  const provider = state.policy?.oidc?.find((known) => known.name === name);
  if (provider === undefined) return wrong(`the policy names no identity provider ${name}`);
  if (!holdsEvidence(record)) return wrong('an enrolment by token names its evidence, which is a restricted attachment of it');
  if (record.kind !== provider.kind) return wrong(`tokens of ${name} enrol a ${provider.kind}`);
  if (!new RegExp(`^${literal(provider.prefix)}-[a-z2-7]{26}$`).test(record.id))
    return wrong(`an id from ${name} reads ${provider.prefix}-<26 characters>`);
  const roles = new Set(provider.grants.flatMap((grant) => grant.roles));
  const beyond = record.roles?.find((role) => !roles.has(role));
  if (beyond !== undefined) return wrong(`tokens of ${name} give ${[...roles].join(', ')}, and not ${beyond}`);
  if ((record.valid_until as number) - iat > provider.valid_for)
    return wrong(`an enrolment by ${name} lasts at most ${provider.valid_for} seconds`);
  const used = state.tokenUse(hex(token));
  if (used === undefined) return undefined;
  return refuse('governance/token-used', `identity@${used}`, `this token enrolled a key already, with entry ${used}`);
}

/** What re-verifies the token later has to be stored, and to be read by those only who may see whom it names. */
function holdsEvidence({ evidence, attachments }: RecordOf<'identity'>): boolean {
  if (evidence?.access !== 'restricted') return false;
  return (attachments ?? []).some(({ digest, access }) => access === 'restricted' && equalBytes(digest, evidence.digest));
}

function literal(text: string): string {
  return text.replace(/[.]/g, '\\.');
}

function checkKey(state: GovernanceState, record: RecordOf<'identity'>): Refusal | undefined {
  if (record.key === undefined) {
    const some = state.identities().some((known) => known.id === record.id && known.revokedAt === undefined);
    return some ? undefined : refuse('governance/unknown-key', 'identities', `${record.id} has no key that could be revoked`);
  }
  let kid: Uint8Array;
  try {
    kid = coseKeyThumbprint(parseCoseKey(record.key));
  } catch (error) {
    if (!(error instanceof StatementError)) throw error;
    return refuse('governance/invalid-record', 'identity', `the key cannot be enrolled: ${error.message}`);
  }
  const known = state.identity(kid);
  if (record.action === 'revoke' && known === undefined) {
    return refuse('governance/unknown-key', 'identities', 'this key is not enrolled, so there is nothing to revoke');
  }
  if (known !== undefined && known.id !== record.id)
    return refuse('governance/key-taken', `identity@${known.enrolledAt}`, 'this key belongs to another identity already');
  if (record.action === 'enrol' && known?.revokedAt !== undefined) {
    return refuse(
      'governance/revoked-key',
      `identity@${known.revokedAt}`,
      'a revoked key is never enrolled again; make a new one',
    );
  }
  return undefined;
}

function keyOf(state: GovernanceState, record: RecordOf<'identity'>): Identity | undefined {
  return state.identity(coseKeyThumbprint(parseCoseKey(record.key as Uint8Array)));
}

/**
 * The roles that a token's claims give under a provider of the policy. Used when the token is exchanged for an enrolment, and
 * again by whoever re-verifies the evidence.
 * @returns no roles when no grant fits: nothing is enrolled then
 */
export function rolesFor(provider: OidcProvider, claims: Readonly<Record<string, unknown>>): string[] {
  const fitting = provider.grants.filter((grant) =>
    Object.entries(grant.claims).every(([path, pattern]) =>
      valuesAt(claims, path).some((value) => matchesText(pattern, value)),
    ),
  );
  return [...new Set(fitting.flatMap(({ roles }) => roles))].sort();
}

/** The texts at a path of claims, `/` between names; of a list each. */
function valuesAt(claims: Readonly<Record<string, unknown>>, path: string): string[] {
  let value: unknown = claims;
  // A claim's own name may hold a slash (https://example.com/groups): the whole path is tried first.
  if (Object.hasOwn(claims, path)) value = claims[path];
  else {
    for (const name of path.split('/')) {
      if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, name)) return [];
      value = (value as Record<string, unknown>)[name];
    }
  }
  const list: unknown[] = Array.isArray(value) ? value : [value];
  return list.filter((item) => ['string', 'number', 'boolean'].includes(typeof item)).map(String);
}
