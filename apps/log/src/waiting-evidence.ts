import { createHash } from 'node:crypto';
import type { AttachmentRef } from '@treering/record';
import type { Storage } from '@treering/storage';
import type { Attachments } from './attachments.js';

/** First byte of the note that evidence waits for its entry; digest and leaf hash follow, 32 bytes each. */
const WAITING = 0x77;

/** Where notes lie: no SHA-256 begins like this, and in the order of the digests they come first. */
const PLACE = '0'.repeat(32);

/** Whether something is stored as such a note, and not as an attachment. */
export function isWaitingNote(digest: string): boolean {
  return digest.startsWith(PLACE);
}

/** What a note says, or undefined when it is none. */
export function readWaitingNote(blob: Uint8Array | null): { digest: string; leaf: Uint8Array } | undefined {
  if (blob === null || blob.length !== 65 || blob[0] !== WAITING) return undefined;
  return { digest: Buffer.from(blob.subarray(1, 33)).toString('hex'), leaf: blob.slice(33) };
}

/** The part of a log that knows what is logged. */
interface Logged {
  /** The index of an entry once no commit is under way; undefined when it is not logged. Rejects as long as that is unknown. */
  indexOf(leafHash: Uint8Array): Promise<number | undefined>;
}

/** One piece of evidence, and the entry that is to name it. */
export interface Evidence {
  readonly ref: AttachmentRef;
  /** salt ‖ content */
  readonly blob: Uint8Array;
  /** Leaf hash of the entry, 32 bytes. */
  readonly leaf: Uint8Array;
}

/**
 * Evidence is stored before the entry that names it, so that an enrolment in the log can always be verified again. Without its
 * entry it is personal data that no correction could ever erase: a durable note beside it says which entry it waits for, and
 * whatever becomes of the submission or of the process, it goes when that entry is not in the log.
 */
export class WaitingEvidence {
  readonly #storage: Storage;
  readonly #attachments: Attachments;
  readonly #logged: Logged;
  readonly #pause: number;
  /** Notes whose submission is under way. */
  readonly #open = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  /** @param pause milliseconds after which what could not be settled is tried again */
  constructor(storage: Storage, attachments: Attachments, logged: Logged, pause = 5_000) {
    this.#storage = storage;
    this.#attachments = attachments;
    this.#logged = logged;
    this.#pause = pause;
  }

  /**
   * Keeps evidence for as long as the submission of its entry takes, and for ever if the entry is then in the log.
   * @throws what storing and submitting throw
   */
  async during<T>({ ref, blob, leaf }: Evidence, submit: () => Promise<T>): Promise<T> {
    const digest = hex(ref.digest);
    const note = noteOf(digest);
    this.#open.add(note);
    try {
      await this.#storage.putAttachment(note, Uint8Array.from([WAITING, ...ref.digest, ...leaf]));
      await this.#attachments.put(digest, blob, ref);
      return await submit();
    } finally {
      this.#open.delete(note);
      await this.#settle(note).catch(() => this.#retryLater());
    }
  }

  /** Settles what an earlier process, or a store that could not be written, has left. */
  async sweep(): Promise<void> {
    for (let after = ''; ; ) {
      const page = await this.#storage.attachments(after, 100);
      const notes = page.filter(isWaitingNote);
      for (const note of notes) {
        if (!this.#open.has(note)) await this.#settle(note).catch(() => this.#retryLater());
      }
      if (notes.length < 100) return;
      after = notes[notes.length - 1];
    }
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** The entry is in the log, and the evidence stays; or it is not, and the evidence goes, and then the note. */
  async #settle(note: string): Promise<void> {
    const waiting = readWaitingNote(await this.#storage.attachment(note));
    if (waiting === undefined) return;
    if ((await this.#logged.indexOf(waiting.leaf)) === undefined) await this.#storage.removeAttachment(waiting.digest);
    // Two hashes are nothing personal: nobody waits until they are overwritten.
    await this.#storage.removeAttachment(note, false);
  }

  #retryLater(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.sweep().catch(() => this.#retryLater());
    }, this.#pause).unref();
  }
}

function noteOf(digest: string): string {
  return PLACE + createHash('sha256').update('treering/waiting/v1').update(digest).digest('hex').slice(0, 32);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
