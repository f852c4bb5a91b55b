import { RecordError } from '@treering/record';
import { parseStatement, StatementError } from '@treering/statement';
import { admit } from './admit.js';
import { authenticate, type Means } from './authenticate.js';
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

/**
 * Decides the admission of a whole log again, entry by entry, from nothing but its entries. What should not have been admitted is
 * reported, and gives nobody any right for what follows.
 */
export class Audit {
  readonly state = new GovernanceState();
  readonly #means: Means;
  #size = 0;

  constructor(means: Means = {}) {
    this.#means = means;
  }

  /** Entries examined so far. */
  get size(): number {
    return this.#size;
  }

  /** Examines the next entry. */
  async next(entry: Uint8Array): Promise<Audited> {
    const index = this.#size++;
    let candidate: Candidate;
    try {
      candidate = createCandidate(parseStatement(entry));
    } catch (error) {
      if (!(error instanceof StatementError || error instanceof RecordError)) throw error;
      return { admitted: false, finding: { index, code: error.code, rule: 'format', message: error.message } };
    }
    const authenticated = await authenticate(this.state, candidate, this.#means).catch((error: unknown) => {
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
}

function findingOf(index: number, { code, rule, message }: Pick<Refusal, 'rule' | 'message'> & { code: string }): AuditFinding {
  return { index, code, rule, message };
}
