import { equalBytes } from '@treering/merkle';
import { hex, NoteError, parseVerifierKey } from '@treering/note';
import { type PolicyBody, printable, type RecordOf } from '@treering/record';
import { type CoseKey, coseKeyThumbprint, parseCoseKey, StatementError } from '@treering/statement';
import type { Candidate } from './candidate.js';
import { ADMINISTRATORS, type Decision, type Refusal, refuse } from './decision.js';
import { isPseudonym, NO_PSEUDONYM } from './enrolment.js';
import { checkAdministratorsLeft, deadlocksOf } from './lock-out.js';
import type { GovernanceState } from './state.js';
import type { Identity, Proposal } from './state-parts.js';

/** How a log begins, and what administrators decide on together: amendments, policies, and freezes that stop the log. */

/** Decides on entry 0. */
export function admitCharter({ statement, record }: Candidate): Decision {
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
  if (!record.administrators.every(({ id }) => isPseudonym(id)))
    return refuse('governance/bad-charter', 'charter', NO_PSEUDONYM);
  const wrong = policyMistake(record.policy, record.origin);
  if (wrong !== undefined) return refuse('governance/bad-charter', 'charter', wrong);
  return { admitted: true, rule: 'charter' };
}

/** The administrator who signed a charter; undefined when none did, or the charter's keys are not all different keys. */
export function charterSigner(
  charter: RecordOf<'charter'>,
  kid: Uint8Array | undefined,
): { id: string; key: CoseKey } | undefined {
  const keys = readKeys(charter.administrators);
  if (keys === undefined || kid === undefined) return undefined;
  const at = keys.findIndex((key) => equalBytes(coseKeyThumbprint(key), kid));
  return at < 0 ? undefined : { id: charter.administrators[at].id, key: keys[at] };
}

/** Decides on a new policy, an amendment, or a freeze that is the administrators'. In force at once, or when as many administrators as the threshold asks for agree. */
export function admitProposal(state: GovernanceState, signer: Identity, record: Proposal['record']): Decision {
  if (!signer.administrator) {
    const what =
      record.type === 'freeze' ? 'lifts a freeze, or freezes without an end or across subjects' : `records ${record.type}`;
    return refuse('governance/not-allowed', ADMINISTRATORS, `only an administrator of the charter ${what}`);
  }
  return proposalMistake(state, record) ?? { admitted: true, rule: ADMINISTRATORS };
}

/**
 * Decides on an administrator's approval or rejection of what is proposed.
 * @returns undefined when the approval is not about a proposal
 */
export function admitAgreement(state: GovernanceState, signer: Identity, record: RecordOf<'approval'>): Decision | undefined {
  const proposal = state.proposal(record.subject);
  if (proposal === undefined || !equalBytes(proposal.leaf, record.target)) return undefined;
  if (!signer.administrator) {
    const message = `only an administrator of the charter decides on the proposed ${proposal.record.type}`;
    return refuse('governance/not-allowed', ADMINISTRATORS, message);
  }
  if (record.role !== 'administrator')
    return refuse('governance/invalid-record', ADMINISTRATORS, 'who decides on a proposal does so as administrator');
  // The log may have changed since it was proposed, so that it would be a mistake now.
  const mistake = record.decision === 'approve' ? proposalMistake(state, proposal.record) : undefined;
  return mistake ?? { admitted: true, rule: ADMINISTRATORS };
}

function proposalMistake(state: GovernanceState, record: Proposal['record']): Refusal | undefined {
  const origin = state.charter?.origin ?? '';
  if (record.type === 'freeze') return undefined;
  if (record.type === 'amendment') return amendmentMistake(state, record, origin);
  const wrong = policyMistake(record.policy, origin);
  if (wrong !== undefined) return refuse('governance/invalid-record', 'policy', wrong);
  // A log may begin without rules; it is not brought back to that.
  const deadlock = deadlocksOf(record.policy)[0];
  return deadlock === undefined ? undefined : refuse('governance/locks-out', 'policy', deadlock);
}

/** What is wrong with keys in a policy; whether it is wise is another question (`explainPolicy`). */
function policyMistake(policy: PolicyBody, origin: string): string | undefined {
  for (const { issuer, keys } of policy.issuers ?? []) {
    if (issuer.startsWith(`${origin}/`))
      return `${printable(issuer)} is a name within this log, and enrolled keys speak for it`;
    for (const key of keys ?? []) {
      try {
        parseCoseKey(key);
      } catch (error) {
        if (!(error instanceof StatementError)) throw error;
        return `a key of the issuer ${printable(issuer)} cannot be used: ${error.message}`;
      }
    }
  }
  const known = new Set((policy.issuers ?? []).map(({ issuer }) => issuer));
  const unknown = policy.rules.find(({ who }) => who.issuer !== undefined && !known.has(who.issuer));
  if (unknown !== undefined)
    return `the rule ${unknown.name} is about the issuer ${printable(unknown.who.issuer as string)}, whose keys the policy does not name`;
  return undefined;
}

function amendmentMistake(state: GovernanceState, record: RecordOf<'amendment'>, origin: string): Refusal | undefined {
  const wrong = (message: string): Refusal => refuse('governance/invalid-record', 'charter', message);
  for (const text of record.log_keys ?? []) {
    try {
      if (parseVerifierKey(text).name !== origin) return wrong(`the keys of this log have its name, ${printable(origin)}`);
    } catch (error) {
      if (!(error instanceof NoteError)) throw error;
      return wrong(`a key of the log is none: ${error.message}`);
    }
  }
  let administrators: readonly Pick<Identity, 'id' | 'validUntil'>[] = state.administrators();
  if (record.administrators !== undefined) {
    const keys = readKeys(record.administrators);
    if (!record.administrators.every(({ id }) => isPseudonym(id))) return wrong(NO_PSEUDONYM);
    if (keys === undefined) return wrong('the keys of the administrators are not all different keys');
    for (let i = 0; i < keys.length; i++) {
      const { id } = record.administrators[i];
      const known = state.identity(coseKeyThumbprint(keys[i]));
      if (known !== undefined && known.id !== id)
        return refuse(
          'governance/key-taken',
          `identity@${known.enrolledAt}`,
          `the key of ${id} belongs to ${known.id} already`,
        );
      if (known?.revokedAt !== undefined)
        return refuse('governance/revoked-key', `identity@${known.revokedAt}`, `the key of ${id} was revoked; make a new one`);
    }
    administrators = record.administrators.map(({ id }) => ({ id, validUntil: undefined }));
  }
  return checkAdministratorsLeft(administrators, record.threshold ?? state.threshold);
}

/** The keys of administrators, or undefined unless they all are keys and differ. */
function readKeys(administrators: RecordOf<'charter'>['administrators']): CoseKey[] | undefined {
  try {
    const keys = administrators.map(({ key }) => parseCoseKey(key));
    const different = new Set(keys.map((key) => hex(coseKeyThumbprint(key)))).size;
    return different === keys.length ? keys : undefined;
  } catch (error) {
    if (!(error instanceof StatementError)) throw error;
    return undefined;
  }
}
