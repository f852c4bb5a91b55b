import { createHash } from 'node:crypto';
import { type Candidate, checkClock, createCandidate } from '@treering/governance';
import type { AttachmentRef } from '@treering/record';
import { decodeBase64Url, parseStatement, type SignedStatement, StatementError, signatureCheck } from '@treering/statement';
import { checkSignatureOffThread } from '@treering/statement/node';
import type { Storage } from '@treering/storage';
import type { GovernedAdmission } from './admission.js';
import { Problem } from './problem.js';

/** First byte of a stored blob: who may read it. */
export const MARK = { public: 0x70, restricted: 0x72 } as const;
/** Digests named by recent entries, so that an upload right after a submission needs no look-up. */
const REMEMBERED = 65_536;

/** The content type of the statement that proves, on reading a restricted attachment, who is asking. */
export const ACCESS_CONTENT_TYPE = 'application/vnd.treering.access';

/** Content beside the log: kept only when an entry names its digest, and readable as that entry says. */
export class Attachments {
  readonly #storage: Storage;
  readonly #admission: GovernedAdmission;
  readonly #named = new Map<string, AttachmentRef>();

  constructor(storage: Storage, admission: GovernedAdmission) {
    this.#storage = storage;
    this.#admission = admission;
  }

  /** Remembers what a committed entry names. */
  remember(candidate: Candidate): void {
    for (const ref of candidate.record?.attachments ?? []) {
      this.#named.set(hex(ref.digest), ref);
      if (this.#named.size > REMEMBERED) this.#named.delete(this.#named.keys().next().value as string);
    }
  }

  /**
   * Stores a blob (salt ‖ content) that an entry names.
   * @param entry index of the entry; without it the newest entries are looked through
   * @returns true when it is new
   * @throws Problem 404, 403 or 422
   */
  async put(digest: string, blob: Uint8Array, entry: number | undefined): Promise<boolean> {
    const ref = entry === undefined ? this.#named.get(digest) : await this.#refIn(entry, digest);
    if (ref === undefined) {
      throw new Problem(
        404,
        'attachment/not-named',
        'no entry names this digest; submit the statement first, and say ?entry=<index> for an older one',
      );
    }
    if (ref.access === 'withheld')
      throw new Problem(403, 'attachment/withheld', 'the entry says that this content is never sent');
    if (createHash('sha256').update(blob).digest('hex') !== digest)
      throw new Problem(422, 'attachment/wrong-digest', 'the bytes do not hash to the name');
    const marked = new Uint8Array(blob.length + 1);
    marked[0] = MARK[ref.access];
    marked.set(blob, 1);
    return this.#storage.putAttachment(digest, marked);
  }

  /**
   * Reads a blob.
   * @param authorization for a restricted one `Treering <base64url of a signed statement about access/<digest>>`
   * @throws Problem 401, 403 or 404
   */
  async get(
    digest: string,
    authorization: string | undefined,
    now: number,
  ): Promise<{ blob: Uint8Array; restricted: boolean }> {
    const marked = await this.#storage.attachment(digest);
    if (marked === null) throw new Problem(404, 'attachment/missing', 'there is no such attachment, or it was removed');
    const restricted = marked[0] !== MARK.public;
    if (restricted) await this.#requireIdentity(digest, authorization, now);
    return { blob: marked.subarray(1), restricted };
  }

  async #refIn(index: number, digest: string): Promise<AttachmentRef | undefined> {
    const size = (await this.#storage.head())?.size ?? 0;
    if (index >= size) throw new Problem(404, 'entry/missing', `the log has ${size} entries`);
    const [bytes] = await this.#storage.entries(index, index + 1);
    return createCandidate(parseStatement(bytes)).record?.attachments?.find((ref) => hex(ref.digest) === digest);
  }

  async #requireIdentity(digest: string, authorization: string | undefined, now: number): Promise<void> {
    const refuse = (why: string): never => {
      throw new Problem(401, 'attachment/restricted', `this attachment is for enrolled identities: ${why}`);
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
    if (statement.contentType !== ACCESS_CONTENT_TYPE || statement.sub !== `access/${digest}`)
      return refuse('the statement is not about this attachment');
    if (!checkClock(this.#admission.state, statement, now).admitted) refuse('the statement is not fresh');
    if (!(await checkSignatureOffThread(signatureCheck(statement.sign1, identity.key)))) refuse('the signature does not hold');
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
