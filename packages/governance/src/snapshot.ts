import { decodeRecord, encodeRecord, type RecordOf } from '@treering/record';
import { type CborInput, type CborValue, decodeCbor, encodeCbor, encodeCoseKey, parseCoseKey } from '@treering/statement';
import { GovernanceError } from './errors.js';
import type { AssessmentFact, EvaluationFact, IncidentFact, Tolerance } from './gate-facts.js';
import { HashIndex } from './hash-index.js';
import { GovernanceState } from './state.js';
import { type ApprovalFact, type Content, emptyParts, type Identity, type Proposal, type StateParts } from './state-parts.js';

/** Changes when the form of a snapshot or what a replay remembers does: older ones are then replayed instead of read. */
const FORM = 6;

/** A state whose large parts lie beside it. */
export interface SavedState {
  /** Everything else, in CBOR. */
  readonly rules: Uint8Array;
  /** Rows of the index of entries, and of that of attachments: 20 bytes for each. */
  readonly entries: Uint8Array;
  readonly attachments: Uint8Array;
}

/**
 * A state as bytes, from which a replay can go on. Two states that decide alike have the same bytes. Nothing in it is signed:
 * it saves time to whoever made it, and proves nothing to anybody else.
 */
export function saveState(state: GovernanceState): Uint8Array {
  const { entries, attachments } = state.parts;
  return encodeCbor({ ...rulesOf(state), entries: entries.bytes, attachments: attachments.bytes } as unknown as CborInput);
}

/**
 * A state to be written bit by bit while it goes on, without a copy of what grows with the log: the rows stay as they are as long as no entry
 * is taken back that they contain.
 */
export function saveStateInParts(state: GovernanceState): SavedState {
  const { entries, attachments } = state.parts;
  return { rules: encodeCbor(rulesOf(state) as unknown as CborInput), entries: entries.bytes, attachments: attachments.bytes };
}

function rulesOf(state: GovernanceState): object {
  const { parts } = state;
  return {
    form: FORM,
    charter: parts.charter === undefined ? null : encodeRecord(parts.charter),
    policy: parts.policy === undefined ? null : (parts.policy as unknown as CborInput),
    policyIndex: parts.policyIndex,
    threshold: parts.threshold,
    logKeys: parts.logKeys,
    witnesses: parts.witnesses,
    freezes: parts.freezes.map((freeze) => ({ ...freeze })),
    identities: [...parts.identities].map(([kid, identity]) => [kid, { ...identity, key: encodeCoseKey(identity.key) }]),
    latest: new Map([...parts.latest].map(([subject, { index, leaf }]) => [subject, [index, leaf]])),
    versions: new Map(
      [...parts.versions].map(([name, version]) => [
        name,
        { ...version, deployment: version.deployment && { ...version.deployment } },
      ]),
    ),
    approvals: new Map([...parts.approvals].map(([leaf, facts]) => [leaf, facts.map((fact) => ({ ...fact }))])),
    proposals: new Map([...parts.proposals].map(([subject, p]) => [subject, { ...p, record: encodeRecord(p.record) }])),
    contents: new Map([...parts.contents].map(([leaf, { type, digest, authors }]) => [leaf, [type, digest, authors]])),
    makers: parts.makers,
    evaluations: parts.evaluations,
    plans: parts.plans,
    assessments: parts.assessments,
    incidents: parts.incidents,
    tokens: parts.tokens,
    attached: new Map([...parts.attached].map(([id, { day, bytes }]) => [id, [day, bytes]])),
    newestTime: parts.newestTime,
  };
}

/**
 * The state of a snapshot that this program saved itself.
 * @throws GovernanceError when it was saved in another form: replay the log then
 */
export function restoreState(bytes: Uint8Array): GovernanceState {
  return orUnreadable(() => restore(decodeCbor(bytes, { tags: [] })));
}

/** As `restoreState`, for what `saveStateInParts` gave. */
export function restoreStateInParts({ rules, entries, attachments }: SavedState): GovernanceState {
  return orUnreadable(() => {
    const saved = decodeCbor(rules, { tags: [] });
    if (!(saved instanceof Map)) throw new GovernanceError('governance/invalid-record', 'the snapshot is no map');
    return restore(new Map<string, CborValue>([...saved, ['entries', entries], ['attachments', attachments]]));
  });
}

function orUnreadable(read: () => GovernanceState): GovernanceState {
  try {
    return read();
  } catch (error) {
    if (error instanceof GovernanceError) throw error;
    throw new GovernanceError('governance/invalid-record', `the snapshot cannot be read: ${(error as Error).message}`);
  }
}

function restore(saved: CborValue): GovernanceState {
  const get = (name: string): CborValue => {
    const value = saved instanceof Map ? saved.get(name) : undefined;
    if (value === undefined) throw new GovernanceError('governance/invalid-record', `the snapshot has no ${name}`);
    return value;
  };
  if (get('form') !== FORM) throw new GovernanceError('governance/invalid-record', 'the snapshot has another form');
  const index = (name: string): HashIndex => new HashIndex(get(name) as Uint8Array);
  const parts: StateParts = { ...emptyParts(), entries: index('entries'), attachments: index('attachments') };
  const charter = get('charter');
  const policy = get('policy');
  if (charter !== null) parts.charter = decodeRecord(charter as Uint8Array) as RecordOf<'charter'>;
  if (policy !== null) parts.policy = plain(policy) as StateParts['policy'];
  parts.policyIndex = get('policyIndex') as number;
  parts.newestTime = get('newestTime') as number;
  parts.threshold = get('threshold') as number;
  parts.logKeys = get('logKeys') as string[];
  parts.witnesses = get('witnesses') as string[];
  parts.freezes = (plain(get('freezes')) as StateParts['freezes']).map((freeze) => ({ ...freeze, until: freeze.until }));
  for (const [kid, identity] of plain(get('identities')) as [string, Identity & { key: unknown }][]) {
    const { validUntil, revokedAt } = identity;
    parts.identities.set(kid, { ...identity, validUntil, revokedAt, key: parseCoseKey(identity.key as unknown as Uint8Array) });
  }
  for (const [subject, value] of entries(get('latest'))) {
    const [index, leaf] = value as [number, Uint8Array];
    parts.latest.set(subject, { index, leaf });
  }
  for (const [name, value] of entries(get('versions'))) {
    const version = plain(value) as StateParts['versions'] extends Map<string, infer V> ? V : never;
    parts.versions.set(name, { ...version, deployment: version.deployment });
  }
  for (const [leaf, value] of entries(get('approvals'))) {
    parts.approvals.set(
      leaf,
      (plain(value) as ApprovalFact[]).map((fact) => ({ ...fact, expires: fact.expires })),
    );
  }
  for (const [subject, value] of entries(get('proposals'))) {
    const proposal = plain(value) as Omit<Proposal, 'record'> & { record: Uint8Array };
    parts.proposals.set(subject, { ...proposal, record: decodeRecord(proposal.record) as Proposal['record'] });
  }
  for (const [leaf, value] of entries(get('contents'))) {
    const [type, digest, authors] = value as [Content['type'], string, string[]];
    parts.contents.set(leaf, { type, digest, authors });
  }
  for (const [maker, authors] of entries(get('makers'))) parts.makers.set(maker, authors as string[]);
  for (const [key, facts] of entries(get('evaluations'))) parts.evaluations.set(key, plain(facts) as EvaluationFact[]);
  for (const [leaf, acceptance] of entries(get('plans'))) parts.plans.set(leaf, plain(acceptance) as Tolerance[]);
  for (const [key, value] of entries(get('assessments')))
    parts.assessments.set(
      key,
      (plain(value) as AssessmentFact[]).map((fact) => ({ ...fact, plan: fact.plan })),
    );
  for (const [subject, fact] of entries(get('incidents'))) parts.incidents.set(subject, plain(fact) as IncidentFact);
  for (const [token, index] of entries(get('tokens'))) parts.tokens.set(token, index as number);
  for (const [id, value] of entries(get('attached'))) {
    const [day, bytes] = value as [number, number];
    parts.attached.set(id, { day, bytes });
  }
  return new GovernanceState(parts);
}

function entries(value: CborValue): [string, CborValue][] {
  return [...(value as Map<string, CborValue>)];
}

function plain(value: CborValue): unknown {
  if (Array.isArray(value)) return value.map((item) => plain(item as CborValue));
  if (!(value instanceof Map)) return value;
  return Object.fromEntries([...value].map(([key, item]) => [key, plain(item as CborValue)]));
}
