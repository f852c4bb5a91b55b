import { createHash } from 'node:crypto';
import { createCandidate } from '@treering/governance';
import { CompactRange, type HashReader, type NodeId, portableHasher } from '@treering/merkle';
import { nodeHasher } from '@treering/merkle/node';
import {
  type Ed25519,
  formatCheckpoint,
  formatNote,
  formatVerifierKey,
  hex,
  KEY_TYPE,
  type Signer,
  type TrustPolicy,
} from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import {
  type Attachment,
  type ChangeRecord,
  configDigest,
  createAttachment,
  encodeRecord,
  type PolicyBody,
  type RecordOf,
  stateDigest,
} from '@treering/record';
import {
  checkSignature,
  createStatementSigner,
  encodeCoseKey,
  parseStatement,
  type SignatureCheck,
  type StatementSigner,
  signStatement,
} from '@treering/statement';
import {
  type Decision,
  decisionRoot,
  encodeDecision,
  type PackHead,
  PackIndex,
  type PackItem,
  type PackReport,
  proveDecision,
  type Question,
  verifyPack,
  writePack,
} from '../src/index.js';
import { noteSigner, ORIGIN, policyWith, witnesses } from './fixture.js';

/** Everything in a test log happens from here on, in seconds since the epoch: 1 January 2026. */
export const START = 1_767_225_600;

/** Somebody with a key. */
export interface Person {
  readonly id: string;
  readonly signer: StatementSigner;
}

export function person(id: string, seed: number): Person {
  return { id, signer: createStatementSigner(new Uint8Array(32).fill(seed), nodeEd25519) };
}

export const admin = person('admin', 21);
export const engineer = person('engineer', 22);
const reviewer = person('reviewer', 23);

/** Keys of the log: Ed25519, and ML-DSA-44 which says when. */
export const logKeys: readonly Signer[] = [
  noteSigner(ORIGIN, KEY_TYPE.ed25519, 1),
  noteSigner(ORIGIN, KEY_TYPE.mldsa44Cosignature, 9),
];

const POLICY: PolicyBody = {
  rules: [
    { name: 'administrators', who: { roles: ['administrator'] }, may: ['*'], on: ['**'], grants: ['engineer', 'approver'] },
    { name: 'engineers', who: { roles: ['engineer'] }, may: ['*'], on: ['**'] },
    { name: 'approvers', who: { roles: ['approver'] }, may: ['approval'], on: ['**'] },
  ],
  approvals: [{ on: 'model/*', need: 1, roles: ['approver'], not_author: true }],
  limits: { break_glass: true },
};

/** A record without what the log fills in. */
type Draft = { readonly [key: string]: unknown; readonly type: ChangeRecord['type']; readonly subject: string };

/** A log in memory that packs are made of. */
export class PackLog {
  readonly entries: Uint8Array[] = [];
  readonly heads: PackHead[] = [];
  readonly index = new PackIndex(ORIGIN);
  readonly blobs = new Map<string, Uint8Array>();
  readonly #keys: readonly Signer[];
  readonly #range = new CompactRange(nodeHasher);
  readonly #nodes = new Map<string, Uint8Array>();
  readonly #latest = new Map<string, Uint8Array>();
  /** Seconds since the epoch; each record takes a minute. */
  now = START;

  constructor(keys: readonly Signer[] = logKeys) {
    this.#keys = keys;
  }

  /** A log with its charter and two enrolled people. */
  static async begin(keys: readonly Signer[] = logKeys): Promise<PackLog> {
    const log = new PackLog(keys);
    await log.add(admin, {
      type: 'charter',
      subject: 'charter',
      origin: ORIGIN,
      log_keys: keys.map(({ key }) => formatVerifierKey(key)),
      administrators: [{ id: 'admin', key: encodeCoseKey(admin.signer.key), roles: ['administrator'] }],
      threshold: 1,
      policy: POLICY,
      witnesses: witnesses.map(({ key }) => formatVerifierKey(key)),
    });
    await log.enrol(engineer, 'engineer');
    await log.enrol(reviewer, 'approver');
    return log;
  }

  enrol(who: Person, role: string): Promise<Uint8Array> {
    return this.add(admin, {
      type: 'identity',
      subject: `identity/${who.id}`,
      action: 'enrol',
      id: who.id,
      key: encodeCoseKey(who.signer.key),
      kind: 'person',
      roles: [role],
      valid_until: START + 10 * 31_536_000,
    });
  }

  /** Logs a record, on top of the newest of its subject. Returns its leaf hash. */
  async add(by: Person, draft: Draft, attachments: readonly Attachment[] = []): Promise<Uint8Array> {
    this.now += 60;
    const prev = this.#latest.get(draft.subject);
    const record = {
      v: 1,
      reason: `Entry ${this.entries.length} of a log for tests.`,
      ...(prev === undefined ? {} : { prev }),
      ...(attachments.length === 0 ? {} : { attachments: attachments.map(({ ref }) => ref) }),
      ...draft,
    } as unknown as ChangeRecord;
    const claims = { iss: `${ORIGIN}/identity/${by.id}`, sub: draft.subject, iat: this.now };
    const { entry } = await signStatement(claims, encodeRecord(record), by.signer);
    for (const { ref, blob } of attachments) if (ref.access !== 'withheld') this.blobs.set(hex(ref.digest), blob);
    return this.append(entry);
  }

  /** Appends bytes as they are. */
  append(entry: Uint8Array): Uint8Array {
    const leaf = nodeHasher.hashLeaf(entry);
    this.#range.append(leaf, (level, start, hashes) => {
      for (let i = 0; i < hashes.length / 32; i++) this.#nodes.set(`${level} ${start + i}`, hashes.slice(i * 32, (i + 1) * 32));
    });
    this.entries.push(entry);
    const candidate = createCandidate(parseStatement(entry), leaf);
    this.index.see(candidate);
    this.#latest.set(candidate.statement.sub, leaf);
    return leaf;
  }

  /** The root of the first entries, 32 bytes. */
  rootAt(size: number): Uint8Array {
    const range = new CompactRange(nodeHasher);
    for (const entry of this.entries.slice(0, size)) range.append(nodeHasher.hashLeaf(entry));
    return range.root();
  }

  /** A head of everything so far, signed by the log and cosigned by both witnesses, who come 5 and 9 seconds later. */
  head(cosigners: readonly Signer[] = witnesses): PackHead {
    const text = formatCheckpoint({
      origin: ORIGIN,
      size: BigInt(this.entries.length),
      root: this.#range.root(),
      extensions: [],
    });
    const signatures = [
      ...this.#keys.map((signer) => signer.sign(text, BigInt(this.now + 1))),
      ...cosigners.map((cosigner, i) => cosigner.sign(text, BigInt(this.now + 5 + 4 * i))),
    ];
    const head = { size: this.entries.length, note: formatNote({ text, signatures }) };
    this.heads.push(head);
    return head;
  }

  readonly tree: HashReader = {
    readHashes: (nodes: readonly NodeId[]) => {
      const out = new Uint8Array(nodes.length * 32);
      nodes.forEach(({ level, index }, i) => {
        out.set(this.#nodes.get(`${level} ${index}`) as Uint8Array, i * 32);
      });
      return Promise.resolve(out);
    },
  };

  /** A pack that answers a question under the newest head, perhaps without entries that belong into it. */
  async pack(
    question: Question,
    decisions: readonly Extract<PackItem, { kind: 'decision' }>[] = [],
    without: ReadonlySet<number> = new Set(),
  ): Promise<Uint8Array> {
    const also = decisions.map(({ index }) => index);
    const selected = this.index.select(question, also);
    const { leftOut, anchors } = selected;
    const entries = selected.entries.filter((index) => !without.has(index));
    const refs = new Map(
      entries
        .flatMap((index) => createCandidate(parseStatement(this.entries[index])).record?.attachments ?? [])
        .map((ref) => [hex(ref.digest), ref]),
    );
    const { blobs } = this;
    const attachments = async function* (): AsyncGenerator<Extract<PackItem, { kind: 'attachment' | 'absent' }>> {
      for (const id of [...refs.keys()].sort()) {
        const { digest, access } = refs.get(id) as NonNullable<ReturnType<typeof refs.get>>;
        const blob = blobs.get(id);
        if (access === 'withheld') yield { kind: 'absent', digest, why: 'withheld' };
        else if (question.attachments === 'none') yield { kind: 'absent', digest, why: 'not-asked' };
        else if (access === 'restricted' && question.attachments === 'public')
          yield { kind: 'absent', digest, why: 'restricted' };
        else if (blob === undefined) yield { kind: 'absent', digest, why: 'unavailable' };
        else yield { kind: 'attachment', digest, blob };
      }
    };
    const pieces = writePack({
      header: { v: 1, origin: ORIGIN, question, left_out: leftOut },
      entries,
      entry: (index) => Promise.resolve(this.entries[index]),
      tree: this.tree,
      heads: this.heads,
      anchors,
      attachments: attachments(),
      decisions,
    });
    return joined(pieces);
  }
}

/** All pieces as one. */
async function joined(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const out: Uint8Array[] = [];
  for await (const piece of pieces) out.push(piece);
  return new Uint8Array(Buffer.concat(out));
}

/** Trust in the log's keys and both witnesses. */
export function packPolicy(quorum = 'both'): TrustPolicy {
  return policyWith(quorum, logKeys);
}

/** Native speed, and no signature is checked twice: thousands of packs are alike but for one of them. */
const known = new Map<string, boolean>();
const ed25519: Ed25519 = {
  ...nodeEd25519,
  verify(publicKey, message, signature) {
    const id = createHash('sha256').update(publicKey).update(signature).update(message).digest('base64');
    const before = known.get(id);
    if (before !== undefined) return before;
    const holds = nodeEd25519.verify(publicKey, message, signature);
    known.set(id, holds);
    return holds;
  },
};

/** Verifies with native speed. */
export function verified(pack: Uint8Array | AsyncIterable<Uint8Array>, policy = packPolicy()): Promise<PackReport> {
  const means = { checkSignature: (check: SignatureCheck) => checkSignature(check, ed25519) };
  return verifyPack(pack, { policy, means, hasher: nodeHasher, ed25519 });
}

function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(bytes).digest());
}

function attached(name: string, text: string, access: 'public' | 'restricted' | 'withheld'): Attachment {
  const salt = sha256(new TextEncoder().encode(name)).slice(0, 16);
  return createAttachment(new TextEncoder().encode(text), { name, media_type: 'text/plain', access }, salt);
}

/** What the log of a hospital says in half a year, and where. */
export interface Hospital {
  readonly log: PackLog;
  readonly leaves: Readonly<Record<'model1' | 'config1' | 'active1' | 'model2' | 'config2' | 'active2', Uint8Array>>;
  readonly decisions: readonly Decision[];
  /** The entry that holds the decisions, and what its record says. */
  readonly batch: number;
  readonly record: Draft & RecordOf<'decision-batch'>;
  /** Ends the service of the second version. */
  readonly end: () => Promise<Uint8Array>;
}

const DAY = 86_400;

/** A triage service with two versions of model and configuration, approvals, an incident, and a batch of decisions. */
export async function hospital(keys: readonly Signer[] = logKeys): Promise<Hospital> {
  const log = await PackLog.begin(keys);
  log.head();
  const other = (n: number): Promise<Uint8Array> =>
    log.add(engineer, {
      type: 'incident',
      subject: `incident/other-${n}`,
      severity: 'low',
      aware_at: log.now * 1000,
      affected: [],
    });
  const model = async (version: string, fill: number, change: string): Promise<Uint8Array> => {
    const digest = new Uint8Array(32).fill(fill);
    const leaf = await log.add(
      engineer,
      {
        type: 'model',
        subject: 'model/triage',
        name: 'triage',
        version,
        digest,
        change,
        parents: [],
        training_data: [{ name: `ward-notes-${version}`, provenance: 'Notes of wards A and B, anonymised.' }],
      },
      [attached(`manifest-${version}.json`, `{"version":"${version}"}`, 'public')],
    );
    await other(fill);
    await log.add(reviewer, { type: 'approval', subject: 'model/triage', target: leaf, decision: 'approve', role: 'approver' });
    return leaf;
  };
  const config = (version: string, confidence: string): Promise<Uint8Array> =>
    log.add(
      engineer,
      {
        type: 'config',
        subject: 'config/triage',
        name: 'triage',
        version,
        files: [{ path: 'triage.yaml', digest: sha256(new TextEncoder().encode(confidence)) }],
        parameters: { confidence },
      },
      [attached(`triage-${version}.yaml`, `confidence: ${confidence}\n`, 'restricted')],
    );
  const deploy = async (modelLeaf: Uint8Array, configLeaf: Uint8Array, fill: number, phase: string): Promise<Uint8Array> => {
    const content = createCandidate(parseStatement(log.entries[log.index.indexOf(hex(configLeaf)) as number])).record;
    const state = stateDigest(new Uint8Array(32).fill(fill), configDigest(content as RecordOf<'config'>), undefined);
    const common = { subject: 'deploy/prod/triage', environment: 'prod', service: 'triage', approvals: [] };
    return log.add(engineer, { type: 'deployment', phase, model: modelLeaf, config: configLeaf, state, ...common });
  };
  const model1 = await model('1.0', 11, 'new');
  const config1 = await config('1', '0.80');
  await deploy(model1, config1, 11, 'intent');
  const active1 = await deploy(model1, config1, 11, 'active');
  log.head();
  log.now += 90 * DAY;
  for (let n = 0; n < 20; n++) await other(n);
  const model2 = await model('2.0', 12, 'finetune');
  const config2 = await config('2', '0.65');
  await log.add(engineer, {
    type: 'evaluation',
    subject: 'model/triage',
    model: model2,
    config: config2,
    suite: 'ward benchmark',
    dataset: new Uint8Array(32).fill(5),
    metrics: [{ name: 'sensitivity', value: '0.94' }],
    verdict: 'pass',
    tolerances: [],
  });
  log.head();
  const active2 = await deploy(model2, config2, 12, 'active');
  log.head();
  const decisions: Decision[] = Array.from({ length: 9 }, (_, i) => ({
    id: `case-${i}`,
    at: (log.now + 10 + i) * 1000,
    outcome: i % 2 === 0 ? 'urgent' : 'not urgent',
    salt: sha256(Uint8Array.of(i)).slice(0, 16),
  }));
  const deployed = createCandidate(parseStatement(log.entries[log.index.indexOf(hex(active2)) as number])).record;
  const batch = log.entries.length;
  const facts = {
    type: 'decision-batch' as const,
    subject: 'decisions/triage',
    deployment: active2,
    state: (deployed as RecordOf<'deployment'>).state,
    root: decisionRoot(decisions),
    count: decisions.length,
    first_at: decisions[0].at,
    last_at: decisions[8].at,
  };
  await log.add(engineer, facts);
  await other(99);
  log.head();
  const record = facts as Hospital['record'];
  const end = (): Promise<Uint8Array> => deploy(model2, config2, 12, 'ended');
  return { log, leaves: { model1, config1, active1, model2, config2, active2 }, decisions, batch, record, end };
}

/** The item that proves one decision of the hospital. */
export function decisionItem({ decisions, batch }: Hospital, position: number): Extract<PackItem, { kind: 'decision' }> {
  const leaf = encodeDecision(decisions[position]);
  return { kind: 'decision', index: batch, position, leaf, hashes: proveDecision(decisions, position, portableHasher) };
}
