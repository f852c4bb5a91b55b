import { authenticate, createCandidate, type Means } from '@treering/governance';
import { nodeHasher } from '@treering/merkle/node';
import { formatVerifierKey, KEY_TYPE, type LogTrust, type Signer } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import type { RecordOf } from '@treering/record';
import {
  type AuthenticReader,
  type Committed,
  type Cosign,
  type HeadAnchor,
  Publisher,
  Sequencer,
  SequencerError,
  type Submission,
} from '@treering/sequencer';
import { Problem, type RateLimit } from '@treering/server';
import { type CoseKey, parseStatement, ReceiptIssuer, type StatementSigner } from '@treering/statement';
import type { Storage, StoredHead } from '@treering/storage';
import { type CheckedCandidate, GovernedAdmission, OutdatedCheck } from './admission.js';
import { askWitnesses } from './asked-witnesses.js';
import { Attachments } from './attachments.js';
import { Door } from './door.js';
import { ErasureQueue } from './erasure-queue.js';
import type { LogKeys } from './keys.js';
import { readOnly } from './read-only.js';
import type { SnapshotStore } from './snapshot.js';
import { Turns } from './turns.js';
import { WaitingEvidence } from './waiting-evidence.js';
import { Witnesses, type WitnessOptions } from './witnesses.js';

/** Statements of batches that are checked at once: others are answered in between. */
const PREPARED_AT_ONCE = 256;
/** How often a statement is checked at most while the rules change under it. */
const MOST_CHECKS = 3;

/** What a log is made of. Clock, store and anchor come from outside, so that tests can put theirs in. */
export interface LogParts {
  readonly storage: Storage;
  readonly anchor: HeadAnchor;
  readonly keys: LogKeys;
  /** How signatures are checked. */
  readonly means: Means;
  readonly snapshots?: SnapshotStore;
  /** Milliseconds since the epoch. */
  readonly clock?: () => number;
  readonly pool?: { readonly entries: number; readonly bytes: number };
  /** Single submissions that are under way at most; as many as come when it is not given. */
  readonly underWay?: number;
  /** How many new statements an identity may submit; as many as it likes when it is not given. */
  readonly identityRate?: RateLimit;
  readonly trustStore?: boolean;
  /** The log has ended: nothing is taken, signed or published. */
  readonly readOnly?: boolean;
  /** Who cosigns before anything is published. */
  readonly witnesses?: WitnessOptions | undefined;
  /** Instead of witnesses, what stands for them in a test. */
  readonly cosign?: Cosign;
  /** Milliseconds after which an unchanged head is published anew. */
  readonly refresh?: number;
  /** Milliseconds from one publication that is kept for good to the next. */
  readonly keepEvery?: number;
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
  /** What readers are answered with. */
  readonly stored: AuthenticReader;
  readonly trust: LogTrust;
  readonly signer: Signer;
  readonly publicationSigner: Signer;
  readonly sequencer: Sequencer<CheckedCandidate>;
  readonly publisher: Publisher;
  readonly admission: GovernedAdmission;
  readonly attachments: Attachments;
  readonly evidence: WaitingEvidence;
  readonly witnesses: Witnesses | undefined;
  readonly clock: () => number;
  readonly #means: Means;
  readonly #door: Door;
  readonly #turns = new Turns(PREPARED_AT_ONCE);
  readonly #keys: LogKeys;
  readonly #readOnly: boolean;
  readonly #receipts: ReceiptIssuer;
  readonly #mostUnderWay: number;
  #underWay = 0;
  readonly #erasures: ErasureQueue;

  private constructor(
    parts: LogParts,
    trust: LogTrust,
    admission: GovernedAdmission,
    sequencer: Sequencer<CheckedCandidate>,
    publisher: Publisher,
    witnesses: Witnesses | undefined,
  ) {
    this.storage = parts.storage;
    this.clock = parts.clock ?? Date.now;
    this.trust = trust;
    this.signer = parts.keys.signer;
    this.publicationSigner = parts.keys.publicationSigner;
    this.admission = admission;
    this.sequencer = sequencer;
    this.stored = sequencer.reader;
    this.publisher = publisher;
    this.witnesses = witnesses;
    this.attachments = new Attachments(parts.storage, admission, this.stored);
    const logged = { indexOf: (leaf: Uint8Array) => this.#indexOf(leaf) };
    this.#erasures = new ErasureQueue(this.attachments.erasure, logged);
    this.evidence = new WaitingEvidence(parts.storage, this.attachments, logged);
    this.#means = parts.means;
    this.#keys = parts.keys;
    this.#readOnly = parts.readOnly ?? false;
    this.#mostUnderWay = parts.underWay ?? Number.POSITIVE_INFINITY;
    this.#door = new Door({ ...parts, admission, sequencer, clock: this.clock });
    this.#receipts = new ReceiptIssuer(this.origin, this.#receiptSigner);
  }

  /**
   * Opens a log on its store, after every check of the sequencer's recovery.
   * @throws SequencerError, StorageError or GovernanceError
   */
  static async open(parts: LogParts): Promise<Log> {
    const { storage, anchor, keys, means, clock } = parts;
    const { signer, publicationSigner, previous, retired = [] } = keys;
    const own = [signer.key, publicationSigner.key];
    const earlier = previous === undefined ? [] : [previous.signer.key, previous.publicationSigner.key];
    const trust: LogTrust = { origin: signer.key.name, logKeys: [...own, ...earlier, ...retired] };
    // Erasures that a crash kept from being carried out.
    let opening = true;
    const corrections: { index: number; leaf: Uint8Array; record: RecordOf<'correction'> }[] = [];
    const admission = new GovernedAdmission({
      storage,
      origin: trust.origin,
      logKeys: own.map(formatVerifierKey),
      hasher: nodeHasher,
      means,
      snapshots: parts.snapshots,
      onReplay: (index, { leaf, record }) => {
        if (opening && record?.type === 'correction') corrections.push({ index, leaf, record });
      },
    });
    // A store that is only said to be the newest is compared with what witnesses know before anything else is done.
    const published = await storage.published();
    const shown =
      parts.trustStore && parts.witnesses !== undefined
        ? await askWitnesses(parts.witnesses.policy, trust.origin, published, parts.witnesses.fetch)
        : undefined;
    const sequencer = await Sequencer.open<CheckedCandidate>({
      storage,
      anchor,
      signer,
      ...(previous === undefined ? {} : { previousSigners: [previous.signer] }),
      trust,
      admission,
      hasher: nodeHasher,
      ed25519: nodeEd25519,
      ...(clock === undefined ? {} : { clock }),
      ...(parts.pool === undefined ? {} : { pool: parts.pool }),
      trustStore: parts.trustStore ?? false,
      readOnly: parts.readOnly ?? false,
      ...(parts.onFatal === undefined ? {} : { onFatal: parts.onFatal }),
    });
    admission.requireOwnKeys();
    const witnesses =
      parts.witnesses === undefined
        ? undefined
        : new Witnesses({
            ...parts.witnesses,
            origin: trust.origin,
            sequencer,
            ed25519: nodeEd25519,
            published,
            clock: clock ?? Date.now,
          });
    // What witnesses have cosigned before is in the store, or the store is an older copy: nothing is signed then.
    await witnesses?.look(shown);
    const cosign = parts.cosign ?? (witnesses === undefined ? undefined : witnesses.cosign.bind(witnesses));
    const publisher = await Publisher.open({
      storage,
      anchor: sequencer.anchor,
      trust,
      signers: [publicationSigner, ...(previous === undefined ? [] : [previous.publicationSigner])],
      ed25519: nodeEd25519,
      head: () => sequencer.head,
      ended: () => sequencer.ended,
      onFatal: (error) => sequencer.end(error),
      ...(clock === undefined ? {} : { clock }),
      ...(cosign === undefined ? {} : { cosign }),
      ...(witnesses === undefined
        ? {}
        : { policy: witnesses.policy, before: () => witnesses.endSilence(), askAgain: () => witnesses.silence !== undefined }),
      ...(parts.refresh === undefined ? {} : { refresh: parts.refresh }),
      ...(parts.keepEvery === undefined ? {} : { keepEvery: parts.keepEvery }),
    });
    const log = new Log(parts, trust, admission, sequencer, publisher, witnesses);
    opening = false;
    for (const { index, leaf, record } of corrections) {
      log.#erasures.add(leaf, record);
      // What a reader is in the way of is tried again while the log runs.
      await log.#erasures.carryOut(leaf, index, record).catch(() => undefined);
    }
    await log.evidence.sweep();
    sequencer.onCommit((head) => {
      // Within the commit, before anything more is admitted: the state is exactly that of this head.
      if (log.#erasures.isEmpty && admission.snapshots.isDue(head.size)) void admission.snapshots.save(head, admission.state);
    });
    return log;
  }

  /** The log's name: the first line of its heads. */
  get origin(): string {
    return this.trust.origin;
  }

  /** The key that receipts verify under: the previous one, as long as it signs beside the new. */
  get receiptKey(): CoseKey {
    return this.#receiptSigner.key;
  }

  /** All keys that receipts of this log were ever signed with. */
  get receiptKeys(): readonly CoseKey[] {
    const earlier = this.trust.logKeys.filter(({ type }) => type === KEY_TYPE.ed25519);
    return earlier.map(({ publicKey }) => ({ curve: 'Ed25519', x: publicKey }));
  }

  // One Ed25519 key serves notes and receipts: a note is UTF-8 text, and a Sig_structure begins with 0x84, which is none.
  get #receiptSigner(): StatementSigner {
    return (this.#keys.previous ?? this.#keys).receiptSigner;
  }

  /**
   * Logs a statement: parse, verify, admit, sequence, commit. The same statement again is answered with its first index.
   * @throws SequencerError sequencer/overloaded while too many are under way; StatementError, RecordError, Problem, SequencerError
   */
  async submit(bytes: Uint8Array): Promise<Accepted> {
    if (this.isFull)
      throw new SequencerError('sequencer/overloaded', `${this.#underWay} submissions are under way; try again in a second`);
    this.#underWay++;
    const come = this.sequencer.announce();
    let committed: Promise<Accepted>;
    try {
      try {
        committed = this.#commitChecked(bytes, await this.#door.prepare(bytes));
      } finally {
        come();
      }
      return await committed;
    } finally {
      this.#underWay--;
    }
  }

  /** Whether as many submissions are under way as may be: another one is refused. */
  get isFull(): boolean {
    return this.#underWay >= this.#mostUnderWay;
  }

  /**
   * Begins an empty log with its charter, which may have been signed some time before: an interrupted beginning goes on with
   * the very same bytes.
   * @throws Problem when the charter is not admitted, or the log is not empty
   */
  async begin(charter: Uint8Array): Promise<void> {
    if (this.sequencer.head !== null) throw new Problem(403, 'governance/charter-exists', 'this log has begun already');
    this.#requireNoObjection();
    const statement = parseStatement(charter);
    const candidate = createCandidate(statement);
    const authenticated = await authenticate(this.admission.state, candidate, this.#means);
    if (!authenticated.held) throw new Problem(401, 'cose/bad-signature', 'the signature of the charter does not hold');
    await this.sequencer.submit({ bytes: statement.entry, leafHash: candidate.leaf, topic: statement.sub, candidate });
  }

  /**
   * Logs statements in their order, but for those that have to be checked again because the rules change before their turn; each has its
   * own outcome, and a bad one does not harm its neighbours.
   */
  async submitBatch(statements: readonly Uint8Array[]): Promise<PromiseSettledResult<Accepted>[]> {
    const prepared = await Promise.allSettled(statements.map((bytes) => this.#turns.take(() => this.#door.prepare(bytes))));
    return Promise.allSettled(
      prepared.map((outcome, i) =>
        outcome.status === 'fulfilled' ? this.#commitChecked(statements[i], outcome.value) : Promise.reject(outcome.reason),
      ),
    );
  }

  /** Commits a statement, and checks it again as often as the rules change before its turn. */
  async #commitChecked(bytes: Uint8Array, prepared: Submission<CheckedCandidate>): Promise<Accepted> {
    let submission = prepared;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#commit(submission);
      } catch (error) {
        if (!(error instanceof OutdatedCheck)) throw error;
        if (attempt === MOST_CHECKS)
          throw new Problem(503, 'log/rules-changed', 'the rules of the log change all the time; send the statement again', {
            retryAfter: 1,
          });
      }
      submission = await this.#turns.take(() => this.#door.prepare(bytes, true));
    }
  }

  async #commit(submission: Submission<CheckedCandidate>): Promise<Accepted> {
    const { leafHash, topic, candidate } = submission;
    const { record } = candidate;
    this.#requireNoObjection();
    const erasing = record?.type === 'correction' && record.erased !== undefined ? record : undefined;
    if (erasing !== undefined) this.#erasures.add(leafHash, erasing);
    let committed: Committed;
    try {
      committed = await this.sequencer.submit(submission);
    } catch (error) {
      if (erasing !== undefined) this.#erasures[error instanceof Problem ? 'refused' : 'unknown'](leafHash);
      throw error;
    }
    const { index } = committed;
    if (erasing !== undefined) {
      const message = `entry ${index} is logged, and what it erases could not be removed yet: the log goes on trying`;
      await orIncomplete(this.#erasures.carryOut(leafHash, index, erasing), 'correction/not-erased', message, index);
    }
    if (record?.attachments !== undefined) {
      const message = `entry ${index} is logged, and its attachments could not be stored: upload them again, with ?entry=${index}`;
      const taken = this.attachments.takeStaged(record.attachments, this.clock());
      await orIncomplete(taken, 'attachment/not-stored', message, index);
    }
    return { ...committed, leaf: leafHash, receipt: await this.receipt(topic, committed) };
  }

  #requireNoObjection(): void {
    if (this.#readOnly) throw readOnly();
    const objection = this.witnesses?.objection;
    if (objection !== undefined)
      throw new Problem(503, 'log/contradicted', `the log takes nothing while ${objection}`, { retryAfter: 60 });
    const silence = this.witnesses?.silence;
    if (silence !== undefined)
      throw new Problem(503, 'log/unwitnessed-start', `the log takes nothing yet: ${silence}`, { retryAfter: 5 });
  }

  /** The index of an entry when no commit is under way. */
  async #indexOf(leafHash: Uint8Array): Promise<number | undefined> {
    await this.sequencer.afterBatch();
    if (this.sequencer.trouble !== undefined) throw this.sequencer.trouble;
    return (await this.storage.indicesOf([leafHash]))[0];
  }

  /** A COSE receipt for an entry under a head. */
  receipt(sub: string, proof: { index: number; head: StoredHead; inclusion: readonly Uint8Array[] }): Promise<Uint8Array> {
    const { index, head, inclusion } = proof;
    return this.#receipts.issue(sub, { size: head.size, index, path: inclusion }, head.root);
  }

  /** Answers what is waiting, publishes what was committed, and closes the store. */
  async close(): Promise<void> {
    try {
      await this.sequencer.close();
      this.#erasures.stop();
      this.evidence.stop();
      // The first call may share a run that began before the last commit.
      for (let i = 0; i < 2 && this.sequencer.trouble === undefined && !this.#readOnly; i++) {
        await this.publisher.publish().catch((error: unknown) => {
          // Without a quorum the head is published after the next start.
          if (!(error instanceof SequencerError) || error.code !== 'sequencer/quorum-not-met') throw error;
        });
      }
      const { head } = this.sequencer;
      if (head !== null && this.sequencer.trouble === undefined && this.#erasures.isEmpty)
        await this.admission.snapshots.save(head, this.admission.state);
    } finally {
      await this.admission.snapshots.settled();
      await this.storage.close();
    }
  }
}

/** @throws Problem 503 that names the entry: it is logged, but not everything that belongs to it is done */
async function orIncomplete(work: Promise<void>, code: string, message: string, index: number): Promise<void> {
  try {
    await work;
  } catch (cause) {
    throw new Problem(503, code, message, { index, retryAfter: 5 }, { cause });
  }
}
