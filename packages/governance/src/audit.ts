import { equalBytes, HASH_SIZE } from '@treering/merkle';
import { RecordError } from '@treering/record';
import { type CoseKey, encodeCoseKey, parseStatement, StatementError, signatureCheck } from '@treering/statement';
import { admit } from './admit.js';
import { type Authenticated, authenticate, authenticateRecord, keyFor, type Means } from './authenticate.js';
import { type Candidate, createCandidate } from './candidate.js';
import type { Refusal } from './decision.js';
import { GovernanceState } from './state.js';

/** An entry that is in a log against the log's own rules. */
export interface AuditFinding {
  readonly index: number;
  /** A refusal's code, or that of the error that reading the entry ended with. */
  readonly code: string;
  /** The rule that decided; `format` for an entry that cannot be read. */
  readonly rule: string;
  readonly message: string;
}

/** What came of one entry. */
export type Audited =
  | { readonly admitted: true; readonly candidate: Candidate; readonly rule: string }
  | { readonly admitted: false; readonly finding: AuditFinding };

/** An entry that was read already and whose signature is being checked, perhaps under a key that will not be the one in force. */
export interface Prepared {
  readonly entry: Uint8Array;
  /** What it contains, or why it cannot be read. */
  readonly content: Candidate | StatementError | RecordError;
  /** What was begun; undefined when the check has to wait for the entry's turn. */
  readonly check: BegunCheck | undefined;
}

/** The check of a signature that was begun before the entry's turn. */
interface BegunCheck {
  readonly key: CoseKey;
  readonly holds: Promise<boolean>;
  /** What came of it, once it is known. */
  verdict: boolean | undefined;
}

/** Told of entries that are decided, in their order. */
export interface AuditListener {
  /** Before an entry is decided; undefined for bytes that are no statement. */
  readonly onRead?: (content: Candidate | undefined) => void;
  readonly onDecided: (audited: Audited, index: number) => void;
}

/**
 * Decides the admission of a whole log again, entry by entry, from nothing but its entries. What should not have been admitted is
 * reported, and gives nobody any right for what follows.
 */
export class Audit {
  readonly state: GovernanceState;
  readonly #means: Means;
  #size: number;

  /** @param from goes on from the state after the first `size` entries */
  constructor(means: Means = {}, from: { readonly state: GovernanceState; readonly size: number } = emptyLog()) {
    this.#means = means;
    this.state = from.state;
    this.#size = from.size;
  }

  /** Entries examined so far. */
  get size(): number {
    return this.#size;
  }

  /**
   * Reads entries that come later and begins to check their signatures, under the keys that are enrolled now, so that other cores
   * work while earlier entries are decided. Whatever changes until their turn is taken into account then.
   * @param leaves their RFC 6962 leaf hashes, 32 bytes each, when they are known already
   */
  prepare(entries: readonly Uint8Array[], leaves?: Uint8Array): Prepared[] {
    return entries.map((entry, i) => {
      const content = read(entry, leaves?.subarray(i * HASH_SIZE, (i + 1) * HASH_SIZE));
      if (content instanceof Error) return { entry, content, check: undefined };
      const key = keyFor(this.state, content);
      return { entry, content, check: key === undefined ? undefined : this.#begin(content, key) };
    });
  }

  #begin({ statement }: Candidate, key: CoseKey): BegunCheck | undefined {
    const check = this.#means.checkSignature;
    if (check === undefined) return undefined;
    try {
      const holds = Promise.resolve(check(signatureCheck(statement.sign1, key)));
      const begun: BegunCheck = { key, holds, verdict: undefined };
      holds.then(
        (verdict) => {
          begun.verdict = verdict;
        },
        // A failure is met when its turn comes.
        () => undefined,
      );
      return begun;
    } catch {
      // As in its turn, where it is said why.
      return undefined;
    }
  }

  /**
   * Examines the next entries. Their signatures are waited for once; after that only entries wait that have to be checked again, or
   * that others than enrolled keys signed.
   */
  async decide(batch: readonly Prepared[], { onRead, onDecided }: AuditListener): Promise<void> {
    // Checks end in about their order: mostly one wait is all.
    for (let i = batch.length - 1; i >= 0; i--) {
      const check = batch[i].check;
      if (check !== undefined && check.verdict === undefined) await check.holds.catch(() => undefined);
    }
    for (const prepared of batch) {
      onRead?.(prepared.content instanceof Error ? undefined : prepared.content);
      const audited = this.#nextAtOnce(prepared) ?? (await this.next(prepared));
      onDecided(audited, this.#size - 1);
    }
  }

  /** The next entry when nothing has to be waited for, or undefined: `next` decides then. */
  #nextAtOnce({ content, check }: Prepared): Audited | undefined {
    if (content instanceof Error) return this.#unreadable(this.#size, content);
    if (content.record === undefined || check?.verdict === undefined) return undefined;
    const key = keyFor(this.state, content);
    if (key === undefined || !isSameKey(key, check.key)) return undefined;
    return this.#conclude(this.#size, authenticateRecord(content, check.verdict));
  }

  /**
   * Examines the next entry.
   * @param index its place in the log, when entries before it are left out
   */
  async next(entry: Uint8Array | Prepared, index = this.#size): Promise<Audited> {
    const prepared = entry instanceof Uint8Array ? undefined : entry;
    const content = prepared?.content ?? read(entry as Uint8Array);
    if (content instanceof Error) return this.#unreadable(index, content);
    this.#size = index + 1;
    const authenticated = await authenticate(this.state, content, this.#meansFor(prepared)).catch((error: unknown) => {
      if (error instanceof StatementError)
        return { held: false, refusal: { code: error.code, rule: 'signature', message: error.message } as const } as const;
      throw error;
    });
    return this.#conclude(index, authenticated);
  }

  #unreadable(index: number, { code, message }: StatementError | RecordError): Audited {
    this.#size = index + 1;
    return { admitted: false, finding: { index, code, rule: 'format', message } };
  }

  #conclude(index: number, authenticated: Authenticated | Unchecked): Audited {
    this.#size = index + 1;
    if (!authenticated.held) return { admitted: false, finding: findingOf(index, authenticated.refusal) };
    const decision = admit(this.state, authenticated.candidate);
    if (!decision.admitted) return { admitted: false, finding: findingOf(index, decision) };
    this.state.apply(index, authenticated.candidate);
    return { admitted: true, candidate: authenticated.candidate, rule: decision.rule };
  }

  /** What was begun counts if it was begun under the key that is in force. */
  #meansFor(prepared: Prepared | undefined): Means {
    const { checkSignature } = this.#means;
    const begun = prepared?.check;
    if (begun === undefined || checkSignature === undefined) return this.#means;
    return {
      ...this.#means,
      checkSignature: (check) => (isSameKey(check.key, begun.key) ? begun.holds : checkSignature(check)),
    };
  }
}

/** A signature that could not be checked at all. */
interface Unchecked {
  readonly held: false;
  readonly refusal: Parameters<typeof findingOf>[1];
}

function emptyLog() {
  return { state: new GovernanceState(), size: 0 };
}

function isSameKey(a: CoseKey, b: CoseKey): boolean {
  return a === b || equalBytes(encodeCoseKey(a), encodeCoseKey(b));
}

/** @param leaf the RFC 6962 leaf hash of these bytes, when it is known */
function read(entry: Uint8Array, leaf?: Uint8Array): Candidate | StatementError | RecordError {
  try {
    const statement = parseStatement(entry);
    // A statement that was logged with an unprotected header is another one without it, and shorter.
    const isWhole = statement.entry.length === entry.length;
    return leaf === undefined || !isWhole ? createCandidate(statement) : createCandidate(statement, leaf.slice());
  } catch (error) {
    if (error instanceof StatementError || error instanceof RecordError) return error;
    throw error;
  }
}

function findingOf(index: number, { code, rule, message }: Pick<Refusal, 'rule' | 'message'> & { code: string }): AuditFinding {
  return { index, code, rule, message };
}
