import { authenticate, type Candidate, checkClock, createCandidate, type Means } from '@treering/governance';
import { nodeHasher } from '@treering/merkle/node';
import type { Sequencer, Submission } from '@treering/sequencer';
import { Problem, RateLimit } from '@treering/server';
import { parseStatement } from '@treering/statement';
import type { Storage } from '@treering/storage';
import { type GovernedAdmission, requireAdmitted } from './admission.js';

/** What submissions are checked with before they wait. */
export interface DoorParts {
  readonly storage: Pick<Storage, 'indicesOf'>;
  readonly admission: GovernedAdmission;
  readonly sequencer: Pick<Sequencer<unknown>, 'afterBatch'>;
  readonly means: Means;
  /** How many new statements an identity may submit; as many as it likes when it is not given. */
  readonly identityRate?: RateLimit;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
}

/** Where statements come in: what cannot be admitted is refused here, before it takes a place in the pool. */
export class Door {
  readonly #parts: DoorParts;
  readonly #identityRate: RateLimit;

  constructor(parts: DoorParts) {
    this.#parts = parts;
    this.#identityRate = parts.identityRate ?? new RateLimit(0, 1);
  }

  /**
   * Parses a statement, verifies its signature and decides it by the rules of this moment.
   * @throws StatementError, RecordError or Problem; nothing for what is logged already
   */
  async prepare(bytes: Uint8Array): Promise<Submission<Candidate>> {
    const statement = parseStatement(bytes);
    const leafHash = nodeHasher.hashLeaf(statement.entry);
    let candidate = createCandidate(statement, leafHash);
    try {
      candidate = await this.#check(candidate);
    } catch (error) {
      // What is logged already may be refused now: its key was revoked, or its time has passed. A copy of it may be in the commit under
      // way, and be the reason for the refusal: a key that revokes itself, say.
      if (!(await this.#isLogged(leafHash))) {
        await this.#parts.sequencer.afterBatch();
        if (!(await this.#isLogged(leafHash))) throw error;
      }
    }
    return { bytes: statement.entry, leafHash, topic: statement.sub, candidate };
  }

  async #isLogged(leafHash: Uint8Array): Promise<boolean> {
    return (await this.#parts.storage.indicesOf([leafHash]))[0] !== undefined;
  }

  async #check(candidate: Candidate): Promise<Candidate> {
    const { admission, means, clock } = this.#parts;
    const { state } = admission;
    const authenticated = await authenticate(state, candidate, means);
    if (!authenticated.held) return requireAdmitted(authenticated.refusal) as never;
    requireAdmitted(checkClock(state, candidate, Math.floor(clock() / 1000)));
    await this.#takeRate(candidate);
    admission.checkEarly(authenticated.candidate);
    return authenticated.candidate;
  }

  /**
   * Takes from what an identity may submit: only now is it known to have signed. What is logged already costs nothing, because anybody
   * can send it again.
   * @throws Problem 429
   */
  async #takeRate({ statement, leaf }: Candidate): Promise<void> {
    if (!this.#identityRate.isOn || (await this.#isLogged(leaf))) return;
    const who = this.#parts.admission.state.identity(statement.kid)?.id ?? statement.iss;
    const retryAfter = this.#identityRate.take(who, 1, performance.now());
    if (retryAfter > 0)
      throw new Problem(429, 'request/identity-rate', 'this identity submits more than the log takes of one', { retryAfter });
  }
}
