import { Audit, clockSkew, type Means } from '@treering/governance';
import {
  CompactRange,
  equalBytes,
  type Hasher,
  MerkleInputError,
  type Proof,
  ProofError,
  portableHasher,
  verifyConsistency,
  verifyInclusion,
} from '@treering/merkle';
import {
  type Ed25519,
  evaluateQuorum,
  NoteError,
  type OpenedCheckpoint,
  openCheckpoint,
  parsePolicy,
  portableEd25519,
  type TrustPolicy,
  type VerifierKey,
} from '@treering/note';
import { type ChangeRecord, decodeRecord, RecordError } from '@treering/record';
import {
  type CoseKey,
  coseKeyThumbprint,
  parseStatement,
  RECORD_CONTENT_TYPE,
  StatementError,
  verifySign1,
} from '@treering/statement';
import { type AlarmKind, type AlarmProof, parseAlarmProof, type SignedAlarmProof } from './alarm-proof.js';
import type { Claim } from './claim.js';
import { logTime, newestTime, timeText } from './log-time.js';
import { recordAlarms } from './record-alarms.js';

/** What the reader brings along. */
export interface AlarmTrust {
  /** The logs and witnesses whose keys the reader knows. */
  readonly policy: TrustPolicy;
  /** Keys of monitors whose word on what they saw counts. */
  readonly observers?: readonly CoseKey[];
  /** How the signatures of entries are checked. */
  readonly means?: Means;
  readonly hasher?: Hasher;
  readonly ed25519?: Ed25519;
}

/** What a proof of an alarm amounts to under the reader's trust. */
export interface AlarmReport {
  readonly kind: AlarmKind;
  readonly origin: string;
  readonly claims: readonly Claim[];
  /** Claims that must be proved for the file to hold. */
  readonly required: readonly string[];
  readonly record: ChangeRecord | undefined;
}

/** The reader lacks the means to check a foreign signature. */
const UNCHECKED = 'governance/not-checked';

type Of<K extends AlarmKind> = Extract<AlarmProof, { readonly kind: K }>;

/**
 * Verifies a proof file of an alarm offline. What the log signed proves itself; what a monitor only saw (that a head was given out
 * at some time, say) rests on the monitor's signature, and counts when the reader names the monitor's key.
 * @throws EvidenceError when the file cannot be read at all
 */
export async function verifyAlarmProof(file: Uint8Array, trust: AlarmTrust): Promise<AlarmReport> {
  const signed = parseAlarmProof(file);
  const examination = new Examination(signed, trust);
  const { proof } = signed;
  examination.observed();
  const required = await examination.examine(proof);
  return {
    kind: proof.kind,
    origin: proof.log.origin,
    claims: examination.claims,
    required,
    record: examination.record,
  };
}

/** Opens heads and collects claims. */
class Examination {
  readonly claims: Claim[] = [];
  record: ChangeRecord | undefined;
  readonly #signed: SignedAlarmProof;
  readonly #trust: AlarmTrust;
  readonly #hasher: Hasher;
  readonly #ed25519: Ed25519;

  constructor(signed: SignedAlarmProof, trust: AlarmTrust) {
    this.#signed = signed;
    this.#trust = trust;
    this.#hasher = trust.hasher ?? portableHasher;
    this.#ed25519 = trust.ed25519 ?? portableEd25519;
  }

  add(name: string, verdict: Claim['verdict'], text: string): void {
    this.claims.push({ name, verdict, text });
  }

  /** Adds a claim that is either proved or failed. */
  decide(name: string, proved: boolean, text: string, otherwise: string): void {
    this.add(name, proved ? 'proved' : 'failed', proved ? text : otherwise);
  }

  /** Whether a monitor that the reader knows vouches for what was seen. */
  observed(): boolean {
    const { kid, observer, observedAt, sign1 } = this.#signed;
    const key = this.#trust.observers?.find((known) => equalBytes(coseKeyThumbprint(known), kid));
    const said = `${observer} says that it saw this at ${timeText(observedAt)}`;
    if (key === undefined) {
      this.add('observed', 'not proved', `${said}; give the key of that monitor to check its signature.`);
      return false;
    }
    try {
      verifySign1(sign1, key, { ed25519: this.#ed25519 });
    } catch (error) {
      if (!(error instanceof StatementError)) throw error;
      this.add('observed', 'failed', `The signature of ${observer} does not hold.`);
      return false;
    }
    this.add('observed', 'proved', `${said}, signed with a key that you named.`);
    return true;
  }

  async examine(proof: AlarmProof): Promise<readonly string[]> {
    switch (proof.kind) {
      case 'fork':
        return this.#fork(proof);
      case 'rollback':
        return this.#rollback(proof);
      case 'stale':
        return this.#stale(proof);
      case 'unwitnessed':
        return this.#unwitnessed(proof);
      case 'bad-entry':
        return this.#badEntry(proof);
      case 'unauthorised':
        return this.#unauthorised(proof);
      default:
        return this.#recordAlarm(proof);
    }
  }

  #fork({ heads, contained }: Of<'fork'>): readonly string[] {
    const required = ['heads-signed', 'contradiction'];
    const opened = this.#open('heads-signed', heads);
    if (opened === undefined) return required;
    const [a, b] = opened.map(({ checkpoint }) => checkpoint).sort((x, y) => (x.size < y.size ? -1 : x.size > y.size ? 1 : 0));
    if (a.size === b.size) {
      this.decide(
        'contradiction',
        !equalBytes(a.root, b.root),
        `The log signed two different trees of ${a.size} entries.`,
        `Both heads are of the same tree of ${a.size} entries.`,
      );
      return required;
    }
    if (contained === undefined || a.size === 0n) {
      this.add('contradiction', 'failed', 'The heads are of two sizes, and the file does not prove that they contradict.');
      return required;
    }
    const { root, proof } = contained;
    const holds = this.#proved(() => verifyConsistency(a.size, b.size, root, b.root, proof, this.#hasher));
    this.decide(
      'contradiction',
      holds && !equalBytes(root, a.root),
      `The log signed a tree of ${a.size} entries and one of ${b.size}, and the first ${a.size} entries of the larger one are others.`,
      holds ? 'The larger tree contains the smaller one.' : 'The proof of what the larger tree contains does not hold.',
    );
    return required;
  }

  #rollback({ larger, smaller, seen }: Of<'rollback'>): readonly string[] {
    const required = ['heads-signed', 'smaller', 'later'];
    const opened = this.#open('heads-signed', [larger, smaller]);
    if (opened === undefined) return required;
    const [before, after] = opened;
    this.decide(
      'smaller',
      after.checkpoint.size < before.checkpoint.size,
      `One tree has ${before.checkpoint.size} entries, the other ${after.checkpoint.size}.`,
      'The head that is said to be smaller is not.',
    );
    // When a witness cosigned it says nothing about when the log gave it out: witnesses may lag.
    const [t1, t2] = [logTime(before), logTime(after)];
    if (t1 !== undefined && t2 !== undefined && t2 > t1) {
      this.add('later', 'proved', `The smaller one was signed later: at ${timeText(t2)}, the larger one at ${timeText(t1)}.`);
    } else {
      this.#onItsWord(
        'later',
        seen[1] >= seen[0],
        `saw the larger one at ${timeText(seen[0])} and the smaller one at ${timeText(seen[1])}`,
      );
    }
    return required;
  }

  #stale({ head, newer, withheld, since, limit }: Of<'stale'>): readonly string[] {
    const { observedAt } = this.#signed;
    if (head === undefined) {
      const text = `the log could not be read from ${timeText(since)} to ${timeText(observedAt)}, more than ${limit} seconds`;
      this.#onItsWord('old', newer === undefined && withheld === undefined && observedAt - since > limit, text);
      return ['old'];
    }
    const required = ['heads-signed', 'old'];
    const opened = this.#open('heads-signed', newer === undefined ? [head] : [head, newer]);
    if (opened === undefined) return required;
    const { size } = opened[0].checkpoint;
    const signedAt = newestTime(opened[0]) ?? since;
    const at = `at ${timeText(observedAt)}, more than ${limit} seconds later`;
    if (withheld !== undefined) {
      const fits = BigInt(withheld) < size && newer === undefined && observedAt - since > limit;
      this.#onItsWord(
        'old',
        fits,
        `the log did not give out what its head of ${size} entries contains from entry ${withheld} on, ${at}`,
      );
      return required;
    }
    if (newer !== undefined) {
      const hidden = opened[1];
      this.decide(
        'hidden',
        hidden.checkpoint.size > size,
        `The log had signed a head of ${hidden.checkpoint.size} entries, which it did not give out.`,
        'The head that is said to be newer is not larger.',
      );
      required.push('hidden');
    }
    // A time that lies ahead is nobody's.
    const first = newer === undefined && signedAt <= observedAt ? signedAt : since;
    this.#onItsWord(
      'old',
      observedAt - first > limit,
      `the log still gave out the head of ${size} entries signed at ${timeText(first)} ${at}`,
    );
    return required;
  }

  #unwitnessed({ head, policy: text }: Of<'unwitnessed'>): readonly string[] {
    const required = ['heads-signed', 'quorum-missing', 'observed'];
    let policy: TrustPolicy;
    try {
      policy = parsePolicy(text);
    } catch (error) {
      if (!(error instanceof NoteError)) throw error;
      this.add('quorum-missing', 'failed', `The policy in the file cannot be read: ${error.message}.`);
      return required;
    }
    const opened = this.#open(
      'heads-signed',
      [head],
      policy.witnesses.map(({ key }) => key),
    );
    if (opened === undefined) return required;
    const { met, witnesses } = evaluateQuorum(policy, opened[0].cosignatures);
    const there = witnesses.length === 0 ? 'no witness' : `only ${witnesses.join(', ')}`;
    this.decide(
      'quorum-missing',
      !met,
      `The head of ${opened[0].checkpoint.size} entries is cosigned by ${there}; the policy asks for "${policy.quorum}".`,
      `The quorum "${policy.quorum}" is met.`,
    );
    return required;
  }

  #badEntry(proof: Of<'bad-entry'>): readonly string[] {
    const required = ['heads-signed', 'included', 'bad'];
    const { leaf, served, index } = proof;
    if (!this.#included(proof, leaf)) return required;
    if (served !== undefined && equalBytes(this.#hasher.hashLeaf(served), leaf)) {
      const why = unreadable(served) ?? (index === 0 ? foreignCharter(served, this.#signed.proof.log.origin) : undefined);
      this.decide('bad', why !== undefined, `Entry ${index} has no place there: ${why}.`, `Entry ${index} is a statement.`);
      return required;
    }
    const what = served === undefined ? 'nothing that can be read' : 'other bytes';
    this.#onItsWord('bad', true, `the log gave out ${what} as entry ${index}`);
    return required;
  }

  async #unauthorised(proof: Of<'unauthorised'>): Promise<readonly string[]> {
    const required = ['heads-signed', 'included', 'rules-included', 'refused'];
    const { entry, before, index } = proof;
    const head = this.#included(proof, this.#hasher.hashLeaf(entry));
    if (head === undefined) return required;
    const earlier = 'all' in before ? before.all.map((bytes, i) => ({ index: i, entry: bytes })) : before.some;
    const { size, root } = head.checkpoint;
    if ('all' in before) {
      const range = new CompactRange(this.#hasher);
      for (const { entry: bytes } of earlier) range.append(this.#hasher.hashLeaf(bytes));
      const holds =
        earlier.length === index &&
        (index === 0 || this.#proved(() => verifyConsistency(index, size, range.root(), root, before.proof, this.#hasher)));
      this.decide(
        'rules-included',
        holds,
        `All ${index} entries before it are in the file, and they are those of this tree.`,
        'The entries in the file are not those of this tree.',
      );
      if (!holds) return required;
    } else {
      const holds = before.some.every(
        (item, i) =>
          item.index < index &&
          (i === 0 || item.index > before.some[i - 1].index) &&
          this.#proved(() =>
            verifyInclusion(item.index, size, this.#hasher.hashLeaf(item.entry), item.inclusion, root, this.#hasher),
          ),
      );
      this.decide(
        'rules-included',
        holds,
        `The ${before.some.length} entries that make the rules are in this tree.`,
        'An entry in the file is not in this tree.',
      );
      if (!holds) return required;
      // Whoever leaves out the entry that gave a right can accuse everybody.
      this.#onItsWord('rules-complete', true, 'the log has no other entries before it that its admission rests on');
      required.push('rules-complete');
    }
    const audit = new Audit(this.#trust.means ?? {});
    let unchecked: string | undefined;
    for (const item of earlier) {
      const result = await audit.next(item.entry, item.index);
      if (!result.admitted && result.finding.code === UNCHECKED) unchecked = result.finding.message;
    }
    const audited = await audit.next(entry, index);
    this.record = recordOf(entry);
    if (audited.admitted && proof.code === 'governance/clock') {
      this.#dated(proof, head, audited.candidate.statement.iat ?? 0, clockSkew(audit.state));
      return required;
    }
    const refusal = audited.admitted ? undefined : audited.finding;
    if (refusal?.code === UNCHECKED) unchecked = refusal.message;
    if (refusal !== undefined && unchecked !== undefined) {
      this.add('refused', 'not proved', `Whether the rules admit entry ${index} cannot be told here: ${unchecked}.`);
      return required;
    }
    this.decide(
      'refused',
      refusal !== undefined,
      `The rules do not admit entry ${index}: ${refusal?.message} (decided by ${refusal?.rule}).`,
      `Entry ${index} is admitted by the rules.`,
    );
    return required;
  }

  /** Whether an entry is dated outside the time in which the log's own heads say that it was admitted. */
  #dated({ index, earlier }: Of<'unauthorised'>, head: OpenedCheckpoint, iat: number, skew: number): void {
    const without = earlier === undefined ? undefined : this.#open('heads-signed', [earlier])?.[0];
    const before = logTime(head);
    const after = without !== undefined && without.checkpoint.size <= BigInt(index) ? logTime(without) : undefined;
    const late = before !== undefined && iat > before + skew;
    const early = after !== undefined && iat < after - skew;
    const { observedAt } = this.#signed;
    if (before === undefined && !early && iat > observedAt + skew) {
      this.#onItsWord('refused', true, `entry ${index}, dated ${timeText(iat)}, was in the log at ${timeText(observedAt)}`);
      return;
    }
    this.decide(
      'refused',
      late || early,
      late
        ? `Entry ${index} is dated ${timeText(iat)}, and stands in a head signed at ${timeText(before)}: clocks may differ by ${skew} seconds.`
        : `Entry ${index} is dated ${timeText(iat)}, and a head signed at ${timeText(after ?? 0)} did not contain it: clocks may differ by ${skew} seconds.`,
      `The date of entry ${index} fits the heads around it.`,
    );
  }

  #recordAlarm(proof: Of<(typeof recordAlarms)[number]['kind']>): readonly string[] {
    const alarm = recordAlarms.find(({ kind }) => kind === proof.kind);
    const required = ['heads-signed', 'included', 'said', ...(alarm?.unless === undefined ? [] : ['observed'])];
    if (this.#included(proof, this.#hasher.hashLeaf(proof.entry)) === undefined) return required;
    this.record = recordOf(proof.entry);
    const text = this.record === undefined ? undefined : alarm?.says(this.record);
    this.decide('said', text !== undefined, `Entry ${proof.index} says: ${text}.`, `Entry ${proof.index} says no such thing.`);
    if (alarm?.unless !== undefined)
      this.add('not-followed', 'not proved', `That no later entry ${alarm.unless} is the monitor's word: ${proof.reason}.`);
    return required;
  }

  /** Opens the head of a proof and proves that a leaf is in it. */
  #included(
    { head, index, inclusion }: { readonly head: Uint8Array; readonly index: number; readonly inclusion: Proof },
    leaf: Uint8Array,
  ): OpenedCheckpoint | undefined {
    const opened = this.#open('heads-signed', [head])?.[0];
    if (opened === undefined) return undefined;
    const { size, root } = opened.checkpoint;
    const holds = this.#proved(() => verifyInclusion(index, size, leaf, inclusion, root, this.#hasher));
    this.decide(
      'included',
      holds,
      `Entry ${index} is in the tree of ${size} entries.`,
      `The proof that entry ${index} is in the tree does not hold.`,
    );
    return holds ? opened : undefined;
  }

  /** Something that a monitor saw: proved by its signature if the reader knows its key. */
  #onItsWord(name: string, fits: boolean, text: string): void {
    const { observer } = this.#signed;
    const believed = this.claims.some((claim) => claim.name === 'observed' && claim.verdict === 'proved');
    if (!fits) this.add(name, 'failed', `What ${observer} says contradicts itself: that ${text}.`);
    else if (believed) this.add(name, 'proved', `${observer} saw that ${text}.`);
    else this.add(name, 'not proved', `That ${text} is only the word of ${observer}, whose key you have not named.`);
  }

  /** Opens heads of the log that the proof is about, under the reader's keys. */
  #open(name: string, heads: readonly Uint8Array[], witnesses: readonly VerifierKey[] = []): OpenedCheckpoint[] | undefined {
    const { policy } = this.#trust;
    const { origin } = this.#signed.proof.log;
    const logKeys = policy.logs.map(({ key }) => key).filter((key) => key.name === origin);
    if (logKeys.length === 0) {
      this.add(name, 'failed', `This is about the log ${JSON.stringify(origin)}, for which no key is trusted here.`);
      return undefined;
    }
    const named = [...policy.witnesses.map(({ key }) => key), ...witnesses];
    try {
      const opened = heads.map((head) => openCheckpoint(head, { origin, logKeys, witnessKeys: named }, this.#ed25519));
      const sizes = opened.map(({ checkpoint }) => checkpoint.size);
      this.add(
        name,
        'proved',
        heads.length === 1
          ? `The head of ${sizes[0]} entries is signed by the log ${origin}.`
          : `Both heads, of ${sizes.join(' and ')} entries, are signed by the log ${origin}.`,
      );
      return opened;
    } catch (error) {
      if (!(error instanceof NoteError)) throw error;
      this.add(name, 'failed', `A head does not hold: ${error.message}.`);
      return undefined;
    }
  }

  #proved(check: () => void): boolean {
    try {
      check();
      return true;
    } catch (error) {
      if (error instanceof ProofError || error instanceof MerkleInputError) return false;
      throw error;
    }
  }
}

/** Why an entry is not the charter of a log; undefined when it is, or is no charter. */
function foreignCharter(entry: Uint8Array, origin: string): string | undefined {
  const record = recordOf(entry);
  return record?.type === 'charter' && record.origin !== origin
    ? `it is the charter of the log ${JSON.stringify(record.origin)}`
    : undefined;
}

/** Why bytes are no statement that a log may contain; undefined when they are one. */
function unreadable(entry: Uint8Array): string | undefined {
  try {
    const { contentType, payload } = parseStatement(entry);
    if (contentType === RECORD_CONTENT_TYPE) decodeRecord(payload);
    return undefined;
  } catch (error) {
    if (error instanceof StatementError || error instanceof RecordError) return error.message;
    throw error;
  }
}

function recordOf(entry: Uint8Array): ChangeRecord | undefined {
  try {
    const { contentType, payload } = parseStatement(entry);
    return contentType === RECORD_CONTENT_TYPE ? decodeRecord(payload) : undefined;
  } catch (error) {
    if (error instanceof StatementError || error instanceof RecordError) return undefined;
    throw error;
  }
}
