import { createHash } from 'node:crypto';
import type { RecordOf } from '@treering/record';
import type { Storage } from '@treering/storage';

/** First byte of what is stored in place of an erased attachment; the index of the correction follows, in decimal. */
export const ERASED = 0x65;

/**
 * The address of the mark that an attachment was erased: 64 characters of which the first is no hex digit, so that no record can
 * name it and nobody upload, read or erase what lies there.
 */
export function tombstoneOf(digest: string): string {
  return `x${createHash('sha256').update('treering/erased/v1').update(Buffer.from(digest, 'hex')).digest('hex').slice(1)}`;
}

/** Removes content for ever while every proof stays valid: a `correction` in the log says what and why. */
export class Erasure {
  readonly #storage: Storage;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /** Carries out the erasures of a correction that was admitted. Doing it twice does no harm. */
  async carryOut(index: number, record: RecordOf<'correction'>): Promise<void> {
    const digests = (record.erased ?? []).map(hex);
    for (const [i, digest] of digests.entries()) {
      // The mark first: from here on nobody reads it or brings it back, whatever happens before it is gone.
      await this.#storage.putAttachment(tombstoneOf(digest), Uint8Array.from([ERASED, ...Buffer.from(String(index))]));
      // Overwritten together: whoever reads the store keeps none of them readable for others.
      await this.#storage.removeAttachment(digest, i === digests.length - 1);
    }
  }

  /** The entry that had an attachment erased, or undefined. */
  async erasedBy(digest: string): Promise<number | undefined> {
    return erasedBy(await this.#storage.attachment(tombstoneOf(digest)));
  }
}

/** The entry that a mark of an erasure names; undefined for null and for what is no such mark. */
export function erasedBy(mark: Uint8Array | null): number | undefined {
  return mark === null || mark[0] !== ERASED ? undefined : Number(Buffer.from(mark.subarray(1)).toString());
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
