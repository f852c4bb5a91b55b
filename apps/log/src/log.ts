import { type Candidate, checkClock, createCandidate, keyFor } from '@treering/governance';
import { nodeHasher } from '@treering/merkle/node';
import { createSigner, formatVerifierKey, KEY_TYPE, type LogTrust, type Signer, type SignerKey } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { type Committed, type Cosign, type HeadAnchor, Publisher, Sequencer, type Submission } from '@treering/sequencer';
import { createStatementSigner, issueReceipt, parseStatement, type StatementSigner, signatureCheck } from '@treering/statement';
import { checkSignatureOffThread } from '@treering/statement/node';
import type { Storage, StoredHead } from '@treering/storage';
import { GovernedAdmission, requireAdmitted } from './admission.js';
import { Attachments } from './attachments.js';
import { Problem } from './problem.js';

/** What a log is made of. Clock, store and anchor come from outside, so that tests can put theirs in. */
export interface LogParts {
  readonly storage: Storage;
  readonly anchor: HeadAnchor;
  /** The log's Ed25519 note key; its name is the origin. */
  readonly logKey: SignerKey;
  /** The log's ML-DSA-44 key for published checkpoints. */
  readonly publicationKey: SignerKey;
  /** Milliseconds since the epoch. */
  readonly clock?: () => number;
  readonly pool?: { readonly entries: number; readonly bytes: number };
  readonly trustStore?: boolean;
  readonly cosign?: Cosign;
  readonly onFatal?: (error: Error) => void;
}

/** A submission's answer. */
export interface Accepted extends Committed {
  /** 32 bytes */
  readonly leaf: Uint8Array;
  /** COSE receipt (RFC 9942) for the same proof. */
  readonly receipt: Uint8Array;
}

/** A running log without its HTTP face. */
export class Log {
  readonly storage: Storage;
  readonly trust: LogTrust;
  readonly signer: Signer;
  readonly publicationSigner: Signer;
  readonly sequencer: Sequencer<Candidate>;
  readonly publisher: Publisher;
  readonly admission: GovernedAdmission;
  readonly attachments: Attachments;
  readonly clock: () => number;
  readonly #receiptSigner: StatementSigner;

  private constructor(
    parts: LogParts,
    signer: Signer,
    publicationSigner: Signer,
    trust: LogTrust,
    admission: GovernedAdmission,
    sequencer: Sequencer<Candidate>,
    publisher: Publisher,
  ) {
    this.storage = parts.storage;
    this.clock = parts.clock ?? Date.now;
    this.trust = trust;
    this.signer = signer;
    this.publicationSigner = publicationSigner;
    this.admission = admission;
    this.sequencer = sequencer;
    this.publisher = publisher;
    this.attachments = new Attachments(parts.storage, admission);
    // One Ed25519 key serves notes and receipts: a note is UTF-8 text, and a Sig_structure begins with 0x84, which is none.
    this.#receiptSigner = createStatementSigner(parts.logKey.seed, nodeEd25519);
  }

  /**
   * Opens a log on its store, after every check of the sequencer's recovery.
   * @throws SequencerError, StorageError or GovernanceError
   */
  static async open(parts: LogParts): Promise<Log> {
    const { storage, anchor, logKey, publicationKey, clock } = parts;
    const signer = createSigner(logKey.name, KEY_TYPE.ed25519, logKey.seed, nodeEd25519);
    const publicationSigner = createSigner(publicationKey.name, KEY_TYPE.mldsa44Cosignature, publicationKey.seed);
    const trust: LogTrust = { origin: logKey.name, logKeys: [signer.key, publicationSigner.key] };
    const vkeys = trust.logKeys.map(formatVerifierKey);
    const admission = new GovernedAdmission(storage, logKey.name, vkeys, nodeHasher);
    const sequencer = await Sequencer.open<Candidate>({
      storage,
      anchor,
      signer,
      trust,
      admission,
      hasher: nodeHasher,
      ed25519: nodeEd25519,
      ...(clock === undefined ? {} : { clock }),
      ...(parts.pool === undefined ? {} : { pool: parts.pool }),
      trustStore: parts.trustStore ?? false,
      ...(parts.onFatal === undefined ? {} : { onFatal: parts.onFatal }),
    });
    const publisher = await Publisher.open({
      storage,
      anchor,
      trust,
      signers: [publicationSigner],
      ed25519: nodeEd25519,
      head: () => sequencer.head,
      ...(clock === undefined ? {} : { clock }),
      ...(parts.cosign === undefined ? {} : { cosign: parts.cosign }),
    });
    return new Log(parts, signer, publicationSigner, trust, admission, sequencer, publisher);
  }

  /** The log's name: the first line of its heads. */
  get origin(): string {
    return this.trust.origin;
  }

  /** The key that receipts verify under. */
  get receiptKey() {
    return this.#receiptSigner.key;
  }

  /**
   * Logs a statement: parse, verify, admit, sequence, commit. The same statement again is answered with its first index.
   * @throws StatementError, RecordError, Problem, SequencerError
   */
  async submit(bytes: Uint8Array): Promise<Accepted> {
    return this.#commit(await this.#prepare(bytes));
  }

  /**
   * Begins an empty log with its charter, which may have been signed some time before: an interrupted beginning goes on with
   * the very same bytes.
   * @throws Problem when the charter is not admitted, or the log is not empty
   */
  async begin(charter: Uint8Array): Promise<void> {
    if (this.sequencer.head !== null) throw new Problem(403, 'governance/charter-exists', 'this log has begun already');
    const statement = parseStatement(charter);
    const candidate = createCandidate(statement);
    const key = keyFor(this.admission.state, candidate);
    if (key === undefined || !(await checkSignatureOffThread(signatureCheck(statement.sign1, key)))) {
      throw new Problem(401, 'cose/bad-signature', 'the signature of the charter does not hold');
    }
    await this.sequencer.submit({ bytes: statement.entry, leafHash: candidate.leaf, topic: statement.sub, candidate });
    // The anchor could not be written, for example: the charter is stored, but the log is not begun as it should be.
    if (this.sequencer.trouble !== undefined) throw this.sequencer.trouble;
  }

  /** Logs statements in their order; each has its own outcome, and a bad one does not harm its neighbours. */
  async submitBatch(statements: readonly Uint8Array[]): Promise<PromiseSettledResult<Accepted>[]> {
    const prepared = await Promise.allSettled(statements.map((bytes) => this.#prepare(bytes)));
    return Promise.allSettled(
      prepared.map((outcome) =>
        outcome.status === 'fulfilled' ? this.#commit(outcome.value) : Promise.reject(outcome.reason),
      ),
    );
  }

  async #prepare(bytes: Uint8Array): Promise<Submission<Candidate>> {
    const statement = parseStatement(bytes);
    const leafHash = nodeHasher.hashLeaf(statement.entry);
    const candidate = createCandidate(statement, leafHash);
    if (!(await this.#isLogged(leafHash))) {
      try {
        await this.#checkAtTheDoor(candidate);
      } catch (error) {
        // A copy of it may be in the commit under way, and be the reason for the refusal: a key that revokes itself, say.
        await this.sequencer.afterBatch();
        if (!(await this.#isLogged(leafHash))) throw error;
      }
    }
    return { bytes: statement.entry, leafHash, topic: statement.sub, candidate };
  }

  async #commit(submission: Submission<Candidate>): Promise<Accepted> {
    const { leafHash, topic } = submission;
    const committed = await this.sequencer.submit(submission);
    return { ...committed, leaf: leafHash, receipt: await this.receipt(topic, committed) };
  }

  async #isLogged(leafHash: Uint8Array): Promise<boolean> {
    return (await this.storage.indicesOf([leafHash]))[0] !== undefined;
  }

  async #checkAtTheDoor(candidate: Candidate): Promise<void> {
    const { state } = this.admission;
    const key = keyFor(state, candidate);
    if (key === undefined)
      throw new Problem(401, 'governance/unknown-key', 'no identity is enrolled with this key', { rule: 'identities' });
    if (!(await checkSignatureOffThread(signatureCheck(candidate.statement.sign1, key)))) {
      throw new Problem(401, 'cose/bad-signature', 'the signature of the statement does not hold');
    }
    requireAdmitted(checkClock(state, candidate.statement, Math.floor(this.clock() / 1000)));
    this.admission.checkEarly(candidate);
  }

  /** A COSE receipt for an entry under a head. */
  receipt(sub: string, proof: { index: number; head: StoredHead; inclusion: readonly Uint8Array[] }): Promise<Uint8Array> {
    const { index, head, inclusion } = proof;
    return issueReceipt({ iss: this.origin, sub }, { size: head.size, index, path: inclusion }, head.root, this.#receiptSigner);
  }

  /** Answers what is waiting, publishes what was committed, and closes the store. */
  async close(): Promise<void> {
    await this.sequencer.close();
    // The first call may share a run that began before the last commit.
    for (let i = 0; i < 2 && this.sequencer.trouble === undefined; i++) await this.publisher.publish();
    await this.storage.close();
  }
}
