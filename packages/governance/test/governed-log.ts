import { nodeEd25519 } from '@treering/note/node';
import { encodeRecord, type PolicyBody, type RecordOf, type RecordType, recordFromJson, recordToJson } from '@treering/record';
import { createStatementSigner, encodeCoseKey, type StatementSigner, signStatement } from '@treering/statement';
import * as assert from 'uvu/assert';
import {
  admit,
  type Candidate,
  createCandidate,
  type Decision,
  GovernanceState,
  keyFor,
  type RefusalCode,
} from '../src/index.js';

/** Name of every test log. */
export const ORIGIN = 'log.example/ai';
/** When test statements are signed, in seconds since the epoch. */
export const NOW = 1_760_000_000;

/** Somebody with a key; a person may have several. */
export interface Party {
  readonly id: string;
  readonly signer: StatementSigner;
  /** COSE_Key in CBOR. */
  readonly key: Uint8Array;
}

/** A party whose seed is 32 times `fill`. */
export function party(id: string, fill: number): Party {
  const signer = createStatementSigner(new Uint8Array(32).fill(fill), nodeEd25519);
  return { id, signer, key: encodeCoseKey(signer.key) };
}

/** A record without what the helpers fill in. */
export type Draft = { [T in RecordType]: Omit<RecordOf<T>, 'v' | 'reason'> & { reason?: string } }[RecordType];

/** What the header of a statement says differently from what it should. */
export interface HeaderChange {
  readonly iss?: string;
  readonly sub?: string;
  readonly iat?: number;
}

let signed = 0;

/** Signs a record as somebody and reads it back as the log would. No two statements are the same, as nobody signs in one second. */
export async function candidateOf(by: Party, draft: Draft, header: HeaderChange = {}): Promise<Candidate> {
  const reason = `Reason ${String(++signed).padStart(4, '0')} for this record.`;
  const record = recordFromJson(recordToJson({ v: 1, reason, ...draft } as RecordOf<'freeze'>));
  const claims = { iss: `${ORIGIN}/identity/${by.id}`, sub: record.subject, iat: NOW, ...header };
  return createCandidate(await signStatement(claims, encodeRecord(record), by.signer));
}

/** A charter with these administrators, who hold the role `administrator`. */
export function charterDraft(administrators: readonly Party[], policy: PolicyBody, threshold = 1): Draft & { type: 'charter' } {
  return {
    type: 'charter',
    subject: 'charter',
    origin: ORIGIN,
    log_keys: [`${ORIGIN}+0f1e2d3c+AQIDBA`],
    administrators: administrators.map(({ id, key }) => ({ id, key, roles: ['administrator'] })),
    threshold,
    policy,
    witnesses: [],
  };
}

/** An enrolment of somebody with these roles, for a year unless `valid_until` says otherwise. */
export function enrolment(
  who: Party,
  roles: readonly string[],
  change: Partial<RecordOf<'identity'>> = {},
): Draft & { type: 'identity' } {
  const subject = `identity/${change.id ?? who.id}`;
  const usual = { id: who.id, key: who.key, kind: 'person' as const, roles: [...roles], valid_until: NOW + 31_536_000 };
  return { type: 'identity', action: 'enrol', subject, ...usual, ...change };
}

/** A revocation of all keys of an id, or of one. */
export function revocation(id: string, key?: Uint8Array): Draft & { type: 'identity' } {
  return { type: 'identity', action: 'revoke', subject: `identity/${id}`, id, ...(key === undefined ? {} : { key }) };
}

/** A record that needs nothing but a subject. */
export function incident(subject: string, change: Partial<RecordOf<'incident'>> = {}): Draft & { type: 'incident' } {
  return { type: 'incident', subject, severity: 'low', aware_at: NOW * 1000, affected: [], ...change };
}

/** A log that only governs: what is admitted is applied. */
export class GovernedLog {
  readonly state = new GovernanceState();
  size = 0;

  /** Decides on a draft without applying it. */
  async decide(by: Party, draft: Draft, header: HeaderChange = {}): Promise<Decision> {
    return admit(this.state, await candidateOf(by, draft, header));
  }

  /** Logs a draft, which must be admitted under a rule of this name if one is given. */
  async log(by: Party, draft: Draft, rule?: string, header: HeaderChange = {}): Promise<Candidate> {
    const candidate = await candidateOf(by, draft, header);
    const decision = admit(this.state, candidate);
    assert.ok(decision.admitted, `${draft.type} on ${draft.subject}: ${decision.admitted ? '' : decision.message}`);
    if (rule !== undefined) assert.is(decision.rule, rule);
    assert.ok(keyFor(this.state, candidate), 'there is a key under which the signature has to hold');
    this.state.apply(this.size++, candidate);
    return candidate;
  }

  /** Fails unless a draft is refused with this code by this rule. Returns the decision. */
  async refuses(by: Party, draft: Draft, code: RefusalCode, rule: string, header: HeaderChange = {}): Promise<Refusal> {
    return expectRefusal(await this.decide(by, draft, header), code, rule);
  }
}

/** The verdict that a statement is not admitted. */
export type Refusal = Extract<Decision, { admitted: false }>;

/** Fails unless the decision is a refusal with this code by this rule. */
export function expectRefusal(decision: Decision, code: RefusalCode, rule: string): Refusal {
  if (decision.admitted) assert.unreachable(`admitted under ${decision.rule}, expected ${code}`);
  const refusal = decision as Refusal;
  assert.equal([refusal.code, refusal.rule], [code, rule], refusal.message);
  assert.match(refusal.message, /^.{10,}$/);
  return refusal;
}

/** A log that has its charter. */
export async function governedLog(administrators: readonly Party[], policy: PolicyBody, threshold = 1): Promise<GovernedLog> {
  const log = new GovernedLog();
  await log.log(administrators[0], charterDraft(administrators, policy, threshold), 'charter');
  return log;
}
