import { equalBytes } from '@treering/merkle';
import { hex } from '@treering/note';
import { type ChangeRecord, type PolicyRule, printable, type RecordOf } from '@treering/record';
import { type CoseKey, coseKeyThumbprint, parseCoseKey, StatementError, type StatementHeader } from '@treering/statement';
import type { Candidate } from './candidate.js';
import type { RefusalCode } from './errors.js';
import { coversGlob, matchesGlob } from './glob.js';
import type { GovernanceState, Identity, LatestRecord } from './state.js';

/** The verdict on one statement. `rule` names what decided. */
export type Decision =
  | { readonly admitted: true; readonly rule: string }
  | {
      readonly admitted: false;
      readonly code: RefusalCode;
      /** The rule that decided, such as `policy@0/engineers` or `default deny`. */
      readonly rule: string;
      readonly message: string;
      /** For governance/prev-conflict: the subject's newest record, if it has one. */
      readonly current?: LatestRecord | undefined;
    };

/** Seconds by which `iat` may differ from the log's clock, unless the policy narrows it. */
export const DEFAULT_CLOCK_SKEW = 300;

/** The rule by which administrators act on keys and policy. */
const ADMINISTRATORS = 'charter/administrators';
/** The role that only administrators give. */
const ADMINISTRATOR_ROLE = 'administrator';

/** Types that no policy rule can open: they have rules of their own. */
const RESERVED: readonly string[] = ['charter', 'policy', 'map-head'];

/**
 * The key under which a statement's signature has to hold, or undefined when the log knows none.
 * The charter brings its own keys.
 */
export function keyFor(state: GovernanceState, candidate: Candidate): CoseKey | undefined {
  const { record, statement } = candidate;
  if (state.charter === undefined && record?.type === 'charter') return charterSigner(record, statement.kid)?.key;
  return state.identity(statement.kid)?.key;
}

/**
 * Decides whether a statement whose signature holds is admitted as the next entry. A pure function of the state and the
 * statement: no clock, no network (formats.md section 7). Server, monitor and offline verifier call this one.
 */
export function admit(state: GovernanceState, candidate: Candidate): Decision {
  const { statement, record } = candidate;
  if (state.charter === undefined) return admitCharter(candidate);
  if (record === undefined) {
    return refuse(
      'governance/foreign',
      'default deny',
      `no rule of the policy allows statements of the content type ${printable(statement.contentType)}`,
    );
  }
  if (record.subject !== statement.sub) {
    return refuse(
      'governance/invalid-record',
      'header',
      `the record is about ${record.subject} and the header about ${printable(statement.sub)}`,
    );
  }
  if (record.type === 'charter')
    return refuse('governance/charter-exists', 'charter', 'this log has its charter: it is entry 0');

  const identity = state.identity(statement.kid);
  const identityRefusal = checkIdentity(state, candidate, identity);
  if (identity === undefined || identityRefusal !== undefined) {
    return identityRefusal ?? refuse('governance/unknown-key', 'identities', 'no identity is enrolled with this key');
  }
  const allowed = findRule(state, identity, record);
  if (!allowed.admitted) return allowed;
  // A freeze never locks the administrators out of the log's own rules.
  const governing = allowed.rule === ADMINISTRATORS;
  const freeze = governing
    ? undefined
    : state.freezes().find((f) => matchesGlob(f.on, record.subject) && (f.until === undefined || statement.iat < f.until));
  if (freeze !== undefined)
    return refuse('governance/frozen', `freeze@${freeze.index}`, `${freeze.on} is frozen and accepts no more records`);

  const limit = checkLimits(state, candidate, record);
  if (limit !== undefined) return limit;
  const taken = record.type === 'identity' ? checkEnrolment(state, identity, record) : undefined;
  if (taken !== undefined) return taken;
  return checkPrevious(state, record) ?? allowed;
}

/**
 * The door's own rule: `iat` lies close to the log's clock. Monitors check it against the heads around the entry instead.
 * @param now seconds since the epoch
 */
export function checkClock(state: GovernanceState, statement: Pick<StatementHeader, 'iat'>, now: number): Decision {
  const skew = state.policy?.limits?.clock_skew ?? DEFAULT_CLOCK_SKEW;
  const difference = Math.abs(statement.iat - now);
  if (difference <= skew) return { admitted: true, rule: 'clock' };
  const direction = statement.iat < now ? 'old' : 'early';
  return refuse(
    'governance/clock',
    'clock',
    `the statement is ${Math.round(difference)} seconds too ${direction} for this log, which allows ${skew}; check your clock and sign again`,
  );
}

function admitCharter({ statement, record }: Candidate): Decision {
  if (record?.type !== 'charter') return refuse('governance/no-charter', 'charter', 'a log begins with its charter');
  if (record.subject !== statement.sub)
    return refuse('governance/invalid-record', 'header', 'the header is about something else than the charter');
  if (record.prev !== undefined)
    return refuse('governance/prev-conflict', 'prev', 'nothing comes before the charter that prev could name');
  const signer = charterSigner(record, statement.kid);
  if (signer === undefined)
    return refuse(
      'governance/bad-charter',
      'charter',
      'the charter is not signed by one of the administrators that it names, or their keys are not all different keys',
    );
  if (statement.iss !== `${record.origin}/identity/${signer.id}`) {
    return refuse('governance/wrong-issuer', 'charter', `the issuer must be ${printable(record.origin)}/identity/${signer.id}`);
  }
  return { admitted: true, rule: 'charter' };
}

/** The administrator who signed a charter; undefined when none did, or the charter's keys are not all different keys. */
function charterSigner(charter: RecordOf<'charter'>, kid: Uint8Array): { id: string; key: CoseKey } | undefined {
  const thumbprints = new Set<string>();
  let signer: { id: string; key: CoseKey } | undefined;
  for (const { id, key: bytes } of charter.administrators) {
    try {
      const key = parseCoseKey(bytes);
      const thumbprint = coseKeyThumbprint(key);
      thumbprints.add(hex(thumbprint));
      if (equalBytes(thumbprint, kid)) signer = { id, key };
    } catch (error) {
      if (!(error instanceof StatementError)) throw error;
      return undefined;
    }
  }
  return thumbprints.size === charter.administrators.length ? signer : undefined;
}

function checkIdentity(state: GovernanceState, { statement }: Candidate, identity: Identity | undefined): Decision | undefined {
  if (identity === undefined) return undefined;
  if (identity.revokedAt !== undefined) {
    return refuse(
      'governance/revoked-key',
      `identity@${identity.revokedAt}`,
      `this key of ${identity.id} was revoked by entry ${identity.revokedAt}`,
    );
  }
  if (identity.validUntil !== undefined && statement.iat > identity.validUntil) {
    return refuse(
      'governance/expired-key',
      `identity@${identity.enrolledAt}`,
      `this key of ${identity.id} was enrolled until ${new Date(identity.validUntil * 1000).toISOString()}`,
    );
  }
  const issuer = `${state.charter?.origin}/identity/${identity.id}`;
  if (statement.iss !== issuer)
    return refuse('governance/wrong-issuer', 'header', `this key belongs to ${printable(issuer)}, which the issuer must be`);
  return undefined;
}

function findRule(state: GovernanceState, identity: Identity, record: ChangeRecord): Decision & { rule: string } {
  if (record.type === 'policy') {
    const threshold = state.charter?.threshold ?? 1;
    if (!identity.administrator)
      return refuse('governance/not-allowed', ADMINISTRATORS, 'only an administrator of the charter changes the policy');
    if (threshold > 1) {
      return refuse(
        'governance/threshold',
        ADMINISTRATORS,
        `the charter asks ${threshold} administrators to agree on a policy, and this statement carries the word of one`,
      );
    }
    return { admitted: true, rule: ADMINISTRATORS };
  }
  if (RESERVED.includes(record.type))
    return refuse('governance/not-allowed', 'charter', `${record.type} records are written by the log alone`);
  if (record.type === 'identity' && identity.administrator) return { admitted: true, rule: ADMINISTRATORS };
  for (const rule of state.policy?.rules ?? []) {
    if (fits(rule, identity, record)) return { admitted: true, rule: `policy@${state.policyIndex}/${rule.name}` };
  }
  return refuse(
    'governance/not-allowed',
    'default deny',
    `no rule of the policy lets ${identity.id} (${identity.roles.join(', ') || 'no role'}) record ${record.type} on ${record.subject}`,
  );
}

function fits(rule: PolicyRule, identity: Identity, record: ChangeRecord): boolean {
  const { roles, ids, issuer, claims } = rule.who;
  // Issuer and claims describe foreign statements; an enrolled key never fits such a rule.
  if (issuer !== undefined || claims !== undefined) return false;
  if (roles !== undefined && !roles.some((role) => identity.roles.includes(role))) return false;
  if (ids !== undefined && !ids.includes(identity.id)) return false;
  if (!rule.may.includes('*') && !rule.may.includes(record.type)) return false;
  // What is frozen must lie within the rule as well as the name of the freeze.
  if (record.type === 'freeze' && !rule.on.some((glob) => coversGlob(glob, record.on))) return false;
  return rule.on.some((glob) => matchesGlob(glob, record.subject));
}

function checkLimits(state: GovernanceState, { statement }: Candidate, record: ChangeRecord): Decision | undefined {
  const limits = state.policy?.limits;
  const rule = `policy@${state.policyIndex}/limits`;
  if (limits?.entry_bytes !== undefined && statement.entry.length > limits.entry_bytes) {
    return refuse(
      'governance/limit',
      rule,
      `the policy allows entries of ${limits.entry_bytes} bytes, this one has ${statement.entry.length}`,
    );
  }
  if (limits?.attachments !== undefined && (record.attachments?.length ?? 0) > limits.attachments) {
    return refuse(
      'governance/limit',
      rule,
      `the policy allows ${limits.attachments} attachments, this record names ${record.attachments?.length}`,
    );
  }
  if (record.type === 'deployment' && record.break_glass && limits?.break_glass !== true) {
    return refuse('governance/limit', rule, 'the policy allows no break-glass deployments');
  }
  return undefined;
}

function checkEnrolment(state: GovernanceState, signer: Identity, record: RecordOf<'identity'>): Decision | undefined {
  if (!signer.administrator) {
    // Whoever may enrol others must not come by an administrator's rights that way.
    const theirs = state.identities().some((identity) => identity.administrator && identity.id === record.id);
    if (theirs || record.roles?.includes(ADMINISTRATOR_ROLE)) {
      return refuse('governance/not-allowed', ADMINISTRATORS, 'only an administrator enrols or revokes keys of administrators');
    }
  }
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

function checkPrevious(state: GovernanceState, record: ChangeRecord): Decision | undefined {
  if (record.prev === undefined) return undefined;
  const current = state.latest(record.subject);
  if (current !== undefined && equalBytes(current.leaf, record.prev)) return undefined;
  const message =
    current === undefined
      ? `${record.subject} has no record yet, so prev cannot name one`
      : `prev is not the newest record of ${record.subject}, which is entry ${current.index}`;
  return { ...refuse('governance/prev-conflict', 'prev', message), current };
}

function refuse(code: RefusalCode, rule: string, message: string): Extract<Decision, { admitted: false }> {
  return { admitted: false, code, rule, message };
}
