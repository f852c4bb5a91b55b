import { sha256 } from '@noble/hashes/sha2.js';
import { hexToBytes } from '@noble/hashes/utils.js';
import { equalBytes } from '@treering/merkle';
import { concatBytes, encodeUtf8, hex } from '@treering/note';
import { type AttachmentRef, type ChangeRecord, configDigest, type PolicyBody, type RecordOf } from '@treering/record';
import { type CoseKey, coseKeyThumbprint, parseCoseKey } from '@treering/statement';
import type { Candidate } from './candidate.js';
import { ADMINISTRATOR_ROLE, ADMINISTRATORS } from './decision.js';
import { enrollerOf } from './enroller.js';
import { GovernanceError } from './errors.js';
import { isForAdministrators, withFreeze } from './freezes.js';
import {
  type AssessmentFact,
  applyGateFact,
  combination,
  contentKey,
  type EvaluationFact,
  GATE_TYPES,
  type IncidentFact,
  type Tolerance,
} from './gate-facts.js';
import { findRule } from './rules.js';
import {
  type ApprovalFact,
  type Content,
  type DeploymentFacts,
  emptyParts,
  type Freeze,
  type Identity,
  type LatestRecord,
  type Proposal,
  type StateParts,
  type Version,
} from './state-parts.js';
import { all, put, remove, type Undo } from './undo.js';

/** What the first entries of a log amount to: who may sign, and which rules are in force for the next entry. */
export class GovernanceState {
  readonly #parts: StateParts;
  /** Newest versions by leaf hash in hex; follows `versions`. */
  readonly #byLeaf = new Map<string, Version>();

  constructor(parts: StateParts = emptyParts()) {
    this.#parts = parts;
    for (const version of parts.versions.values()) this.#byLeaf.set(hex(version.leaf), version);
  }

  /** The parts, for a snapshot. They are the state itself: read, never change. */
  get parts(): StateParts {
    return this.#parts;
  }

  /** Undefined until entry 0 is replayed. */
  get charter(): RecordOf<'charter'> | undefined {
    return this.#parts.charter;
  }

  get policy(): PolicyBody | undefined {
    return this.#parts.policy;
  }

  /** The entry that holds the policy in force. */
  get policyIndex(): number {
    return this.#parts.policyIndex;
  }

  /** How many administrators must agree on a policy or an amendment. */
  get threshold(): number {
    return this.#parts.threshold;
  }

  /** Verifier keys (vkeys) of the log, as charter and amendments name them. */
  get logKeys(): readonly string[] {
    return this.#parts.logKeys;
  }

  /** Verifier keys of the witnesses that are expected to cosign. */
  get witnesses(): readonly string[] {
    return this.#parts.witnesses;
  }

  /** The identity whose key has this RFC 9679 thumbprint (32 bytes), revoked ones included. */
  identity(kid: Uint8Array | undefined): Identity | undefined {
    return kid === undefined ? undefined : this.#parts.identities.get(hex(kid));
  }

  /** As `identity`, from the thumbprint in hex. */
  identityOf(kid: string): Identity | undefined {
    return this.#parts.identities.get(kid);
  }

  /** All identities, revoked ones included, in the order of enrolment. */
  identities(): Identity[] {
    return [...this.#parts.identities.values()];
  }

  /** The administrators whose keys are not revoked. */
  administrators(): Identity[] {
    return this.identities().filter(({ administrator, revokedAt }) => administrator && revokedAt === undefined);
  }

  /** The newest record of a subject. */
  latest(subject: string): LatestRecord | undefined {
    return this.#parts.latest.get(subject);
  }

  /** The newest record of one type on a subject. */
  version(type: string, subject: string): Version | undefined {
    return this.#parts.versions.get(`${type} ${subject}`);
  }

  /** The newest records of one type, of all subjects that have some. */
  versionsOf(type: string): Version[] {
    return [...this.#parts.versions.values()].filter((version) => version.type === type);
  }

  /** The entry with this leaf hash (hex), if it is the newest of its type on its subject. */
  newest(leaf: string): Version | undefined {
    return this.#byLeaf.get(leaf);
  }

  /** The model or configuration with this leaf hash (hex), of whatever version; undefined when the log has none. */
  content(leaf: string): Content | undefined {
    return this.#parts.contents.get(leaf);
  }

  /** The decisions about an entry, one for each person. */
  approvals(leaf: string): readonly ApprovalFact[] {
    return this.#parts.approvals.get(leaf) ?? [];
  }

  /** The evaluations of a model in a configuration (leaf hashes, 32 bytes each): one for each suite and person. */
  evaluations(model: Uint8Array, config: Uint8Array): readonly EvaluationFact[] {
    return this.#parts.evaluations.get(combination(this.#parts, model, config)) ?? [];
  }

  /** What a change plan with this leaf hash (hex) asks for. */
  plan(leaf: string): readonly Tolerance[] | undefined {
    return this.#parts.plans.get(leaf);
  }

  /** The assessments of the entry with this leaf hash (32 bytes), one for each person. */
  assessments(leaf: Uint8Array): readonly AssessmentFact[] {
    return this.#parts.assessments.get(contentKey(this.#parts, leaf)) ?? [];
  }

  /** Incidents that are not closed, by subject. */
  openIncidents(): ReadonlyMap<string, IncidentFact> {
    return this.#parts.incidents;
  }

  /** All that waits for administrators to agree. */
  proposals(): Proposal[] {
    return [...this.#parts.proposals.values()];
  }

  /** The policy (`policy`), amendment (`charter`) or freeze that waits for administrators to agree. */
  proposal(subject: string): Proposal | undefined {
    return this.#parts.proposals.get(subject);
  }

  /** The freezes that were recorded and not lifted. */
  freezes(): readonly Freeze[] {
    return this.#parts.freezes;
  }

  /** The entry for which a token (SHA-256 in hex) was used. */
  tokenUse(token: string): number | undefined {
    return this.#parts.tokens.get(token);
  }

  /** The entry with this leaf hash (32 bytes) about this subject. */
  entry(leaf: Uint8Array, subject: string): number | undefined {
    return this.#parts.entries.get(entryKey(leaf, subject));
  }

  /** Whether an entry with this leaf hash (hex) is about this subject. */
  isAbout(leaf: string, subject: string): boolean {
    return this.entry(hexToBytes(leaf), subject) !== undefined;
  }

  /** The entry that named an attachment (32 bytes) before any other did. */
  namedBy(digest: Uint8Array): number | undefined {
    return this.#parts.attachments.get(digest);
  }

  /** The largest `iat` (seconds since the epoch) of what enrolled keys have signed; 0 before there is one. */
  get newestTime(): number {
    return this.#parts.newestTime;
  }

  /** Bytes that an identity has attached on a day (days since the epoch, UTC). */
  attachedOn(id: string, day: number): number {
    const entry = this.#parts.attached.get(id);
    // An earlier day than the newest counts as the newest: clocks differ by minutes, and no day is counted twice.
    return entry === undefined || entry.day < day ? 0 : entry.bytes;
  }

  /**
   * Takes an admitted entry in. It does not decide: call `admit` first.
   * @returns a function that takes exactly this entry back, for a batch that could not be committed; last in, first out
   */
  apply(index: number, candidate: Candidate): Undo {
    const { statement, record, leaf } = candidate;
    // What can fail comes first, so that an entry that cannot be applied leaves nothing behind.
    const enrolled = this.identity(statement.kid) !== undefined;
    const undos = [this.#applyRecord(index, candidate)];
    undos.push(this.#enter(index, candidate));
    if (record !== undefined && GATE_TYPES.includes(record.type))
      undos.push(applyGateFact(this.#parts, this.identity(statement.kid)?.id ?? statement.iss, index, candidate));
    // The charter enrols its own signer: it may have been signed long before its log begins.
    if (enrolled && (statement.iat ?? 0) > this.newestTime) undos.push(this.#set('newestTime', statement.iat as number));
    undos.push(put(this.#parts.latest, statement.sub, { index, leaf }));
    if (record?.type !== 'approval') undos.push(this.#setVersion(index, candidate));
    if (record?.attachments !== undefined) undos.push(this.#attach(index, candidate, record.attachments));
    return () => {
      for (const undo of undos.reverse()) undo();
    };
  }

  #applyRecord(index: number, candidate: Candidate): Undo {
    const { record } = candidate;
    switch (record?.type) {
      case 'charter':
        return this.#applyCharter(index, record);
      case 'amendment':
      case 'policy':
        return this.#propose(index, candidate, record);
      case 'approval':
        return this.#decide(index, candidate, record);
      case 'identity':
        return record.action === 'enrol' ? this.#enrol(index, candidate, record) : this.#revoke(index, record);
      case 'freeze':
        if (isForAdministrators(this, record)) return this.#propose(index, candidate, record);
        return this.#set('freezes', withFreeze(this.#parts.freezes, record, index));
      default:
        return () => undefined;
    }
  }

  #enter(index: number, { leaf, statement }: Candidate): Undo {
    const key = entryKey(leaf, statement.sub);
    return this.#parts.entries.get(key) === undefined ? this.#parts.entries.add(key, index) : () => undefined;
  }

  #set<K extends keyof StateParts>(name: K, value: StateParts[K]): Undo {
    const before = this.#parts[name];
    this.#parts[name] = value;
    return () => {
      this.#parts[name] = before;
    };
  }

  #applyCharter(index: number, charter: RecordOf<'charter'>): Undo {
    if (this.charter !== undefined) throw new GovernanceError('governance/charter-exists', 'a log has one charter');
    const keys = charter.administrators.map(({ key }) => parseCoseKey(key));
    return all([
      this.#set('charter', charter),
      this.#set('policy', charter.policy),
      this.#set('policyIndex', index),
      this.#set('threshold', charter.threshold),
      this.#set('logKeys', charter.log_keys),
      this.#set('witnesses', charter.witnesses),
      ...this.#setAdministrators(index, index, charter.administrators, keys),
    ]);
  }

  /** What administrators decide on is in force at once if one administrator suffices; otherwise it waits. */
  #propose(index: number, { leaf, statement }: Candidate, record: Proposal['record']): Undo {
    const { kid } = statement;
    const proposal: Proposal = { index, leaf, record, agreed: kid === undefined ? [] : [hex(kid)] };
    if (this.threshold <= 1) {
      const superseded = remove(this.#parts.proposals, record.subject);
      return all([superseded, this.#putInForce(proposal, index)]);
    }
    return put(this.#parts.proposals, record.subject, proposal);
  }

  /** @param from the entry that completes the agreement */
  #putInForce({ index, record }: Proposal, from: number): Undo {
    if (record.type === 'policy') return all([this.#set('policy', record.policy), this.#set('policyIndex', index)]);
    if (record.type === 'freeze') return this.#set('freezes', withFreeze(this.#parts.freezes, record, index));
    const { administrators, threshold, log_keys, witnesses } = record;
    const keys = administrators?.map(({ key }) => parseCoseKey(key)) ?? [];
    return all([
      ...(threshold === undefined ? [] : [this.#set('threshold', threshold)]),
      ...(log_keys === undefined ? [] : [this.#set('logKeys', log_keys)]),
      ...(witnesses === undefined ? [] : [this.#set('witnesses', witnesses)]),
      ...(administrators === undefined ? [] : this.#setAdministrators(index, from, administrators, keys)),
    ]);
  }

  /** A key that a new list leaves out may be stolen: it ends. Whoever is left out keeps other keys, but not the role. */
  #setAdministrators(
    index: number,
    from: number,
    list: RecordOf<'charter'>['administrators'],
    keys: readonly CoseKey[],
  ): Undo[] {
    const kids = keys.map((key) => hex(coseKeyThumbprint(key)));
    const before = this.identities().filter(({ administrator }) => administrator);
    const leaving = new Set(before.map(({ id }) => id).filter((id) => !list.some((one) => one.id === id)));
    const undos: Undo[] = [];
    for (const [kid, identity] of this.#parts.identities) {
      const ends = identity.administrator && !kids.includes(kid);
      if (!ends && !leaving.has(identity.id)) continue;
      const roles = identity.roles.filter((role) => role !== ADMINISTRATOR_ROLE);
      const revokedAt = identity.revokedAt ?? (ends ? from : undefined);
      undos.push(put(this.#parts.identities, kid, { ...identity, roles, administrator: false, revokedAt }));
    }
    list.forEach(({ id, roles }, i) => {
      const known = this.#parts.identities.get(kids[i]);
      undos.push(
        put(this.#parts.identities, kids[i], {
          id,
          key: keys[i],
          kind: 'person',
          roles,
          validUntil: undefined,
          administrator: true,
          enrolledAt: known?.administrator ? known.enrolledAt : index,
          enrolledBy: ADMINISTRATORS,
          revokedAt: undefined,
        }),
      );
    });
    return undos;
  }

  #decide(index: number, { statement, leaf }: Candidate, record: RecordOf<'approval'>): Undo {
    const kid = hex(statement.kid as Uint8Array);
    const target = hex(record.target);
    const proposal = this.#parts.proposals.get(record.subject);
    if (proposal !== undefined && hex(proposal.leaf) === target) return this.#agree(proposal, index, kid, record);
    const id = this.identityOf(kid)?.id ?? '';
    const fact: ApprovalFact = {
      id,
      kid,
      decision: record.decision,
      role: record.role,
      iat: statement.iat as number,
      expires: record.expires,
      index,
      leaf: hex(leaf),
    };
    // A person's newest decision counts.
    const others = this.approvals(target).filter((known) => known.id !== id);
    return put(this.#parts.approvals, target, [...others, fact]);
  }

  #agree(proposal: Proposal, index: number, kid: string, { subject, decision }: RecordOf<'approval'>): Undo {
    if (decision === 'reject') return remove(this.#parts.proposals, subject);
    const agreed = [...proposal.agreed.filter((known) => known !== kid), kid];
    const next = { ...proposal, agreed };
    if (this.agreeing(next) < this.threshold) return put(this.#parts.proposals, subject, next);
    return all([remove(this.#parts.proposals, subject), this.#putInForce(next, index)]);
  }

  /** How many different administrators, not revoked meanwhile, agree on a proposal. */
  agreeing({ agreed }: Pick<Proposal, 'agreed'>): number {
    const people = agreed.map((kid) => this.identityOf(kid)).filter((who) => who?.administrator && who.revokedAt === undefined);
    return new Set(people.map((who) => who?.id)).size;
  }

  #setVersion(index: number, { statement, record, leaf }: Candidate): Undo {
    const type = record?.type ?? 'foreign';
    const key = `${type} ${statement.sub}`;
    const before = this.#parts.versions.get(key);
    const signer = this.identity(statement.kid)?.id ?? statement.iss;
    const named = record?.type === 'deployment' ? [record.model, record.config] : [];
    const made = record === undefined ? undefined : digestOf(record);
    const maker = `${made?.type} ${made?.digest}`;
    // To record once more what somebody made does not make it one's own.
    const makers = made === undefined ? [] : (this.#parts.makers.get(maker) ?? []);
    const authors = [...new Set([signer, ...makers, ...named.flatMap((part) => this.content(hex(part))?.authors ?? [])])];
    const deployment: DeploymentFacts | undefined =
      record?.type !== 'deployment'
        ? undefined
        : {
            phase: record.phase,
            model: hex(record.model),
            config: hex(record.config),
            state: hex(record.state),
            image: record.image === undefined ? '' : hex(record.image),
            approvals: record.approvals.map(hex),
            breakGlass: record.break_glass === true,
          };
    const version: Version = { index, leaf, subject: statement.sub, type, authors, deployment };
    const undos = [put(this.#parts.versions, key, version)];
    if (made !== undefined)
      undos.push(put(this.#parts.contents, hex(leaf), { ...made, authors }), put(this.#parts.makers, maker, authors));
    if (before !== undefined) {
      // A later version voids what was approved of the earlier one.
      undos.push(remove(this.#parts.approvals, hex(before.leaf)), remove(this.#byLeaf, hex(before.leaf)));
    }
    undos.push(put(this.#byLeaf, hex(leaf), version));
    return all(undos);
  }

  #attach(index: number, { statement, record }: Candidate, attachments: readonly AttachmentRef[]): Undo {
    const id = attacherOf(this.identity(statement.kid)?.id ?? statement.iss, record);
    const day = dayOf(statement.iat ?? 0);
    const known = this.#parts.attached.get(id);
    const newest = Math.max(day, known?.day ?? 0);
    const bytes = Math.min(this.attachedOn(id, day) + attachedBytes(attachments), Number.MAX_SAFE_INTEGER);
    const undos = [put(this.#parts.attached, id, { day: newest, bytes })];
    for (const { digest } of attachments)
      if (this.namedBy(digest) === undefined) undos.push(this.#parts.attachments.add(digest, index));
    return all(undos);
  }

  #enrol(index: number, { statement }: Candidate, record: RecordOf<'identity'>): Undo {
    const signer = this.identity(statement.kid);
    const allowed = signer === undefined ? undefined : findRule(this, signer, record);
    const key = parseCoseKey(record.key as Uint8Array);
    const kid = hex(coseKeyThumbprint(key));
    const undos = [
      put(this.#parts.identities, kid, {
        id: record.id,
        key,
        kind: record.kind as Identity['kind'],
        roles: record.roles as readonly string[],
        validUntil: record.valid_until,
        administrator: this.#parts.identities.get(kid)?.administrator ?? false,
        enrolledAt: index,
        enrolledBy: enrollerOf(record, signer, allowed?.allowing),
        revokedAt: undefined,
      }),
    ];
    if (record.oidc !== undefined) undos.push(put(this.#parts.tokens, hex(record.oidc.token), index));
    return all(undos);
  }

  #revoke(index: number, record: RecordOf<'identity'>): Undo {
    const only = record.key === undefined ? undefined : hex(coseKeyThumbprint(parseCoseKey(record.key)));
    const undos: Undo[] = [];
    for (const [kid, identity] of this.#parts.identities) {
      const meant = identity.id === record.id && (only === undefined || only === kid) && identity.revokedAt === undefined;
      if (meant) undos.push(put(this.#parts.identities, kid, { ...identity, revokedAt: index }));
    }
    return all(undos);
  }
}

/** What was worked out last for a leaf hash: an entry is looked for at the door, when it is admitted, and entered after that. */
const entryKeys = new WeakMap<Uint8Array, { readonly leaf: Uint8Array; readonly subject: string; readonly key: Uint8Array }>();

/** What stands for an entry in `entries`: one hash for its leaf hash and its subject, 32 bytes. */
function entryKey(leaf: Uint8Array, subject: string): Uint8Array {
  const known = entryKeys.get(leaf);
  // The buffer may hold another hash by now.
  if (known?.subject === subject && equalBytes(known.leaf, leaf)) return known.key;
  const key = sha256(concatBytes(leaf, encodeUtf8(subject)));
  entryKeys.set(leaf, { leaf: leaf.slice(), subject, key });
  return key;
}

/** Days since the epoch, UTC, of a time in seconds. */
export function dayOf(seconds: number): number {
  return Math.floor(seconds / 86_400);
}

function digestOf(record: ChangeRecord): Pick<Content, 'type' | 'digest'> | undefined {
  if (record.type === 'model') return { type: 'model', digest: hex(record.digest) };
  return record.type === 'config' ? { type: 'config', digest: hex(configDigest(record)) } : undefined;
}

/** On whom attachments count. What re-verifies a token counts on whom it enrols: one person's logins take up nobody else's. */
export function attacherOf(signer: string, record: ChangeRecord | undefined): string {
  return record?.type === 'identity' && record.oidc !== undefined ? record.id : signer;
}

/** Bytes of all attachments that are sent; what is withheld takes no room. */
export function attachedBytes(attachments: readonly AttachmentRef[]): number {
  const sum = attachments.reduce((bytes, { size, access }) => bytes + (access === 'withheld' ? 0 : size), 0);
  return Math.min(sum, Number.MAX_SAFE_INTEGER);
}
