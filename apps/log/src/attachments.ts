import { createHash } from 'node:crypto';
import { checkClock, createCandidate } from '@treering/governance';
import { type AttachmentRef, SALT_SIZE } from '@treering/record';
import type { AuthenticReader } from '@treering/sequencer';
import { Problem } from '@treering/server';
import { decodeBase64Url, parseStatement, type SignedStatement, StatementError, signatureCheck } from '@treering/statement';
import { checkSignatureOffThread } from '@treering/statement/node';
import { type Storage, StorageError } from '@treering/storage';
import type { GovernedAdmission } from './admission.js';
import { ACCESS_CONTENT_TYPE } from './content-types.js';
import { ERASED, Erasure } from './erasure.js';
import { Staging } from './staging.js';
import { isWaitingNote } from './waiting-evidence.js';

/** First byte of a stored blob: who may read it. They differ in every bit, so that none that flips opens what is restricted. */
const MARK = { public: 0x70, restricted: 0x8f } as const;
/** How restricted blobs were marked before. */
const RESTRICTED_BEFORE = 0x72;

/** Bytes of uploads that may wait for their statements. */
const STAGED_BYTES = 64 * 1024 * 1024;

/** Content beside the log: kept only when an entry names its digest, and readable as that entry says. */
export class Attachments {
  readonly erasure: Erasure;
  readonly #storage: Storage;
  readonly #admission: GovernedAdmission;
  readonly #stored: AuthenticReader;
  readonly #staging = new Staging(STAGED_BYTES);

  constructor(storage: Storage, admission: GovernedAdmission, stored: AuthenticReader) {
    this.#storage = storage;
    this.#admission = admission;
    this.#stored = stored;
    this.erasure = new Erasure(storage);
  }

  /**
   * What entry `index` says of a digest: before anything of an upload is read.
   * @throws Problem 404 when the entry does not name it, 403 when its content is never sent
   */
  async expected(digest: string, index: number): Promise<AttachmentRef> {
    const { size } = this.#stored;
    if (index >= size) throw new Problem(404, 'entry/missing', `the log has ${size} entries`);
    const { record } = createCandidate(parseStatement(await this.#stored.entry(index)));
    const ref = record?.attachments?.find((attachment) => Buffer.from(attachment.digest).toString('hex') === digest);
    if (ref === undefined) throw new Problem(404, 'attachment/not-named', `entry ${index} does not name this digest`);
    if (ref.access === 'withheld')
      throw new Problem(403, 'attachment/withheld', 'the entry says that this content is never sent');
    await this.#requireNotErased(digest);
    return ref;
  }

  /**
   * Keeps a blob for some minutes, until a statement that names it is logged.
   * @param id the identity that uploads, as `requireIdentity` found it
   * @param now milliseconds
   * @throws Problem 410, 422 or 503
   */
  async stage(digest: string, blob: Uint8Array, id: string, now: number): Promise<void> {
    requireDigest(digest, blob);
    await this.#requireNotErased(digest);
    this.#staging.put(digest, blob, id, now);
  }

  /** Bytes of one upload that waits for its statement, at most. */
  get mostStaged(): number {
    return this.#staging.share;
  }

  /**
   * Stores what was uploaded before the entry that now names it. What was erased meanwhile stays erased.
   * @param now milliseconds
   */
  async takeStaged(attachments: readonly AttachmentRef[], now: number): Promise<void> {
    for (const ref of attachments) {
      // Whoever names a digest as withheld leaves the upload to the entry that it is for.
      if (ref.access === 'withheld') continue;
      const digest = Buffer.from(ref.digest).toString('hex');
      const blob = this.#staging.take(digest, ref.size + SALT_SIZE, now);
      if (blob === undefined || (await this.erasure.erasedBy(digest)) !== undefined) continue;
      await this.put(digest, blob, ref);
    }
  }

  /**
   * Stores a blob (salt ‖ content) that an entry names, readable as that entry says. What is stored already stays as it is,
   * unless it is damaged.
   * @returns true when it was not there, or is whole again
   * @throws Problem 422
   */
  async put(digest: string, blob: Uint8Array, ref: AttachmentRef): Promise<boolean> {
    if (ref.access === 'withheld')
      throw new Problem(403, 'attachment/withheld', 'the entry says that this content is never sent');
    requireDigest(digest, blob);
    if (blob.length !== ref.size + SALT_SIZE)
      throw new Problem(
        422,
        'attachment/wrong-size',
        `the entry says that this attachment has ${ref.size} bytes after its salt`,
      );
    await this.#requireNotErased(digest);
    const marked = new Uint8Array(blob.length + 1);
    marked[0] = MARK[ref.access];
    marked.set(blob, 1);
    return (await this.#storage.putAttachment(digest, marked)) || this.#repair(digest, marked);
  }

  /** Puts a blob in the place of a damaged one. */
  async #repair(digest: string, marked: Uint8Array): Promise<boolean> {
    const stored = await this.#storage.attachment(digest);
    if (stored === null || isWhole(stored, marked)) return false;
    // What was erased since then must not come back.
    await this.#requireNotErased(digest);
    return this.#storage.replaceAttachment(digest, marked);
  }

  /**
   * Reads a blob.
   * @param authorization for a restricted one `Treering <base64url of a signed statement about access/<digest>>`
   * @throws Problem 401, 403 or 404; StorageError (storage/corrupt) when the bytes are not those that were stored
   */
  async get(
    digest: string,
    authorization: string | undefined,
    now: number,
  ): Promise<{ blob: Uint8Array; restricted: boolean }> {
    const marked = isWaitingNote(digest) ? null : await this.#storage.attachment(digest);
    await this.#requireNotErased(digest);
    if (marked === null || marked[0] === ERASED)
      throw new Problem(404, 'attachment/missing', 'there is no such attachment, or it was removed');
    const restricted = !isMarked(marked, 'public');
    if (restricted) await this.requireIdentity(`access/${digest}`, authorization, now);
    const blob = marked.subarray(1);
    if (createHash('sha256').update(blob).digest('hex') !== digest)
      throw new StorageError(
        'storage/corrupt',
        `the bytes of attachment ${digest} do not hash to its name; run "treering fsck"`,
      );
    return { blob, restricted };
  }

  async #requireNotErased(digest: string): Promise<void> {
    const erasedBy = await this.erasure.erasedBy(digest);
    if (erasedBy !== undefined)
      throw new Problem(410, 'attachment/erased', `this attachment was erased, as entry ${erasedBy} says`, { index: erasedBy });
  }

  /**
   * Who is asking: the header carries a fresh statement about exactly this, signed with an enrolled key.
   * @param subject `access/<digest>` or `upload/<digest>`
   * @returns the identity's id
   * @throws Problem 401
   */
  async requireIdentity(subject: string, authorization: string | undefined, now: number): Promise<string> {
    const refuse = (why: string): never => {
      throw new Problem(401, 'attachment/restricted', `this is for enrolled identities: ${why}`);
    };
    const token = /^Treering ([A-Za-z0-9_-]{1,8192})$/.exec(authorization ?? '')?.[1];
    if (token === undefined) return refuse('send a signed statement in the header Authorization');
    let statement: SignedStatement;
    try {
      statement = parseStatement(decodeBase64Url(token));
    } catch (error) {
      if (!(error instanceof StatementError)) throw error;
      return refuse(error.message);
    }
    const identity = this.#admission.state.identity(statement.kid);
    if (identity === undefined) return refuse('no identity is enrolled with this key');
    const { charter } = this.#admission.state;
    const expired = identity.revokedAt !== undefined || (identity.validUntil !== undefined && now > identity.validUntil);
    if (expired || statement.iss !== `${charter?.origin}/identity/${identity.id}`)
      return refuse('the key is not valid for this issuer');
    if (statement.contentType !== ACCESS_CONTENT_TYPE || statement.sub !== subject)
      return refuse('the statement is about something else');
    if (!checkClock(this.#admission.state, { statement, record: undefined }, now).admitted)
      refuse('the statement is not fresh');
    if (!(await checkSignatureOffThread(signatureCheck(statement.sign1, identity.key)))) refuse('the signature does not hold');
    return identity.id;
  }
}

/** Whether a stored blob is marked as readable for `access`. */
export function isMarked(blob: Uint8Array, access: keyof typeof MARK): boolean {
  return blob[0] === MARK[access] || (access === 'restricted' && blob[0] === RESTRICTED_BEFORE);
}

/** Whether a stored blob holds the content of the right one, and says who may read it: that depends on the entry it came for. */
function isWhole(stored: Uint8Array, right: Uint8Array): boolean {
  return (
    (isMarked(stored, 'public') || isMarked(stored, 'restricted')) &&
    Buffer.compare(stored.subarray(1), right.subarray(1)) === 0
  );
}

function requireDigest(digest: string, blob: Uint8Array): void {
  if (createHash('sha256').update(blob).digest('hex') !== digest)
    throw new Problem(422, 'attachment/wrong-digest', 'the bytes do not hash to the name');
}
