import { Audit, type Means, type Prepared } from '@treering/governance';
import { type Hasher, portableHasher } from '@treering/merkle';
import {
  type Ed25519,
  encodeUtf8,
  evaluateQuorum,
  formatVerifierKey,
  hex,
  type LogTrust,
  NoteError,
  portableEd25519,
  type TrustPolicy,
} from '@treering/note';
import type { AttachmentRef } from '@treering/record';
import type { Claim } from '../claim.js';
import { timeText } from '../log-time.js';
import { AdmissionExaminer } from './admission-claims.js';
import { ApprovalExaminer } from './approval-claims.js';
import { AttachmentExaminer } from './attachment-claims.js';
import { type AttestationExaminer, AttestationsSeen } from './attestations-seen.js';
import type { FileBytes } from './byte-source.js';
import { ChainExaminer } from './chain-claims.js';
import { CorrectionExaminer } from './correction-claims.js';
import { DecisionExaminer, type ProvedDecision } from './decision-claims.js';
import type { Absence, PackHeader } from './format.js';
import { type HeadSeen, openHead, type SignedTree, wrongTree } from './head-seen.js';
import { HistoryExaminer } from './history-claims.js';
import { type PackEntry, plural } from './pack-entry.js';
import { asksAbout, describeQuestion, placeInPeriod } from './question.js';
import { readPack } from './read.js';
import { TimeExaminer } from './time-claims.js';
import { TreeWalk } from './tree-walk.js';

/** What the reader brings along. No key, policy or clock is ever taken from the file. */
export interface PackTrust {
  /** Logs, witnesses and quorum (https://c2sp.org/tlog-policy). */
  readonly policy: TrustPolicy;
  /** How the signatures of entries are checked; what is left out cannot be checked here. */
  readonly means?: Means;
  /** How attestations are examined, such as `examineAttestations`; without it none is. */
  readonly attestations?: (log: LogTrust, ed25519: Ed25519) => AttestationExaminer;
  readonly hasher?: Hasher;
  readonly ed25519?: Ed25519;
}

/** An attachment that is in the file, byte for byte as an entry names it. */
export interface DisclosedAttachment {
  readonly ref: AttachmentRef;
  /** The first entry that names it. */
  readonly index: number;
  /** Without its salt. */
  readonly content: Uint8Array;
}

/** Told of what is in the file while it is examined. Nothing of it is proved before the claims are. */
export interface PackListener {
  readonly onHeader?: (header: PackHeader) => void;
  readonly onEntry?: (entry: PackEntry) => void;
  /** A head that the reader's keys signed: it covers the entries before. */
  readonly onHead?: (head: HeadSeen) => void;
  readonly onAttachment?: (attachment: DisclosedAttachment) => void;
  readonly onAbsent?: (digest: Uint8Array, why: Absence) => void;
  readonly onDecision?: (decision: ProvedDecision) => void;
}

/** What a pack amounts to under the reader's trust. */
export interface PackReport {
  readonly header: PackHeader;
  readonly claims: readonly Claim[];
  /** Claims that have to be proved for the pack to hold. */
  readonly required: readonly string[];
  /** The last head of the file; undefined when it does not hold. */
  readonly head: HeadSeen | undefined;
  /** Entries in the file. */
  readonly entries: number;
}

/** Claims that have to be proved for a pack to hold. */
const REQUIRED_PACK_CLAIMS: readonly string[] = [
  'head-signed',
  'quorum',
  'included',
  'answered',
  'statements-signed',
  'rules-of-the-log',
  'admitted',
];

const NO_QUESTION: PackHeader['question'] = { subjects: [], attachments: 'none' };

/** Entries whose signatures are checked at once. */
const BATCH = 64;

/** What depends on the entries being those of the tree. */
const NOT_ABOUT_ENTRIES: readonly string[] = ['head-signed', 'quorum', 'included', 'question', 'logged-completely'];

/**
 * Verifies an evidence pack offline, front to back, in memory that does not grow with its entries but for what the rules remember.
 * Fails closed: what cannot be checked is `failed` or `not proved`, never `proved`.
 * @param file its bytes, or an iterable of pieces
 * @throws EvidenceError when it is no pack, or not in the one form that a pack has
 */
export async function verifyPack(file: FileBytes, trust: PackTrust, listener: PackListener = {}): Promise<PackReport> {
  const examination = new Examination(trust, listener);
  return examination.examine(file);
}

interface Waiting {
  readonly index: number;
  readonly leaf: Uint8Array;
  readonly entry: Uint8Array;
  readonly after: HeadSeen | undefined;
}

class Examination {
  readonly #trust: PackTrust;
  readonly #listener: PackListener;
  readonly #ed25519: Ed25519;
  readonly #hasher: Hasher;
  readonly #walk: TreeWalk;
  readonly #audit: Audit;
  readonly #times: TimeExaminer;
  readonly #decisions: DecisionExaminer;
  readonly #admission = new AdmissionExaminer();
  readonly #corrections = new CorrectionExaminer();
  readonly #history = new HistoryExaminer();
  #chain = new ChainExaminer(() => false);
  #approvals = new ApprovalExaminer(NO_QUESTION);
  #attachments = new AttachmentExaminer(NO_QUESTION);
  #attestations: AttestationExaminer = new AttestationsSeen();
  #header: PackHeader | undefined;
  #asked = 0;
  /** Entries on the subjects outside the period. */
  #before = 0;
  /** Index of the first entry in the file. */
  #first: number | undefined;
  /** Entries whose signatures are being checked. */
  #batch: Waiting[] = [];
  /** The newest head of the file, with the root of the entries before it. */
  #last: SignedTree | undefined;
  #after: HeadSeen | undefined;

  constructor(trust: PackTrust, listener: PackListener) {
    const { hasher = portableHasher, ed25519 = portableEd25519, means = {} } = trust;
    this.#trust = trust;
    this.#listener = listener;
    this.#ed25519 = ed25519;
    this.#hasher = hasher;
    this.#walk = new TreeWalk(hasher);
    this.#audit = new Audit(means);
    this.#times = new TimeExaminer(this.#walk);
    this.#decisions = new DecisionExaminer(hasher);
  }

  async examine(file: FileBytes): Promise<PackReport> {
    const claims: Claim[] = [];
    let head: HeadSeen | undefined;
    let walked = false;
    for await (const item of readPack(file)) {
      const tree = item.kind === 'entry' || item.kind === 'gap' || item.kind === 'mark' || item.kind === 'head';
      if (tree && this.#last !== undefined) await this.#passHead();
      if (!tree && item.kind !== 'header' && !walked) {
        walked = true;
        await this.#decideBatch();
        head = this.#lastHead(claims);
        this.#walk.requireMarksUsed();
      }
      switch (item.kind) {
        case 'header':
          this.#begin(item.header);
          break;
        case 'entry':
          this.#batch.push({ ...this.#walk.entry(item.entry), entry: item.entry, after: this.#after });
          if (this.#batch.length >= BATCH) await this.#decideBatch();
          break;
        case 'gap':
          this.#walk.gap(item.count, item.hashes);
          break;
        case 'mark':
          this.#walk.mark();
          break;
        case 'head':
          this.#last = { note: item.note, size: this.#walk.size, root: this.#walk.root() };
          break;
        case 'attachment': {
          const found = this.#attachments.disclosed(item.digest, item.blob);
          if (found === undefined) break;
          this.#attestations.disclosed(found.named.ref, found.content);
          this.#listener.onAttachment?.({ ...found.named, content: found.content });
          break;
        }
        case 'absent':
          this.#attachments.absent(item.digest, item.why);
          this.#listener.onAbsent?.(item.digest, item.why);
          break;
        case 'decision': {
          const decision = this.#decisions.decision(item, this.#isComplete());
          this.#listener.onDecision?.(decision);
        }
      }
    }
    return this.#report(claims, head);
  }

  #begin(header: PackHeader): void {
    this.#header = header;
    const { question } = header;
    this.#chain = new ChainExaminer((subject) => asksAbout(question, subject));
    this.#approvals = new ApprovalExaminer(question);
    this.#attachments = new AttachmentExaminer(question);
    const logKeys = this.#trust.policy.logs.map(({ key }) => key).filter(({ name }) => name === header.origin);
    this.#attestations =
      this.#trust.attestations?.({ origin: header.origin, logKeys }, this.#ed25519) ?? new AttestationsSeen();
    this.#listener.onHeader?.(header);
  }

  /** A head that is not the last: it has to be of this history, and tells when. */
  async #passHead(): Promise<void> {
    const passed = this.#last as SignedTree;
    this.#last = undefined;
    await this.#decideBatch();
    try {
      const head = openHead(passed.note, this.#origin(), this.#trust.policy, this.#ed25519);
      const wrong = wrongTree(head, passed);
      if (wrong !== undefined) {
        this.#history.wrong(wrong);
        return;
      }
      this.#history.passed(head);
      this.#times.head(head);
      this.#after = head;
      this.#listener.onHead?.(head);
    } catch (error) {
      if (!(error instanceof NoteError)) throw error;
      // Old keys of the log, which the reader does not know, say nothing; a signature that fails says that something was altered.
      if (error.code === 'note/no-known-signature') this.#history.unknown();
      else this.#history.wrong(`a head among the entries does not hold: ${error.message}`);
    }
  }

  /** The head that stands for the whole tree. */
  #lastHead(claims: Claim[]): HeadSeen | undefined {
    const last = this.#last as SignedTree;
    let head: HeadSeen;
    try {
      head = openHead(last.note, this.#origin(), this.#trust.policy, this.#ed25519);
    } catch (error) {
      if (!(error instanceof NoteError)) throw error;
      claims.push(
        { name: 'head-signed', verdict: 'failed', text: `The head does not hold: ${error.message}.` },
        {
          name: 'quorum',
          verdict: 'not proved',
          text: 'Without a signed head there is nothing that witnesses could have cosigned.',
        },
        { name: 'included', verdict: 'not proved', text: 'Without a signed head there is no tree to be included in.' },
      );
      return undefined;
    }
    const { checkpoint, opened } = head;
    const others = opened.note.unverified.map(
      ({ name, id }) => `not checked: a line of ${name} (${id}), whose key you did not name`,
    );
    claims.push(
      {
        name: 'head-signed',
        verdict: 'proved',
        text: `The head of ${checkpoint.size} entries is signed by the log ${checkpoint.origin}.`,
        details: [...opened.logSignatures.map(({ name, id }) => `signature of ${name} (${id})`), ...others],
      },
      this.#quorum(head),
      this.#included(head, last),
    );
    if (claims.some(({ verdict }) => verdict === 'failed')) return undefined;
    this.#times.head(head);
    this.#listener.onHead?.(head);
    return head;
  }

  #quorum({ witnessed, sightings, opened }: HeadSeen): Claim {
    const { quorum, witnesses } = this.#trust.policy;
    if (quorum === 'none')
      return {
        name: 'quorum',
        verdict: 'proved',
        text: 'No witness is asked for. The log alone vouches that nobody was shown another history.',
      };
    const there = evaluateQuorum(this.#trust.policy, opened.cosignatures).witnesses;
    const seen = there.map((name) => {
      const time = sightings.find(({ witness }) => witness === name)?.time;
      return `${name} ${time === undefined ? 'without a time' : `at ${timeText(time)}`}`;
    });
    if (witnessed) return { name: 'quorum', verdict: 'proved', text: `Cosigned by ${seen.join(', ')}.` };
    const missing = witnesses.map(({ name }) => name).filter((name) => !there.includes(name));
    return {
      name: 'quorum',
      verdict: 'failed',
      text: `The witnesses do not suffice: the quorum "${quorum}" is not met; not cosigned by ${missing.join(', ')}.`,
    };
  }

  #included(head: HeadSeen, last: SignedTree): Claim {
    const wrong = wrongTree(head, last);
    const { entries, gapHashes } = this.#walk;
    const details = [
      `root computed from ${entries} entries and ${gapHashes} hashes between them, ${last.size} entries in all: ${hex(last.root)}`,
      `root that is signed, of ${head.checkpoint.size} entries: ${hex(head.checkpoint.root)}`,
    ];
    if (wrong === undefined)
      return {
        name: 'included',
        verdict: 'proved',
        text: `All ${entries} entries of the file are in the tree of ${last.size} that this head commits to, at the places that the file gives them.`,
        details,
      };
    const text = `The file does not hold the log's entries: ${wrong}. An entry, its place, or a hash between was altered.`;
    return { name: 'included', verdict: 'failed', text, details };
  }

  /** Decides on the entries that wait, while the signatures of all of them are checked. */
  async #decideBatch(): Promise<void> {
    const batch = this.#batch;
    this.#batch = [];
    const prepared = this.#audit.prepare(batch.map(({ entry }) => entry));
    for (const [i, waiting] of batch.entries()) await this.#decide(waiting, prepared[i]);
  }

  async #decide({ index, leaf, entry, after }: Waiting, prepared: Prepared): Promise<void> {
    const { state } = this.#audit;
    this.#first ??= index;
    const candidate = prepared.content instanceof Error ? undefined : prepared.content;
    const before = candidate?.statement.kid === undefined ? undefined : state.identity(candidate.statement.kid);
    const audited = await this.#audit.next(prepared, index);
    const statement = candidate?.statement;
    const asked =
      statement !== undefined &&
      asksAbout(this.#question(), statement.sub) &&
      placeInPeriod(this.#question(), statement.iat) === 'within';
    if (asked) this.#asked++;
    else if (statement !== undefined && asksAbout(this.#question(), statement.sub)) this.#before++;
    const seen: PackEntry = {
      index,
      entry,
      leaf,
      statement,
      record: candidate?.record,
      signer: before ?? (statement?.kid === undefined ? undefined : state.identity(statement.kid)),
      admission: audited.admitted ? { rule: audited.rule } : { finding: audited.finding },
      asked,
      after,
    };
    for (const examiner of this.#examiners()) examiner.see(seen, state);
    this.#listener.onEntry?.(seen);
  }

  #examiners() {
    return [
      this.#admission,
      this.#times,
      this.#chain,
      this.#approvals,
      this.#corrections,
      this.#attachments,
      this.#attestations,
      this.#decisions,
    ] as const;
  }

  #report(claims: Claim[], head: HeadSeen | undefined): PackReport {
    const about = [
      this.#answered(),
      ...this.#history.claims(),
      ...this.#admission.claims().slice(0, 1),
      this.#rules(head),
      ...this.#admission.claims().slice(1),
      this.#complete(head),
      ...this.#times.claims(),
      ...this.#approvals.claims(this.#decisions.decided, this.#isComplete(), this.#audit.state),
      ...this.#chain.claims(),
      ...this.#corrections.claims(),
      ...this.#attachments.claims(),
      ...this.#attestations.claims(),
      ...this.#decisions.claims(),
    ];
    const all = [...claims, ...about, this.#questionClaim(), LOGGED_COMPLETELY];
    return {
      header: this.#header as PackHeader,
      claims: head === undefined ? all.map(withoutTree) : all,
      required: [...REQUIRED_PACK_CLAIMS, ...(this.#decisions.claims().length > 0 ? ['decision'] : [])],
      head,
      entries: this.#walk.entries,
    };
  }

  /** The rules in the file could be those of another log: its charter names this one, and the keys that it names sign the head. */
  #rules(head: HeadSeen | undefined): Claim {
    const name = 'rules-of-the-log';
    const { charter, logKeys } = this.#audit.state;
    // A charter further on would be one that the log slipped in: the rules of a log begin with entry 0.
    if (charter === undefined || this.#first !== 0)
      return { name, verdict: 'failed', text: 'The file does not begin with the charter of the log.' };
    if (charter.origin !== this.#origin())
      return { name, verdict: 'failed', text: `The charter in the file is that of the log ${JSON.stringify(charter.origin)}.` };
    const signing = head?.opened.logSignatures.find(({ key }) => logKeys.includes(formatVerifierKey(key)));
    if (head !== undefined && signing === undefined)
      return { name, verdict: 'failed', text: 'The head is signed with no key that the charter and its amendments name.' };
    return {
      name,
      verdict: 'proved',
      text: `The rules in the file are those of the log ${charter.origin}: its charter names the key that signed the head.`,
    };
  }

  /** Whether something could have been left out that would decide otherwise, or answer the question as well. */
  #complete(head: HeadSeen | undefined): Claim {
    const name = 'complete';
    const { size, entries } = this.#walk;
    const { to } = this.#question();
    const early = head?.by !== undefined && to !== undefined && to > head.by * 1000;
    if (head !== undefined && this.#isComplete()) {
      const as = head.by === undefined ? '' : `, as witnesses saw it by ${timeText(head.by)}`;
      const text = `The file holds all ${size} entries of this head${as}: up to there nothing on the subjects, and no revocation or change of the rules, is missing`;
      return early
        ? { name, verdict: 'not proved', text: `${text}; the period that was asked for goes on after that.` }
        : { name, verdict: 'proved', text: `${text}.` };
    }
    return {
      name,
      verdict: 'not proved',
      text: `The file holds ${entries} of ${size} entries. That no other record exists, and that no revocation or change of the rules was left out, it cannot prove; a file made with --everything does, and so does a replay of the log.`,
    };
  }

  /** A file that was emptied proves what is left of it, and nothing that was asked. */
  #answered(): Claim {
    const name = 'answered';
    const { subjects, everything } = this.#question();
    const decisions = this.#decisions.claims().length;
    const single = subjects.length === 0 && !everything;
    if (this.#asked > 0 || (single && decisions > 0)) {
      const what = this.#asked > 0 ? plural(this.#asked, 'record') : plural(decisions, 'decision');
      return {
        name,
        verdict: 'proved',
        text: `${what} in the file answer${this.#asked === 1 || (this.#asked === 0 && decisions === 1) ? 's' : ''} the question.`,
      };
    }
    if (this.#before > 0) {
      const text = 'No record in the file lies in the period; what was newest when it began is there.';
      return { name, verdict: 'proved', text };
    }
    return { name, verdict: 'failed', text: 'Nothing in the file answers the question that it names.' };
  }

  #isComplete(): boolean {
    return this.#walk.size === this.#walk.entries;
  }

  #questionClaim(): Claim {
    const { question, left_out: left, suggested_policy: suggested } = this.#header as PackHeader;
    const out = `${left.earlier} earlier and ${left.later} later records on the subjects, and ${left.about} later ones about what is here`;
    const more =
      suggested === undefined
        ? ''
        : ` A trust policy that it suggests (${suggested.length} characters, ${hex(this.#hasher.hashLeaf(encodeUtf8(suggested)))}) was not used.`;
    return {
      name: 'question',
      verdict: 'not proved',
      text: `The file was made to answer: ${describeQuestion(question)}; ${this.#asked} of its entries do. Attachments: ${question.attachments}. Whoever made it says that the log has besides ${out}.${more}`,
    };
  }

  #question(): PackHeader['question'] {
    return (this.#header as PackHeader).question;
  }

  #origin(): string {
    return (this.#header as PackHeader).origin;
  }
}

const LOGGED_COMPLETELY: Claim = {
  name: 'logged-completely',
  verdict: 'not proved',
  text: 'No file can prove that every change was logged; gate, verification routine and attestation exist for that.',
};

/** Without a tree nothing about entries is proved; what is wrong with them is. */
function withoutTree(claim: Claim): Claim {
  if (claim.verdict !== 'proved' || NOT_ABOUT_ENTRIES.includes(claim.name)) return claim;
  return { ...claim, verdict: 'not proved', text: `Not proved without the tree: ${claim.text}` };
}
