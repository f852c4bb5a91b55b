import { sha256 } from '@noble/hashes/sha2.js';
import { RecordError } from './errors.js';
import type { AttachmentRef } from './record.js';

/** Random bytes in front of the content, so that a removed attachment cannot be guessed from its digest. */
export const SALT_SIZE = 16;

/** An attachment ready to be stored: what the record says of it, and the blob (salt ‖ content). */
export interface Attachment {
  readonly ref: AttachmentRef;
  readonly blob: Uint8Array;
}

/**
 * Salts content for storage beside the log (formats.md section 8).
 * @param salt 16 fresh random bytes
 */
export function createAttachment(
  content: Uint8Array,
  about: Pick<AttachmentRef, 'name' | 'media_type' | 'access'>,
  salt: Uint8Array,
): Attachment {
  if (salt.length !== SALT_SIZE) throw new RecordError('record/invalid', `a salt has ${SALT_SIZE} bytes, got ${salt.length}`);
  const blob = new Uint8Array(SALT_SIZE + content.length);
  blob.set(salt);
  blob.set(content, SALT_SIZE);
  return { ref: { ...about, size: content.length, digest: sha256(blob) }, blob };
}

/**
 * The content in a blob, after comparing it with what the record says.
 * @throws RecordError (record/invalid) when digest or size differ
 */
export function openAttachment(blob: Uint8Array, ref: AttachmentRef): Uint8Array {
  const actual = sha256(blob);
  if (ref.digest.length !== 32 || !ref.digest.every((byte, i) => byte === actual[i]))
    throw new RecordError('record/invalid', `the attachment ${ref.name} does not hash to its digest`);
  if (blob.length !== SALT_SIZE + ref.size)
    throw new RecordError('record/invalid', `the attachment ${ref.name} has another size than its record says`);
  return blob.subarray(SALT_SIZE);
}
