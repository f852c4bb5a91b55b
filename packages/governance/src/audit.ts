import { equalBytes } from '@treering/merkle';
import { RecordError } from '@treering/record';
import { type CoseKey, encodeCoseKey, parseStatement, StatementError, signatureCheck } from '@treering/statement';
import { admit } from './admit.js';
import { authenticate, keyFor, type Means } from './authenticate.js';
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
  readonly key: CoseKey | undefined;
  readonly holds: Promise<boolean> | undefined;
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
   */
  prepare(entries: readonly Uint8Array[]): Prepared[] {
    return entries.map((entry) => {
      const content = read(entry);
      if (content instanceof Error) return { entry, content, key: undefined, holds: undefined };
      const key = keyFor(this.state, content);
      return { entry, content, key, holds: key === undefined ? undefined : this.#begin(content, key) };
    });
  }

  #begin({ statement }: Candidate, key: CoseKey): Promise<boolean> | undefined {
    const check = this.#means.checkSignature;
    if (check === undefined) return undefined;
    try {
      const holds = Promise.resolve(check(signatureCheck(statement.sign1, key)));
      // A failure is met when its turn comes.
      holds.catch(() => undefined);
      return holds;
    } catch {
      // As in its turn, where it is said why.
      return undefined;
    }
  }

  /**
   * Examines the next entry.
   * @param index its place in the log, when entries before it are left out
   */
  async next(entry: Uint8Array | Prepared, index = this.#size): Promise<Audited> {
    const prepared = entry instanceof Uint8Array ? undefined : entry;
    this.#size = index + 1;
    const content = prepared?.content ?? read(entry as Uint8Array);
    if (content instanceof Error)
      return { admitted: false, finding: { index, code: content.code, rule: 'format', message: content.message } };
    const authenticated = await authenticate(this.state, content, this.#meansFor(prepared)).catch((error: unknown) => {
      if (error instanceof StatementError)
        return { held: false, refusal: { code: error.code, rule: 'signature', message: error.message } as const } as const;
      throw error;
    });
    if (!authenticated.held) return { admitted: false, finding: findingOf(index, authenticated.refusal) };
    const decision = admit(this.state, authenticated.candidate);
    if (!decision.admitted) return { admitted: false, finding: findingOf(index, decision) };
    this.state.apply(index, authenticated.candidate);
    return { admitted: true, candidate: authenticated.candidate, rule: decision.rule };
  }

  /** What was begun counts if it was begun under the key that is in force. */
  #meansFor(prepared: Prepared | undefined): Means {
    const { checkSignature } = this.#means;
    const begun = prepared?.holds;
    const key = prepared?.key;
    if (begun === undefined || key === undefined || checkSignature === undefined) return this.#means;
    return {
      ...this.#means,
      checkSignature: (check) => (isSameKey(check.key, key) ? begun : checkSignature(check)),
    };
  }
}

function emptyLog() {
  return { state: new GovernanceState(), size: 0 };
}

function isSameKey(a: CoseKey, b: CoseKey): boolean {
  return a === b || equalBytes(encodeCoseKey(a), encodeCoseKey(b));
}

function read(entry: Uint8Array): Candidate | StatementError | RecordError {
  try {
    return createCandidate(parseStatement(entry));
  } catch (error) {
    if (error instanceof StatementError || error instanceof RecordError) return error;
    throw error;
  }
}

function findingOf(index: number, { code, rule, message }: Pick<Refusal, 'rule' | 'message'> & { code: string }): AuditFinding {
  return { index, code, rule, message };
}
