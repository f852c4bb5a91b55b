import { ENDS } from '@treering/deployment';
import { admit, createCandidate, type GovernanceState, rulesFor, tallyApprovals, type Version } from '@treering/governance';
import { hex } from '@treering/note';
import { encodeRecord, type RecordOf, validateRecord } from '@treering/record';
import { type SignedStatement, signStatement } from '@treering/statement';
import { UsageError } from '../exit.js';
import type { Session } from '../session.js';
import type { DeployedParts } from './deployed-parts.js';
import type { LoggedParts } from './logged-parts.js';

type Deployment = RecordOf<'deployment'>;

/** What a pipeline wants to deploy, and why. */
export interface Wish {
  readonly environment: string;
  readonly service: string;
  readonly reason: string;
  readonly run: string;
  readonly replaces: Uint8Array | undefined;
  readonly ticket: string | undefined;
}

/** Approvals that a record names at most. */
const MOST_APPROVALS = 64;

/** Subject of the deployments of a service. */
export function subjectOf({ environment, service }: Pick<Wish, 'environment' | 'service'>): string {
  return `deploy/${environment}/${service}`;
}

/**
 * The record that announces a deployment.
 * @throws RecordError for members that no record may have
 */
export function intentOf(
  wish: Wish,
  state: GovernanceState,
  { model, config }: LoggedParts,
  parts: Pick<DeployedParts, 'state' | 'image'>,
  seconds: number,
): Deployment {
  const { environment, service, reason, run, replaces, ticket } = wish;
  const subject = subjectOf(wish);
  const prev = state.latest(subject)?.leaf;
  const record = validateRecord({
    v: 1,
    type: 'deployment',
    subject,
    reason,
    phase: 'intent',
    environment,
    service,
    model: model.leaf,
    config: config.leaf,
    state: parts.state,
    approvals: [model, config].flatMap((version) => approvalsOf(state, version, seconds)).slice(0, MOST_APPROVALS),
    ...(prev === undefined ? {} : { prev }),
    ...(parts.image === undefined ? {} : { image: parts.image }),
    ...(replaces === undefined ? {} : { replaces }),
    run,
    ...(ticket === undefined ? {} : { ticket }),
  });
  if (record.type !== 'deployment') throw new UsageError('this is no deployment');
  return record;
}

/** The record that follows an intent: the same content, in another phase. */
export function following(
  intent: { readonly leaf: Uint8Array; readonly record: Deployment },
  state: GovernanceState,
  change: Pick<Deployment, 'phase' | 'reason'> & Partial<Pick<Deployment, 'cause' | 'replicas'>>,
  seconds: number,
): Deployment {
  const { record, leaf } = intent;
  const { prev: _prev, attachments: _attachments, refs: _refs, break_glass, ...members } = record;
  const prev = state.latest(record.subject)?.leaf;
  const announced = state.newest(hex(leaf));
  const own = announced === undefined ? [] : approvalsOf(state, announced, seconds);
  return {
    ...members,
    ...change,
    approvals: change.phase === 'active' ? [...record.approvals, ...own].slice(0, MOST_APPROVALS) : record.approvals,
    // An end of what went without approvals is no emergency itself.
    ...(break_glass && change.phase === 'active' ? { break_glass } : {}),
    ...(prev === undefined ? {} : { prev }),
    ...(change.phase === 'ended' ? { refs: [{ rel: ENDS, leaf }] } : {}),
  };
}

/** The approvals of an entry that count under the rules for it. */
function approvalsOf(state: GovernanceState, version: Version, seconds: number): Uint8Array[] {
  const counting = rulesFor(state, version.subject).flatMap((rule) => tallyApprovals(state, version, rule, seconds).approved);
  return [...new Set(counting.map(({ leaf }) => leaf))].map((leaf) => new Uint8Array(Buffer.from(leaf, 'hex')));
}

/** The same announcement once more, on top of what the subject has now: what the rules say of it besides its own approvals. */
export function announcedAgain(record: Deployment, state: GovernanceState): Deployment {
  const { prev: _, ...members } = record;
  const prev = state.latest(record.subject)?.leaf;
  return prev === undefined ? members : { ...members, prev };
}

/** Signs a record as of now. */
export async function sign(session: Session, record: Deployment, seconds: number): Promise<SignedStatement> {
  const { iss, signer } = await session.signer();
  return signStatement({ iss, sub: record.subject, iat: seconds }, encodeRecord(record), signer);
}

/** What the rules say to a statement, decided here by the very function with which the log decides. */
export function decide(state: GovernanceState, statement: SignedStatement) {
  return admit(state, createCandidate(statement));
}

/** Whether an announced deployment lacks nothing but approvals of its own, and nobody has rejected it. */
export function waitsForApproval(state: GovernanceState, leaf: Uint8Array, seconds: number): boolean {
  const announced = state.newest(hex(leaf));
  if (announced === undefined) return false;
  const tallies = rulesFor(state, announced.subject).map((rule) => ({
    rule,
    ...tallyApprovals(state, announced, rule, seconds),
  }));
  return (
    tallies.every(({ rejected }) => rejected.length === 0) && tallies.some(({ rule, approved }) => approved.length < rule.need)
  );
}
