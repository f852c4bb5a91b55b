import { sha256 } from '@noble/hashes/sha2.js';
import { equalBytes, portableHasher } from '@treering/merkle';
import { encodeUtf8, hex } from '@treering/note';
import { type ChangeRecord, type Issuer, printable } from '@treering/record';
import { isOwnContentType, twinOf } from '@treering/statement';
import { checkApproval, checkDeployment } from './approvals.js';
import { looksLikeBundle } from './authenticate.js';
import type { Candidate, IssuerFinding } from './candidate.js';
import { admitAgreement, admitCharter, admitProposal } from './charter.js';
import { checkCorrection } from './correction.js';
import { ADMINISTRATORS, type Decision, type Refusal, refuse } from './decision.js';
import { checkEnrolment } from './enrolment.js';
import { isForAdministrators } from './freezes.js';
import { matchesGlob, matchesText } from './glob.js';
import { findForeignRule, findRule } from './rules.js';
import { attachedBytes, attacherOf, dayOf, type GovernanceState } from './state.js';
import type { Identity } from './state-parts.js';

/** Seconds by which `iat` may differ from the log's clock, unless the policy narrows it. */
export const DEFAULT_CLOCK_SKEW = 300;

/**
 * Seconds by which what enrolled keys sign may be out of order in a log. Each was within the skew of the log's clock when it came,
 * and no policy widens that.
 */
const MOST_DISORDER = 2 * DEFAULT_CLOCK_SKEW;

/** Subjects by which the log governs itself: nothing foreign is said about them. */
const GOVERNING: readonly string[] = ['charter', 'policy', 'identity', 'freeze', 'map'];

/** Bytes of a foreign statement's subject; a log lists its entries by it. */
const MOST_SUBJECT_BYTES = 512;

/**
 * Decides whether a statement whose signature holds (`authenticate`) is admitted as the next entry. A pure function of the state
 * and the statement: no clock, no network (formats.md section 7). Server, monitor and offline verifier call this one.
 */
export function admit(state: GovernanceState, candidate: Candidate): Decision {
  const { statement, record } = candidate;
  if (state.charter === undefined) return admitCharter(candidate);
  const logged = state.entry(candidate.leaf, statement.sub);
  // What counts once must not count again: an approval that was taken back, a key's old word.
  if (logged !== undefined) {
    const message = `this statement is entry ${logged} already`;
    return { ...refuse('governance/logged-before', `entry@${logged}`, message), index: logged };
  }
  if (record === undefined) return admitForeign(state, candidate);
  if (record.subject !== statement.sub) {
    return refuse(
      'governance/invalid-record',
      'header',
      `the record is about ${record.subject} and the header about ${printable(statement.sub)}`,
    );
  }
  if (record.type === 'charter')
    return refuse('governance/charter-exists', 'charter', 'this log has its charter: it is entry 0');
  const signer = state.identity(statement.kid);
  if (signer === undefined) return refuse('governance/unknown-key', 'identities', 'no identity is enrolled with this key');
  return checkIdentity(state, candidate, signer) ?? admitRecord(state, candidate, signer, record);
}

function admitRecord(state: GovernanceState, candidate: Candidate, signer: Identity, record: ChangeRecord): Decision {
  const proposes = record.type === 'freeze' && isForAdministrators(state, record);
  if (record.type === 'policy' || record.type === 'amendment' || proposes) {
    const decision = admitProposal(state, signer, record);
    return decision.admitted ? (checkPrevious(state, record) ?? decision) : decision;
  }
  const agreement = record.type === 'approval' ? admitAgreement(state, signer, record) : undefined;
  if (agreement !== undefined) return agreement.admitted ? (checkPrevious(state, record) ?? agreement) : agreement;
  const allowed = findRule(state, signer, record);
  if (!allowed.admitted) return allowed;
  // Neither a freeze nor a limit ever locks the administrators out of the log's own rules.
  const governs = allowed.rule === ADMINISTRATORS;
  const frozen = governs ? undefined : checkFreezes(state, candidate);
  if (frozen !== undefined) return frozen;
  const iat = candidate.statement.iat as number;
  const refusal =
    (governs ? undefined : checkLimits(state, candidate, signer, record)) ??
    (record.type === 'identity' ? checkEnrolment(state, signer, record, iat, allowed.allowing, allowed.rule) : undefined) ??
    (record.type === 'approval' ? checkApproval(state, signer, record, iat) : undefined) ??
    (record.type === 'deployment' ? checkDeployment(state, record, iat) : undefined) ??
    (record.type === 'correction' ? checkCorrection(state, record) : undefined) ??
    checkPrevious(state, record);
  return refusal ?? { admitted: true, rule: allowed.rule };
}

/** Decides on a statement that is no record: somebody else's format, or somebody else's signature. */
function admitForeign(state: GovernanceState, candidate: Candidate): Decision {
  const { statement, verified } = candidate;
  const { sub, contentType } = statement;
  if (isOwnContentType(contentType))
    return refuse(
      'governance/foreign',
      'default deny',
      `a statement of the type ${printable(contentType ?? '')} is not logged`,
    );
  if (GOVERNING.includes(sub.split('/')[0]) || encodeUtf8(sub).length > MOST_SUBJECT_BYTES) {
    const message = `a foreign statement cannot be about ${printable(sub.slice(0, 100))}: the log governs itself by such subjects, or it has more than ${MOST_SUBJECT_BYTES} bytes`;
    return refuse('governance/foreign', 'subject', message);
  }
  if (verified === undefined)
    return refuse(
      'governance/foreign-not-verified',
      'default deny',
      'the signatures of the foreign statement were not verified',
    );
  // What is called a bundle in the log was verified. Of a digest nobody can, and only an issuer speaks for it himself.
  if (verified.enrolled && looksLikeBundle(statement.envelope?.contentType ?? '')) {
    const message =
      'the signatures within a bundle cannot be verified from its digest: send the bundle itself, or name another content type for the digest';
    return refuse('governance/foreign-not-verified', 'issuers', message);
  }
  const signer = state.identity(statement.kid);
  if (verified.enrolled && signer === undefined)
    return refuse('governance/unknown-key', 'identities', 'no identity is enrolled with this key');
  if (!verified.enrolled && signer !== undefined) {
    const message = `the key is enrolled as ${signer.id}, and the signature was checked as that of an issuer`;
    return refuse('governance/foreign-not-verified', 'identities', message);
  }
  const who = signer === undefined ? undefined : checkIdentity(state, candidate, signer);
  if (who !== undefined) return who;
  if (
    verified.issuer !== undefined &&
    !state.policy?.issuers?.some((known) => stillVouches(known, verified.issuer as IssuerFinding))
  ) {
    const message = `the policy in force does not name what the signature of ${printable(verified.issuer.issuer)} was checked with`;
    return refuse('governance/foreign-not-verified', 'issuers', message);
  }
  const allowed = findForeignRule(state, signer, verified.issuer, sub);
  if (allowed === undefined || !allowed.admitted) {
    const by = [signer?.id, verified.issuer?.issuer].filter((name) => name !== undefined).map((name) => printable(name));
    const message = `no rule of the policy lets ${by.join(' with ') || 'anybody'} log foreign statements on ${printable(sub)}`;
    return refuse('governance/foreign', 'default deny', message);
  }
  return (
    checkTwin(state, candidate) ??
    checkFreezes(state, candidate) ??
    checkEntryBytes(state, candidate) ?? { admitted: true, rule: allowed.rule }
  );
}

/** A foreign ECDSA signature has two forms; nobody logs a statement of somebody else a second time with the other. */
function checkTwin(state: GovernanceState, { statement }: Candidate): Refusal | undefined {
  const twin = twinOf(statement);
  const index = twin === undefined ? undefined : state.entry(portableHasher.hashLeaf(twin), statement.sub);
  if (index === undefined) return undefined;
  const message = `entry ${index} is this statement with the other form of its signature`;
  return { ...refuse('statement/twin', `entry@${index}`, message), index };
}

/** Seconds by which `iat` may differ from the log's clock under the policy in force. */
export function clockSkew(state: GovernanceState): number {
  return state.policy?.limits?.clock_skew ?? DEFAULT_CLOCK_SKEW;
}

/**
 * The door's own rule: `iat` lies close to the log's clock. Monitors check it against the heads around the entry instead. What
 * somebody outside the log signed may be old; it cannot be from the future.
 * @param now seconds since the epoch
 */
export function checkClock(
  state: GovernanceState,
  { statement, record }: Pick<Candidate, 'statement' | 'record'>,
  now: number,
): Decision {
  const { iat } = statement;
  const skew = clockSkew(state);
  const old = record === undefined && state.identity(statement.kid) === undefined;
  if (iat === undefined) {
    return old
      ? { admitted: true, rule: 'clock' }
      : refuse('governance/clock', 'clock', 'a statement of an enrolled key says when it was signed (iat)');
  }
  const difference = iat - now;
  if (difference <= skew && (old || difference >= -skew)) return { admitted: true, rule: 'clock' };
  const direction = difference < 0 ? 'old' : 'early';
  return refuse(
    'governance/clock',
    'clock',
    `the statement is ${Math.round(Math.abs(difference))} seconds too ${direction} for this log, which allows ${skew}; check your clock and sign again`,
  );
}

/** Whether a signature that was checked before would be found to hold under an issuer as the policy names it now. */
function stillVouches({ issuer, keys, roots, trusted_root, identities }: Issuer, finding: IssuerFinding): boolean {
  const anchors = [...(keys ?? []), ...(roots ?? []), ...(trusted_root === undefined ? [] : [trusted_root])];
  if (issuer !== finding.issuer || !anchors.some((anchor) => hex(sha256(anchor)) === finding.anchor)) return false;
  const { identity } = finding.claims;
  return identity === undefined || (identities ?? []).some((pattern) => matchesText(pattern, identity));
}

/** A time in seconds for a message; a record may name any number. */
function timeOf(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? `second ${seconds}` : date.toISOString();
}

function checkIdentity(state: GovernanceState, { statement }: Candidate, signer: Identity): Refusal | undefined {
  if (signer.revokedAt !== undefined) {
    return refuse(
      'governance/revoked-key',
      `identity@${signer.revokedAt}`,
      `this key of ${signer.id} was revoked by entry ${signer.revokedAt}`,
    );
  }
  if (statement.iat === undefined)
    return refuse('governance/invalid-record', 'header', 'a statement of an enrolled key says when it was signed (iat)');
  if (signer.validUntil !== undefined && statement.iat > signer.validUntil) {
    return refuse(
      'governance/expired-key',
      `identity@${signer.enrolledAt}`,
      `this key of ${signer.id} was enrolled until ${timeOf(signer.validUntil)}`,
    );
  }
  const behind = state.newestTime - statement.iat;
  if (behind > MOST_DISORDER) {
    // Nobody signs for an earlier time, when the key was still valid or a freeze had not begun.
    const message = `the statement was signed ${behind} seconds before another that is in the log, and ${MOST_DISORDER} can lie between them; check your clock and sign again`;
    return refuse('governance/clock', 'clock', message);
  }
  const issuer = `${state.charter?.origin}/identity/${signer.id}`;
  if (statement.iss !== issuer)
    return refuse('governance/wrong-issuer', 'header', `this key belongs to ${printable(issuer)}, which the issuer must be`);
  return undefined;
}

function checkFreezes(state: GovernanceState, { statement }: Candidate): Refusal | undefined {
  const freeze = state
    .freezes()
    .find((f) => matchesGlob(f.on, statement.sub) && (f.until === undefined || (statement.iat ?? 0) < f.until));
  if (freeze === undefined) return undefined;
  return refuse('governance/frozen', `freeze@${freeze.index}`, `${freeze.on} is frozen and accepts no more records`);
}

function checkEntryBytes(state: GovernanceState, { statement }: Candidate): Refusal | undefined {
  const limit = state.policy?.limits?.entry_bytes;
  if (limit === undefined || statement.entry.length <= limit) return undefined;
  const message = `the policy allows entries of ${limit} bytes, this one has ${statement.entry.length}`;
  return refuse('governance/limit', limitsRule(state), message);
}

function checkLimits(
  state: GovernanceState,
  candidate: Candidate,
  signer: Identity,
  record: ChangeRecord,
): Refusal | undefined {
  const limits = state.policy?.limits;
  const over = (message: string): Refusal => refuse('governance/limit', limitsRule(state), message);
  const attachments = record.attachments ?? [];
  if (limits?.attachments !== undefined && attachments.length > limits.attachments)
    return over(`the policy allows ${limits.attachments} attachments, this record names ${attachments.length}`);
  const most = limits?.attachment_bytes;
  const large = most === undefined ? undefined : attachments.find(({ size, access }) => access !== 'withheld' && size > most);
  if (large !== undefined)
    return over(`the policy allows attachments of ${most} bytes, ${printable(large.name)} has ${large.size}`);
  if (limits?.attachment_quota !== undefined && attachments.length > 0) {
    const id = attacherOf(signer.id, record);
    const used = state.attachedOn(id, dayOf(candidate.statement.iat as number));
    const wanted = attachedBytes(attachments);
    if (used + wanted > limits.attachment_quota)
      return over(
        `the policy allows ${limits.attachment_quota} bytes of attachments a day, and ${id} has attached ${used} before these ${wanted}`,
      );
  }
  if (record.type === 'deployment' && record.break_glass && limits?.break_glass !== true)
    return over('the policy allows no break-glass deployments');
  return checkEntryBytes(state, candidate);
}

function limitsRule(state: GovernanceState): string {
  return `policy@${state.policyIndex}/limits`;
}

function checkPrevious(state: GovernanceState, record: ChangeRecord): Refusal | undefined {
  const current = state.latest(record.subject);
  if (record.prev === undefined) {
    const open = record.type === 'deployment' ? state.version('deployment', record.subject) : undefined;
    if (record.type !== 'deployment' || record.phase !== 'intent' || open?.deployment?.phase !== 'intent') return undefined;
    // Of two that announce the first deployment of a service at once, one has to know of the other.
    const message = `entry ${open.index} announces a deployment of ${record.subject}, and nothing says yet what came of it: name the newest record of the subject in prev to take its place`;
    return { ...refuse('governance/prev-conflict', 'prev', message), current: current ?? open };
  }
  if (current !== undefined && equalBytes(current.leaf, record.prev)) return undefined;
  const message =
    current === undefined
      ? `${record.subject} has no record yet, so prev cannot name one`
      : `prev is not the newest record of ${record.subject}, which is entry ${current.index}`;
  return { ...refuse('governance/prev-conflict', 'prev', message), current };
}
