import {
  equalBytes,
  HASH_SIZE,
  type Hasher,
  type Proof,
  portableHasher,
  proveConsistency,
  proveInclusion,
  restoreRange,
} from '@treering/merkle';
import { type Ed25519, type LogTrust, portableEd25519, type Signer } from '@treering/note';
import { type Storage, StorageError, type StoredEntry, type StoredHead } from '@treering/storage';
import { AscendingAnchor, type HeadAnchor } from './anchor.js';
import { AuthenticReader } from './authentic-reader.js';
import { isFatal, mayPass, SequencerError } from './errors.js';
import { Gathering } from './gathering.js';
import { Growth } from './growth.js';
import { openHead, signHead } from './head.js';
import { Pool, type PoolLimits } from './pool.js';
import {
  CLOCK_TOLERANCE,
  checkPrefix,
  clockBehind,
  type Recovered,
  type RecoverOptions,
  readPosition,
  recover,
} from './recover.js';
import { answerAll, type Staged, stage, type Waiting } from './staging.js';
import type { Admission, Committed, Submission } from './submission.js';

/** Everything a sequencer works with; the seams for tests are named here. */
export interface SequencerOptions<C> {
  readonly storage: Storage;
  readonly anchor: HeadAnchor;
  /** The log's Ed25519 note key. */
  readonly signer: Signer;
  /** Keys that sign beside it: the one that it replaces, as long as readers know only that. */
  readonly previousSigners?: readonly Signer[];
  /** Origin and keys that heads of this log are checked against. */
  readonly trust: LogTrust;
  readonly admission: Admission<C>;
  readonly hasher?: Hasher;
  readonly ed25519?: Ed25519;
  /** Milliseconds since the epoch. */
  readonly clock?: () => number;
  readonly pool?: PoolLimits;
  /** Most entries in one commit. */
  readonly batchSize?: number;
  /** Milliseconds that a commit waits for submissions that were announced: they share its costs, those of many entries. */
  readonly gather?: number;
  /** Milliseconds after which a position that may not be that on the disk is read again when nobody submits anything. */
  readonly retry?: number;
  readonly trustStore?: boolean;
  /** The log has ended: its head stays as it is stored, and nothing is ever signed. */
  readonly readOnly?: boolean;
  /** Told once when the log may not go on: the process must end and start again from the disk. */
  readonly onFatal?: (error: Error) => void;
}

/**
 * Puts entries into one order and makes them durable: group commit, strong deduplication, one signed head for each commit.
 * One batch is in flight at a time; while it commits, the next one fills.
 */
export class Sequencer<C> {
  /** What whoever publishes writes the anchor with. */
  readonly anchor: AscendingAnchor;
  /** What is stored, as far as it leads to the newest head. */
  readonly reader: AuthenticReader;
  readonly #options: Required<Omit<SequencerOptions<C>, 'onFatal'>> & Pick<SequencerOptions<C>, 'onFatal'>;
  readonly #pool: Pool<Waiting<C>>;
  readonly #gathering: Gathering;
  readonly #listeners = new Set<(head: StoredHead, entries: readonly StoredEntry[]) => void>();
  #position: Recovered;
  /** The newest head that the anchor knows: what anybody is shown. */
  #shown: StoredHead | null;
  /** What the newest commit added: proofs of fresh entries come from it. */
  #growth: Growth | undefined;
  #running: Promise<void> | undefined;
  #batch: Promise<void> | undefined;
  #isUnderWay = false;
  /** What waits for the end of the batch that is under way. */
  #readers: (() => void)[] = [];
  #closing = false;
  /** Set while the position in memory may not be the one on disk: nothing is signed until a reload succeeds. */
  #stale: Error | undefined;
  #dead: Error | undefined;
  #lost = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Entries in the head that ended the log and is its anchor now. */
  #confronted = -1;

  private constructor(options: SequencerOptions<C>, anchor: AscendingAnchor, position: Recovered) {
    this.#options = withDefaults(options);
    this.anchor = anchor;
    this.#position = position;
    this.#shown = position.head;
    this.reader = new AuthenticReader(this.#options.storage, this.#options.hasher, () => this.#shown);
    this.#pool = new Pool(this.#options.pool);
    this.#gathering = new Gathering(this.#options.gather, () => this.#pool.length);
  }

  /**
   * Opens the log where the store says it stands, after all the checks of `recover`.
   * @throws SequencerError or StorageError
   */
  static async open<C>(options: SequencerOptions<C>): Promise<Sequencer<C>> {
    const anchor = new AscendingAnchor(options.anchor);
    const position = await positionOf(withDefaults({ ...options, anchor }));
    return new Sequencer({ ...options, trustStore: false }, anchor, position);
  }

  /** The newest committed head that the anchor knows, or null while the log is empty. */
  get head(): StoredHead | null {
    return this.#shown;
  }

  /** Submissions that wait for a commit. */
  get waiting(): number {
    return this.#pool.length;
  }

  /** Why nothing can be logged at present, or undefined. */
  get trouble(): Error | undefined {
    return this.#dead ?? this.#stale;
  }

  /** Batches since the start of which nobody knew whether they are stored: what was decided while they were under way may not stand. */
  get lost(): number {
    return this.#lost;
  }

  /** Why nothing is ever signed again until the log is opened anew, or undefined. */
  get ended(): Error | undefined {
    return this.#dead;
  }

  /**
   * Calls back after every commit, with the new head and its entries. A batch whose outcome was not known, and that is found stored when
   * the position is read again, is told without its entries. Returns what ends it.
   */
  onCommit(listener: (head: StoredHead, entries: readonly StoredEntry[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Logs an entry. Resolves when it is durable.
   * @throws SequencerError sequencer/overloaded, sequencer/stopped, sequencer/clock-behind, or sequencer/unknown-outcome, after
   *   which submitting the same bytes again is safe; what Admission throws when it is not admitted
   */
  submit(submission: Submission<C>): Promise<Committed> {
    return new Promise((resolve, reject) => {
      if (this.#closing || this.#dead !== undefined || this.#options.readOnly) throw stopped(this.#dead);
      this.#pool.add({ submission, size: submission.bytes.length, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /**
   * Says that a submission is being checked and may follow soon. Call what is returned once, when it has been submitted or will not be:
   * commits wait for it, though not for long.
   */
  announce(): () => void {
    return this.#gathering.announce();
  }

  /** Calls back while no batch is under way: what the admission says then is committed, unless there is `trouble`. */
  between<T>(read: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const call = (): void => {
        try {
          resolve(read());
        } catch (error) {
          reject(error);
        }
      };
      if (this.#isUnderWay) this.#readers.push(call);
      else call();
    });
  }

  /** Resolves when the batch that is in flight now, if any, is stored or lost. */
  async afterBatch(): Promise<void> {
    await this.#batch;
  }

  /** Ends the log, because of what somebody else saw of its disk: nothing begins any more until it is opened anew. */
  end(cause: Error): void {
    if (this.#dead !== undefined) return;
    this.#dead = cause;
    this.#options.onFatal?.(cause);
  }

  /** Stops taking submissions, commits those that wait, and answers them. */
  async close(): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#gathering.close();
    await this.#running;
  }

  /**
   * Compares a head of this log that somebody else kept with what is stored. One that the store does not contain ends the log,
   * for good: it becomes the anchor, so that no later start goes on from an older copy either.
   * @param who shows it, for messages
   * @returns its size
   * @throws SequencerError sequencer/rolled-back; sequencer/wrong-key or sequencer/corrupt for a note that the log did not sign
   */
  async confront(note: Uint8Array, who: string): Promise<{ readonly size: number }> {
    const { storage, trust, hasher, ed25519, signer, previousSigners, onFatal } = this.#options;
    // A key that signs no more may be in other hands by now: what it signs stops nothing.
    const logKeys = [signer, ...previousSigners].map(({ key }) => key);
    const known = openHead({ ...trust, logKeys }, note, who, ed25519);
    await this.#batch;
    try {
      await checkPrefix(storage, this.#position.head?.size ?? 0, known, hasher, who, 'sequencer/rolled-back');
    } catch (error) {
      if (!(error instanceof SequencerError)) throw error;
      const first = this.#dead === undefined;
      this.#dead ??= error;
      // Nothing begins any more; what is under way writes its own head before.
      await this.#batch;
      try {
        await this.#anchorLargest(note, known.size);
      } finally {
        if (first) onFatal?.(error);
      }
      throw error;
    }
    return { size: known.size };
  }

  /** Of several heads that end the log, the largest stays its anchor. */
  async #anchorLargest(note: Uint8Array, size: number): Promise<void> {
    if (size <= this.#confronted) return;
    this.#confronted = size;
    try {
      // It may be smaller than the head of the older copy that it contradicts. Whoever else writes the anchor asks before whether the log
      // has ended, and was waited for.
      await this.#options.anchor.write(note, true);
    } catch (error) {
      this.#confronted = -1;
      throw error;
    }
  }

  /** Whether the committed tree begins with the tree of a head, whoever signed it. */
  async contains({ size, root }: { readonly size: bigint; readonly root: Uint8Array }): Promise<boolean> {
    await this.#batch;
    if (size > BigInt(this.reader.size)) return false;
    const range = await restoreRange(this.reader, Number(size), this.#options.hasher);
    return equalBytes(range.root(), root);
  }

  /** Inclusion proof of entry `index` in a committed tree of `size` entries. @throws StorageError (storage/corrupt) */
  async proveInclusion(index: number, size: number): Promise<Proof> {
    return proveInclusion(this.reader, index, size, this.#options.hasher);
  }

  /** Consistency proof between two committed sizes. @throws StorageError (storage/corrupt) */
  async proveConsistency(oldSize: number, newSize: number): Promise<Proof> {
    return proveConsistency(this.reader, oldSize, newSize, this.#options.hasher);
  }

  async #run(): Promise<void> {
    while (this.#pool.length > 0) {
      await this.#gathering.wait();
      const batch = this.#pool.take(this.#options.batchSize);
      await this.#follow(
        this.#sequence(batch).catch((error) => {
          for (const waiting of batch) waiting.reject(error);
        }),
      );
    }
    this.#running = undefined;
  }

  /** Waits for a batch, or for what is done in the place of one. */
  async #follow(batch: Promise<void>): Promise<void> {
    this.#batch = batch;
    this.#isUnderWay = true;
    await batch;
    this.#isUnderWay = false;
    for (const read of this.#readers.splice(0)) read();
  }

  async #sequence(batch: readonly Waiting<C>[]): Promise<void> {
    this.#requireGoingOn();
    if (this.#stale !== undefined) await this.#reload();
    const { storage, hasher, signer, previousSigners, trust, ed25519, clock } = this.#options;
    const before = this.#position.head;

    // 1. Recompute the root of the committed tree from stored tiles: never build on memory alone.
    const { edge, range } = await readPosition(storage, before, hasher).catch((error) => this.#die(error));
    if (!equalBytes(range.root(), this.#position.range.root()))
      this.#die(new SequencerError('sequencer/corrupt', 'the tree in memory is not the one that is stored'));
    const now = clock();
    if (before !== null && now < before.time - CLOCK_TOLERANCE) throw clockBehind(now, before.time);

    // 2. Decide what is new and admitted, in order.
    const staged = await stage(batch, {
      storage,
      admission: this.#options.admission,
      first: before?.size ?? 0,
      answer: (index, duplicate) => this.#committed(index, duplicate),
    }).catch((error: unknown) => {
      if (!(error instanceof StorageError) || isFatal(error)) this.#die(error as Error);
      throw unknownOutcome(error);
    });
    if (staged.entries.length === 0) return answerAll(staged);
    if (this.#dead !== undefined) return this.#lose(staged, stopped(this.#dead));
    let next: StoredHead;
    let growth: Growth;
    try {
      // 3. Hash once more exactly the bytes that will be stored: what was altered in memory since they came is noticed here.
      const leafHashes = new Uint8Array(staged.entries.length * HASH_SIZE);
      hasher.hashLeaves(
        staged.entries.map((entry) => entry.bytes),
        leafHashes,
      );
      staged.entries.forEach((entry, i) => {
        if (!equalBytes(leafHashes.subarray(i * HASH_SIZE, (i + 1) * HASH_SIZE), entry.leafHash)) {
          throw new SequencerError(
            'sequencer/corrupt',
            'an entry does not hash to the leaf hash it came with: memory was altered',
          );
        }
      });
      growth = new Growth(range, leafHashes, hasher);
      const tiles = growth.fullTiles(edge);
      const root = growth.range.root();
      // 4. Grow the tree a second time, leaf by leaf, and compare before signing.
      const again = range.clone();
      for (const entry of staged.entries) again.append(entry.leafHash);
      if (!equalBytes(again.root(), root))
        throw new SequencerError('sequencer/corrupt', 'two computations of the new root differ: the machine cannot be trusted');
      const signers = [signer, ...previousSigners];
      next = signHead(trust, signers, growth.range.size, root, Math.max(now, before?.time ?? 0), ed25519);
      // 5. Entries, leaf hashes, tiles and the signed head in one durable transaction, conditional on the old head.
      await storage.commit({ entries: staged.entries, tiles, head: next }, before);
    } catch (error) {
      await this.#lose(staged, error as Error);
      return;
    }

    this.#position = { head: next, published: this.#position.published, range: growth.range };
    this.#growth = growth;
    // 6. Durable. The anchor has to know the head before anybody can see it, a reader either: nothing would notice an older copy of the
    // store without it. When that fails, the position is read again first, which brings the anchor up to it.
    const behind = await this.anchor.write(next.note, false).then(
      () => undefined,
      (error: Error) => error,
    );
    if (behind !== undefined) {
      this.#doubt(behind);
      if (isFatal(behind)) this.end(behind);
      throw unknownOutcome(behind);
    }
    this.#requireGoingOn();
    // 7. Only now does anybody learn an index, a proof or a signature.
    this.#shown = next;
    this.#tell(next, staged.entries);
    await answerAll(staged);
  }

  #tell(head: StoredHead, entries: readonly StoredEntry[]): void {
    for (const listener of this.#listeners) {
      try {
        listener(head, entries);
      } catch (error) {
        process.emitWarning(error as Error);
      }
    }
  }

  /** What a submitter is answered once its entry is durable. */
  async #committed(index: number, duplicate: boolean): Promise<Committed> {
    const head = this.#position.head as StoredHead;
    const growth = this.#growth;
    const isFresh = growth !== undefined && index >= growth.oldSize;
    const inclusion = isFresh ? growth.proveInclusion(index) : await this.proveInclusion(index, head.size);
    return { index, duplicate, head, inclusion };
  }

  /** A commit failed, or nobody knows whether it did. Its submitters are told so, and memory is given up. */
  async #lose(staged: Staged<C>, cause: Error): Promise<void> {
    this.#doubt(cause);
    let reason = cause;
    try {
      for (const undo of [...staged.undos].reverse()) undo();
    } catch (error) {
      reason = error as Error;
    }
    const error = unknownOutcome(cause);
    for (const waiting of staged.batch) waiting.reject(error);
    if (!(reason instanceof StorageError) || isFatal(reason)) return this.end(reason);
    await this.#reload().catch((again: Error) => {
      this.#stale = again;
    });
  }

  /** The position in memory may not be that on the disk: it is read again before the next batch, or soon when none comes. */
  #doubt(cause: Error): void {
    this.#stale = cause;
    this.#lost++;
    this.#recoverSoon();
  }

  #recoverSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      if (this.#stale === undefined || this.#dead !== undefined || this.#closing) return;
      // What is under way reads it again by itself, and may fail to.
      if (this.#running === undefined) this.#running = this.#recover();
      else this.#recoverSoon();
    }, this.#options.retry).unref();
  }

  /** Reads the position again while nobody submits anything. */
  async #recover(): Promise<void> {
    await this.#follow(
      this.#reload().catch((again: Error) => {
        this.#stale = again;
        this.#recoverSoon();
      }),
    );
    await this.#run();
  }

  /** Takes the position from the store again: the same code as at the start. */
  async #reload(): Promise<void> {
    const position = await positionOf({ ...this.#options, anchor: this.anchor }).catch((error: unknown) => {
      if (!mayPass(error)) this.#die(error as Error);
      throw new SequencerError(
        'sequencer/unknown-outcome',
        `the log waits for its storage: ${(error as Error).message}; try again later`,
        { cause: error },
      );
    });
    this.#requireGoingOn();
    const before = this.#shown?.size ?? 0;
    this.#position = position;
    this.#shown = position.head;
    this.#growth = undefined;
    this.#stale = undefined;
    if (this.#shown !== null && this.#shown.size > before) this.#tell(this.#shown, []);
  }

  /** Somebody may have shown, while something was waited for, that this is an older copy: nothing of it is let out any more. */
  #requireGoingOn(): void {
    if (this.#dead !== undefined) throw stopped(this.#dead);
  }

  #die(error: Error): never {
    this.end(error);
    throw stopped(error);
  }
}

function withDefaults<C>(options: SequencerOptions<C>) {
  return {
    hasher: portableHasher,
    ed25519: portableEd25519,
    clock: Date.now,
    pool: { entries: 16_384, bytes: 128 * 1024 * 1024 },
    batchSize: 4096,
    gather: 2,
    retry: 2000,
    previousSigners: [],
    trustStore: false,
    readOnly: false,
    ...options,
  };
}

/** Where the log stands, with its rules in step, and its head signed by the keys in force: they may be new since it was stored. */
async function positionOf<C>(
  options: RecoverOptions & Pick<Required<SequencerOptions<C>>, 'admission' | 'signer' | 'previousSigners' | 'readOnly'>,
): Promise<Recovered> {
  const { head, ...position } = await recover(options);
  await options.admission.reload(head?.size ?? 0);
  if (head === null || options.readOnly) return { ...position, head };
  const signers = [options.signer, ...options.previousSigners];
  return { ...position, head: signHead(options.trust, signers, head.size, head.root, head.time, options.ed25519) };
}

function unknownOutcome(cause: unknown): SequencerError {
  return new SequencerError(
    'sequencer/unknown-outcome',
    `the log could not finish the batch (${(cause as Error).message}); send the same statement again, it is never logged twice`,
    { cause },
  );
}

function stopped(cause: Error | undefined): SequencerError {
  return new SequencerError(
    'sequencer/stopped',
    cause === undefined ? 'the log is shutting down' : `the log has stopped: ${cause.message}`,
    { cause },
  );
}
