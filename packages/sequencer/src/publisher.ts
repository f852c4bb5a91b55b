import {
  type Ed25519,
  evaluateQuorum,
  formatNote,
  type LogTrust,
  type NoteSignature,
  openCheckpoint,
  parseNote,
  portableEd25519,
  requireQuorum,
  type Signer,
  type TrustPolicy,
} from '@treering/note';
import type { Storage, StoredHead } from '@treering/storage';
import type { AscendingAnchor } from './anchor.js';
import { isFatal, SequencerError } from './errors.js';

/** Asks witnesses to cosign a checkpoint that the log has signed; `published` is the one they saw last. */
export type Cosign = (checkpoint: Uint8Array, published: StoredHead | null) => Promise<readonly NoteSignature[]>;

/** Everything publication works with; the seams for tests are named here. */
export interface PublisherOptions {
  readonly storage: Storage;
  /** The anchor of the sequencer, which may know a newer head by now. */
  readonly anchor: AscendingAnchor;
  readonly trust: LogTrust;
  /** Signers whose lines stand on a published checkpoint besides the committed head's: the log's ML-DSA-44 key. */
  readonly signers: readonly Signer[];
  /** The log's own witness policy; without one no cosignature is needed. */
  readonly policy?: TrustPolicy;
  readonly cosign?: Cosign;
  /** Milliseconds after which an unchanged head is signed and cosigned anew, so that readers see that it is not old. */
  readonly refresh?: number;
  /** Milliseconds from one publication that is kept for good to the next; 0 keeps all. Ten minutes when it is not given. */
  readonly keepEvery?: number;
  /** Called before a head is taken. */
  readonly before?: () => Promise<void>;
  /** Whether cosigners are to be asked again although the head has not changed. */
  readonly askAgain?: () => boolean;
  /** The newest committed head that may be shown. */
  readonly head: () => StoredHead | null;
  /** Why the log has ended, or undefined: then nothing is published any more. */
  readonly ended?: () => Error | undefined;
  /** Called when the disk failed, so that the log ends: what is in memory says nothing about such a disk. */
  readonly onFatal?: (error: Error) => void;
  readonly ed25519?: Ed25519;
  /** Milliseconds since the epoch. */
  readonly clock?: () => number;
}

const KEEP_EVERY = 600_000;

/** Publishes committed heads: the step between what submitters hold and what everybody sees. */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #listeners = new Set<(published: StoredHead) => void>();
  #published: StoredHead | null;
  /** Milliseconds since the epoch at which the last kept head was published; undefined before the first. */
  #lastKept: number | undefined;
  #running: Promise<StoredHead | null> | undefined;

  private constructor(options: PublisherOptions, published: StoredHead | null, lastKept: number | undefined) {
    this.#options = options;
    this.#published = published;
    this.#lastKept = lastKept;
  }

  /** What was published before counts only if it has the quorum that the policy asks for now. */
  static async open(options: PublisherOptions): Promise<Publisher> {
    const published = await options.storage.published();
    const lastKept = (await options.storage.lastKept())?.time;
    return new Publisher(options, published !== null && hasQuorum(published.note, options) ? published : null, lastKept);
  }

  /** The newest published checkpoint. */
  get published(): StoredHead | null {
    return this.#published;
  }

  /** Calls back after every publication. Returns what ends it. */
  onPublish(listener: (published: StoredHead) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Publishes the newest committed head if it is larger than the published one. Calls that overlap share one run.
   * @throws SequencerError sequencer/quorum-not-met or sequencer/stopped, or what anchor and store throw: the published checkpoint
   *   stays as it was
   */
  publish(): Promise<StoredHead | null> {
    this.#running ??= this.#publish()
      .catch((error: Error) => {
        if (isFatal(error)) this.#options.onFatal?.(error);
        throw error;
      })
      .finally(() => {
        this.#running = undefined;
      });
    return this.#running;
  }

  /** The same head is published again when the log signs with other keys than then, or when its signatures are old. */
  #isPublished(committed: StoredHead): boolean {
    if (this.#published === null || this.#published.size !== committed.size || this.#options.askAgain?.()) return false;
    const { trust, signers, refresh = Number.POSITIVE_INFINITY, clock = Date.now } = this.#options;
    if (clock() - this.#published.time >= refresh) return false;
    const names = new Set(trust.logKeys.map(({ name }) => name));
    const lines = ({ note }: StoredHead): string[] =>
      parseNote(note)
        .signatures.filter(({ name }) => names.has(name))
        .map(lineKey);
    const own = [...lines(committed), ...signers.map(({ key }) => lineKey(key))];
    return own.sort().join('\n') === lines(this.#published).sort().join('\n');
  }

  /**
   * Whether a publication is kept for good. Who asks later when an entry was recorded finds it between two kept heads, which are no
   * further apart than `keepEvery` and the time to the next publication; after a longer pause both sides of it are kept.
   */
  #isToBeKept(time: number): boolean {
    const { keepEvery = KEEP_EVERY } = this.#options;
    return this.#lastKept === undefined || time - this.#lastKept >= keepEvery;
  }

  /** After a pause, or a time in which the log did not run, the head before is the one that says when its entries were there. */
  async #keepBeforePause(time: number): Promise<void> {
    const { storage, keepEvery = KEEP_EVERY } = this.#options;
    const before = this.#published;
    if (before === null || before.time === this.#lastKept || time - before.time < keepEvery) return;
    await storage.publish(before, true);
    this.#lastKept = before.time;
  }

  /** What ended the log may be another history, and its head the anchor: neither is written over. */
  #requireGoingOn(): void {
    const cause = this.#options.ended?.();
    if (cause !== undefined) throw new SequencerError('sequencer/stopped', `the log has stopped: ${cause.message}`, { cause });
  }

  async #publish(): Promise<StoredHead | null> {
    const {
      storage,
      anchor,
      trust,
      signers,
      policy,
      cosign,
      before,
      head,
      clock = Date.now,
      ed25519 = portableEd25519,
    } = this.#options;
    this.#requireGoingOn();
    await before?.();
    const committed = head();
    if (committed === null || this.#isPublished(committed)) return this.#published;
    const time = Math.max(clock(), committed.time, this.#published?.time ?? 0);
    const { text, signatures } = parseNote(committed.note);
    const own = [...signatures, ...signers.map((signer) => signer.sign(text, BigInt(Math.floor(time / 1000))))];
    const signed = formatNote({ text, signatures: own });
    const lines = (await cosign?.(signed, this.#published)) ?? [];
    const note = formatNote({ text, signatures: [...own, ...lines] });
    // What is published is opened as a reader would, so that no line of a known key on it can fail.
    const opened = openCheckpoint(note, { ...trust, witnessKeys: policy?.witnesses.map((w) => w.key) ?? [] }, ed25519);
    if (policy !== undefined) {
      try {
        requireQuorum(policy, opened.cosignatures);
      } catch (error) {
        throw new SequencerError('sequencer/quorum-not-met', (error as Error).message, { cause: error });
      }
    }
    const published: StoredHead = { size: committed.size, root: committed.root, time, note };
    // The anchor is durable before anybody can see the checkpoint: a restored older store is then recognised.
    this.#requireGoingOn();
    // The log may have grown while witnesses were asked: this anchor does not go back.
    await anchor.write(committed.note, true);
    this.#requireGoingOn();
    await this.#keepBeforePause(time);
    const keep = this.#isToBeKept(time);
    await storage.publish(published, keep);
    if (keep) this.#lastKept = time;
    this.#published = published;
    for (const listener of this.#listeners) listener(published);
    return published;
  }
}

function hasQuorum(note: Uint8Array, { trust, policy, ed25519 = portableEd25519 }: PublisherOptions): boolean {
  if (policy === undefined) return true;
  const witnessKeys = policy.witnesses.map(({ key }) => key);
  return evaluateQuorum(policy, openCheckpoint(note, { ...trust, witnessKeys }, ed25519).cosignatures).met;
}

function lineKey({ name, id }: { name: string; id: string }): string {
  return `${name}+${id}`;
}
