import { formatTlogProof } from '@treering/evidence';
import {
  equalBytes,
  type Hasher,
  MerkleInputError,
  type Proof,
  ProofError,
  portableHasher,
  verifyConsistency,
  verifyInclusion,
} from '@treering/merkle';
import {
  decodeBase64,
  type Ed25519,
  encodeUtf8,
  type LogTrust,
  MAX_NOTE_SIZE,
  parseCheckpoint,
  parseNote,
  portableEd25519,
  type VerifierKey,
} from '@treering/note';
import { type ChangeRecord, decodeRecord, RecordError } from '@treering/record';
import {
  type CoseKey,
  coseKeyThumbprint,
  parseReceipt,
  parseStatement,
  RECORD_CONTENT_TYPE,
  type SignedStatement,
  StatementError,
  verifyReceipt,
} from '@treering/statement';
import { ClientError } from './errors.js';
import { Follower } from './follower.js';
import { createHeadMemory, type HeadMemory } from './head-memory.js';
import { type HttpOptions, LogHttp, parseJsonObject } from './http.js';
import { readKeptHeads } from './kept-heads.js';
import { hashesOf, indexOf, textOf } from './members.js';
import { headOf, openHead, type VerifiedHead } from './open-head.js';
import { ProvedTree } from './proved-tree.js';
import { readSubjects } from './subject-list.js';
import { TlogReader } from './tlog-reader.js';
import { verified } from './verified.js';

/** How often a head is compared at most with what others remember meanwhile. */
const MOST_ADOPTIONS = 100;

/** How a log is reached, and what the client trusts about it. */
export interface LogClientOptions extends HttpOptions {
  readonly url: string;
  /** Origin and keys; never taken from the log itself. */
  readonly trust: LogTrust;
  readonly memory?: HeadMemory;
  readonly hasher?: Hasher;
  readonly ed25519?: Ed25519;
  /** The log's receipt keys; receipts are checked when some are given. */
  readonly receiptKeys?: readonly CoseKey[];
}

/** An entry whose place in the log was verified. */
export interface LoggedEntry {
  readonly index: number;
  /** 32 bytes */
  readonly leaf: Uint8Array;
  readonly inclusion: Proof;
  readonly head: VerifiedHead;
  /** True when the log had the same statement before. */
  readonly duplicate: boolean;
  /** COSE receipt (RFC 9942). */
  readonly receipt: Uint8Array;
  /** The whole as a .tlog-proof file. */
  readonly proofFile: Uint8Array;
}

/** An entry as read, its inclusion proved against a verified head. */
export interface ReadEntry {
  readonly index: number;
  readonly leaf: Uint8Array;
  readonly statement: SignedStatement;
  /** undefined for payloads that are no records. */
  readonly record: ChangeRecord | undefined;
  readonly head: VerifiedHead;
}

/**
 * A client that believes nothing: every head is checked against the log's key and for consistency with the newest head that
 * it has seen, every entry against a proof.
 */
export class LogClient {
  readonly #http: LogHttp;
  readonly #tiles: TlogReader;
  readonly #trust: LogTrust;
  readonly #memory: HeadMemory;
  readonly #hasher: Hasher;
  readonly #ed25519: Ed25519;
  readonly #receiptKeys: readonly CoseKey[];
  /** Heads are compared and remembered one after the other. */
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: LogClientOptions) {
    this.#http = new LogHttp(options.url, options);
    this.#tiles = new TlogReader(options.url, options);
    this.#trust = options.trust;
    this.#memory = options.memory ?? createHeadMemory();
    this.#hasher = options.hasher ?? portableHasher;
    this.#ed25519 = options.ed25519 ?? portableEd25519;
    this.#receiptKeys = options.receiptKeys ?? [];
  }

  /**
   * Submits a statement and verifies the answer: head signature, consistency with what was seen before, inclusion, receipt.
   * @param wait 'witnessed' waits until the published checkpoint covers the entry
   * @throws ClientError; after client/unreachable the same statement can be sent again
   */
  async submit(statement: SignedStatement, wait: 'commit' | 'witnessed' = 'commit'): Promise<LoggedEntry> {
    const { status, bytes } = await this.#http.send(`/v1/entries?wait=${wait}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/cose', Accept: 'application/json' },
      body: statement.entry as Uint8Array<ArrayBuffer>,
    });
    if (status !== 200 && status !== 201) throw this.#http.refusalOf(status, bytes);
    return this.#accept(statement, parseJsonObject(bytes), status);
  }

  async #accept(statement: SignedStatement, answer: Record<string, unknown>, status: number): Promise<LoggedEntry> {
    const index = indexOf(answer.index);
    const checkpoint = textOf(answer.checkpoint, 'checkpoint');
    const inclusion = hashesOf(answer.inclusion);
    const receipt = verified(() => decodeBase64(textOf(answer.receipt, 'receipt')));
    const head = await this.adopt(encodeUtf8(checkpoint));
    const leaf = this.#hasher.hashLeaf(statement.entry);
    verified(() => verifyInclusion(index, head.size, leaf, inclusion, head.root, this.#hasher));
    if (this.#receiptKeys.length > 0) this.#checkReceipt(receipt, leaf, index, head);
    const proofFile = formatTlogProof({
      extra: statement.entry,
      index: BigInt(index),
      hashes: inclusion,
      checkpoint: head.note,
    });
    return { index, leaf, inclusion, head, duplicate: status === 200, receipt, proofFile };
  }

  /** The newest published checkpoint, verified and remembered. @throws ClientError */
  async head(): Promise<VerifiedHead> {
    return this.adopt(await this.#http.request('/checkpoint', {}, MAX_NOTE_SIZE));
  }

  /**
   * One entry by index or leaf hash (64 hex digits), with its inclusion in a verified head proved.
   * @throws ClientError
   */
  async entry(id: number | string): Promise<ReadEntry> {
    const bytes = await this.#http.request(`/v1/entries/${id}`);
    const leaf = this.#hasher.hashLeaf(bytes);
    const hex = Array.from(leaf, (b) => b.toString(16).padStart(2, '0')).join('');
    if (typeof id === 'string' && /^[0-9a-f]{64}$/.test(id) && id !== hex) {
      throw new ClientError('client/not-verified', 'the log answers with another entry than was asked for');
    }
    const { index, head } = await this.#proveEntry(hex, leaf);
    if (/^\d+$/.test(String(id)) && Number(id) !== index)
      throw new ClientError('client/not-verified', `the log answers with entry ${index} instead of ${id}`);
    return { index, leaf, head, ...this.#decode(bytes) };
  }

  /** Fetches an inclusion proof for a leaf under a head, and verifies both. */
  async #proveEntry(hex: string, leaf: Uint8Array): Promise<{ index: number; head: VerifiedHead }> {
    for (let attempt = 0; ; attempt++) {
      const answer = parseJsonObject(
        await this.#http.request(`/v1/proof/inclusion?leaf=${hex}`).catch((error: ClientError) => {
          // Just logged and not yet published: the next checkpoint covers it.
          if (error.status === 404 && attempt < 20) return new TextEncoder().encode('{}');
          throw error;
        }),
      );
      if (answer.checkpoint === undefined) {
        if (attempt >= 20) throw new ClientError('client/bad-answer', 'the log publishes no head that covers the entry');
        await new Promise((resolve) => setTimeout(resolve, 250));
        continue;
      }
      const head = await this.adopt(encodeUtf8(textOf(answer.checkpoint, 'checkpoint')));
      const index = indexOf(answer.index);
      verified(() => verifyInclusion(index, head.size, leaf, hashesOf(answer.hashes), head.root, this.#hasher));
      return { index, head };
    }
  }

  /**
   * The records of a subject, newest first. Each entry is proved; that there are no others is only what the log says.
   * @throws ClientError
   */
  async history(subject: string, limit = Number.POSITIVE_INFINITY): Promise<ReadEntry[]> {
    const out: ReadEntry[] = [];
    for (let before: number | undefined; out.length < limit; ) {
      const query = before === undefined ? '' : `?before=${before}`;
      const page = parseJsonObject(await this.#http.request(`/v1/subjects/${subject}${query}`));
      if (!Array.isArray(page.records)) throw new ClientError('client/bad-answer', 'the log answers without records');
      for (const record of page.records.slice(0, limit - out.length)) {
        const entry = await this.entry(indexOf((record as { index?: unknown } | null)?.index));
        if (entry.statement.sub !== subject)
          throw new ClientError('client/not-verified', `entry ${entry.index} is not about ${subject}`);
        if (out.length > 0 && entry.index >= out[out.length - 1].index)
          throw new ClientError('client/bad-answer', 'the log lists records out of order');
        out.push(entry);
      }
      if (page.next === undefined) return out;
      const next = indexOf(page.next);
      if (page.records.length === 0 || next >= (before ?? Number.POSITIVE_INFINITY)) {
        throw new ClientError('client/bad-answer', 'the log lists the same records again and again');
      }
      before = next;
    }
    return out;
  }

  /**
   * The subjects that the log has records about and that begin with `prefix`, in the order of their characters. That there are no others
   * is only what the log says.
   * @throws ClientError client/bad-answer for a list that does not go on, or not end
   */
  subjects(prefix: string): AsyncGenerator<string> {
    return readSubjects(this.#http, prefix);
  }

  /**
   * The published checkpoints that the log keeps, as signed notes, from a size on and in the order of sizes: of each size one or two.
   * They are unverified, and that there are no others is only what the log says. A log that keeps none in this way gives none.
   * @throws ClientError client/bad-answer for a list that does not go on, or not end: what came before it stays as good as it was
   */
  keptHeads(from = 0): AsyncGenerator<Uint8Array> {
    return readKeptHeads(this.#http, from);
  }

  /** The tree of a head that was verified: its hashes and entries, in any order. */
  tree({ size, root }: Pick<VerifiedHead, 'size' | 'root'>): ProvedTree {
    return new ProvedTree(this.#tiles, size, root, this.#hasher);
  }

  /**
   * Follows the log's entries from a position on, or from the first one: each comes out when it is proved to be under a head.
   * @throws MerkleInputError for a position that is none
   */
  follower(position?: Uint8Array): Follower {
    const hasher = this.#hasher;
    return new Follower(this.#tiles, { hasher, ...(position === undefined ? {} : { position }) });
  }

  /**
   * Submits statements in one request; each has its own outcome, in order. Heads are verified as after `submit`.
   * @throws ClientError when the request as a whole fails
   */
  async submitBatch(statements: readonly SignedStatement[]): Promise<(LoggedEntry | ClientError)[]> {
    const body = new Uint8Array(statements.reduce((sum, { entry }) => sum + entry.length, 0));
    let at = 0;
    for (const { entry } of statements) {
      body.set(entry, at);
      at += entry.length;
    }
    const bytes = await this.#http.request('/v1/entries:batch', {
      method: 'POST',
      headers: { 'Content-Type': 'application/cbor-seq' },
      body,
    });
    const { results } = parseJsonObject(bytes);
    if (!Array.isArray(results) || results.length !== statements.length)
      throw new ClientError('client/bad-answer', 'the log does not answer for each statement');
    const out: (LoggedEntry | ClientError)[] = [];
    for (const [i, result] of (results as Record<string, unknown>[]).entries()) {
      const status = typeof result?.status === 'number' ? result.status : Number.NaN;
      if (status === 200 || status === 201) out.push(await this.#accept(statements[i], result, status));
      else out.push(this.#http.refusalFor(status, result));
    }
    return out;
  }

  /** A blob (salt ‖ content) by its digest. @param authorization for a restricted one @throws ClientError */
  async attachment(digest: string, authorization?: string): Promise<Uint8Array> {
    const path = `/addenda/${digest.slice(0, 2)}/${digest.slice(2, 4)}/${digest}`;
    return this.#http.request(path, authorization === undefined ? {} : { headers: { Authorization: authorization } });
  }

  /** Whether the log says that it enrols keys by token, unverified. @throws ClientError */
  async enrolsByToken(): Promise<boolean> {
    return parseJsonObject(await this.#http.request('/v1/enrolment')).open === true;
  }

  /** Asks for the enrolment of a key by token: `request` is the statement that asks. @throws ClientError */
  async enrol(request: Uint8Array): Promise<{ id: string; index: number }> {
    const bytes = await this.#http.request('/v1/enrolment', {
      method: 'POST',
      headers: { 'Content-Type': 'application/cose' },
      body: request as Uint8Array<ArrayBuffer>,
    });
    const answer = parseJsonObject(bytes);
    return { id: textOf(answer.id, 'an id'), index: indexOf(answer.index) };
  }

  /** What the log says of itself (`/v1/log`), unverified. @throws ClientError */
  async about(): Promise<Record<string, unknown>> {
    return parseJsonObject(await this.#http.request('/v1/log'));
  }

  /**
   * Uploads an attachment (salt ‖ content) that entry `entry` names.
   * @throws ClientError
   */
  async putAttachment(digest: string, blob: Uint8Array, entry: number): Promise<void> {
    await this.#http.request(`/v1/attachments/${digest}?entry=${entry}`, {
      method: 'PUT',
      headers: { 'Content-Type': 'application/octet-stream' },
      body: blob as Uint8Array<ArrayBuffer>,
    });
  }

  /**
   * Verifies a head and its consistency with the newest one remembered, and remembers the larger of the two.
   * @throws ClientError client/not-verified for a bad signature, client/inconsistent for another history: keep both heads then
   */
  adopt(note: Uint8Array): Promise<VerifiedHead> {
    const next = this.#queue.then(() => this.#adopt(note));
    this.#queue = next.catch(() => undefined);
    return next;
  }

  async #adopt(note: Uint8Array): Promise<VerifiedHead> {
    const head = this.#open(note);
    const { origin } = this.#trust;
    for (let attempt = 0; attempt < MOST_ADOPTIONS; attempt++) {
      const before = await this.#memory.load(origin);
      const remembered = before === undefined ? undefined : this.#remembered(before);
      if (remembered !== undefined) await this.#checkConsistency(remembered.head, head);
      const known = remembered?.head.size ?? -1;
      const replaced = head.size === known && remembered?.signed === false;
      if (head.size <= known && !replaced) return head;
      // Another process may have been shown another history meanwhile: then this head is compared with that.
      if (await this.#memory.replace(origin, before, note)) return head;
    }
    throw new ClientError('client/unreachable', `others remember heads of ${origin} all the time; try again`);
  }

  /**
   * A head that was remembered. It was verified before it was remembered, perhaps with a log key that was replaced since.
   * No key trusted now signed it then, so it proves nothing any more; a log that does not contain it is refused all the same.
   */
  #remembered(note: Uint8Array): { head: VerifiedHead; signed: boolean } {
    const signed = !verified(() => isSignedByOthers(note, this.#trust.logKeys));
    return { head: signed ? this.#open(note) : headOf(note, () => parseCheckpoint(parseNote(note).text)), signed };
  }

  async #checkConsistency(a: VerifiedHead, b: VerifiedHead): Promise<void> {
    const [old, young] = a.size <= b.size ? [a, b] : [b, a];
    const fork = (why: string, cause?: unknown): ClientError =>
      new ClientError(
        'client/inconsistent',
        `the log ${this.#trust.origin} shows another history: ${why}. Keep both signed heads; they prove it`,
        { cause },
      );
    if (old.size === young.size) {
      if (!equalBytes(old.root, young.root)) throw fork(`it signed two roots for size ${old.size}`);
      return;
    }
    if (old.size === 0) return;
    const answer = parseJsonObject(
      await this.#http.request(`/v1/proof/consistency?from=${old.size}&to=${young.size}`).catch((error: unknown) => {
        // A log that does not have as many entries as it had knows nothing of them.
        if (!(error instanceof ClientError) || error.status !== 400 || old !== b) throw error;
        throw new ClientError(
          'client/inconsistent',
          `the log ${this.#trust.origin} gives out a head of ${b.size} entries, has shown one of ${a.size} before, and does not prove that this contains it: an older copy of it was brought back, or it shows another history. Keep both signed heads`,
          { cause: error },
        );
      }),
    );
    try {
      verifyConsistency(old.size, young.size, old.root, young.root, hashesOf(answer.hashes), this.#hasher);
    } catch (error) {
      if (error instanceof ProofError || error instanceof MerkleInputError)
        throw fork(`its head of ${young.size} entries does not contain the one of ${old.size}`, error);
      throw error;
    }
  }

  #open(note: Uint8Array): VerifiedHead {
    return openHead(note, this.#trust, this.#ed25519);
  }

  #checkReceipt(bytes: Uint8Array, leaf: Uint8Array, index: number, head: VerifiedHead): void {
    const root = verified(() => {
      const receipt = parseReceipt(bytes);
      if (receipt.proof.index !== index || receipt.proof.size !== head.size)
        throw new ClientError('client/not-verified', 'the receipt is for another place in the log');
      // The key that it names, if it is one of the log's; with any other it does not hold.
      const named = this.#receiptKeys.find(
        (key) => receipt.kid !== undefined && equalBytes(coseKeyThumbprint(key), receipt.kid),
      );
      return verifyReceipt(receipt, leaf, named ?? this.#receiptKeys[0], { hasher: this.#hasher, ed25519: this.#ed25519 });
    });
    if (!equalBytes(root, head.root))
      throw new ClientError('client/not-verified', 'the receipt signs another root than the head');
  }

  #decode(bytes: Uint8Array): { statement: SignedStatement; record: ChangeRecord | undefined } {
    return verified(() => {
      const statement = parseStatement(bytes);
      if (statement.contentType !== RECORD_CONTENT_TYPE) return { statement, record: undefined };
      try {
        const record = decodeRecord(statement.payload);
        if (record.subject !== statement.sub)
          throw new ClientError('client/not-verified', 'the record is about something else than its header says');
        return { statement, record };
      } catch (error) {
        if (error instanceof RecordError || error instanceof StatementError) return { statement, record: undefined };
        throw error;
      }
    });
  }
}

/** True when no line of a note is by one of the keys. */
function isSignedByOthers(note: Uint8Array, keys: readonly VerifierKey[]): boolean {
  return !parseNote(note).signatures.some((line) => keys.some((key) => key.name === line.name && key.id === line.id));
}
