import { createHash } from 'node:crypto';
import { type Candidate, createCandidate } from '@treering/governance';
import type { ChangeRecord, RecordOf } from '@treering/record';
import { Problem } from '@treering/server';
import { parseStatement } from '@treering/statement';
import type { Storage } from '@treering/storage';

/** First byte of what is stored in place of an erased attachment; the index of the correction follows, in decimal. */
export const ERASED = 0x65;

/** The address of the mark that an attachment was erased. */
export function tombstoneOf(digest: string): string {
  return createHash('sha256').update('treering/erased/v1').update(Buffer.from(digest, 'hex')).digest('hex');
}

/** Removes content for ever while every proof stays valid: a `correction` in the log says what and why. */
export class Erasure {
  readonly #storage: Storage;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /**
   * Checks a correction at the door: it supersedes an entry about the same subject, and erases only what that entry names.
   * @throws Problem 422
   */
  async check(record: RecordOf<'correction'>): Promise<void> {
    const superseded = await this.#entryOf(record.supersedes);
    if (superseded === undefined)
      throw new Problem(422, 'correction/missing', 'the log has no entry with the leaf hash that the correction supersedes');
    if (superseded.statement.sub !== record.subject)
      throw new Problem(422, 'correction/other-subject', 'a correction is about the subject of the entry that it supersedes');
    const named = digestsOf(superseded.record);
    const wrong = (record.erased ?? []).map(hex).find((digest) => !named.has(digest));
    if (wrong !== undefined)
      throw new Problem(422, 'correction/not-named', `the entry that is corrected names no attachment ${wrong}`);
  }

  /** Carries out the erasures of a correction that is logged. Doing it twice does no harm; what `check` refuses is left alone. */
  async carryOut(index: number, record: RecordOf<'correction'>): Promise<void> {
    if (record.erased === undefined) return;
    try {
      await this.check(record);
    } catch (error) {
      if (error instanceof Problem) return;
      throw error;
    }
    for (const digest of record.erased.map(hex)) {
      // The mark first: from here on nobody reads it or brings it back, whatever happens before it is gone.
      await this.#storage.putAttachment(tombstoneOf(digest), Uint8Array.from([ERASED, ...Buffer.from(String(index))]));
      await this.#storage.removeAttachment(digest);
    }
  }

  /** The entry that had an attachment erased, or undefined. */
  async erasedBy(digest: string): Promise<number | undefined> {
    const mark = await this.#storage.attachment(tombstoneOf(digest));
    return mark === null || mark[0] !== ERASED ? undefined : Number(Buffer.from(mark.subarray(1)).toString());
  }

  async #entryOf(leaf: Uint8Array): Promise<Candidate | undefined> {
    const [index] = await this.#storage.indicesOf([leaf]);
    if (index === undefined) return undefined;
    const [bytes] = await this.#storage.entries(index, index + 1);
    return createCandidate(parseStatement(bytes));
  }
}

function digestsOf(record: ChangeRecord | undefined): Set<string> {
  return new Set((record?.attachments ?? []).map(({ digest }) => hex(digest)));
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
