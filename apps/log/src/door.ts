import { authenticate, type Candidate, checkClock, createCandidate, type Means } from '@treering/governance';
import { nodeHasher } from '@treering/merkle/node';
import { type Sequencer, SequencerError, type Submission } from '@treering/sequencer';
import { Problem, RateLimit } from '@treering/server';
import { parseStatement } from '@treering/statement';
import type { Storage } from '@treering/storage';
import { basisOf, type CheckedCandidate, type GovernedAdmission, isSameBasis, requireAdmitted } from './admission.js';

/** The code of the refusal of an identity that submits too much. */
const RATE = 'request/identity-rate';
/** How often a statement is decided while what it was refused for is lost. */
const MOST_DECISIONS = 3;

/** What submissions are checked with before they wait. */
export interface DoorParts {
  readonly storage: Pick<Storage, 'indicesOf'>;
  readonly admission: GovernedAdmission;
  readonly sequencer: Pick<Sequencer<unknown>, 'afterBatch' | 'lost' | 'trouble'>;
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
   * @param again it was prepared before, and takes nothing more of what its identity may submit
   * @throws StatementError, RecordError or Problem; SequencerError (sequencer/unknown-outcome) when what it would be refused for may itself
   *   be lost; nothing for what is logged already
   */
  async prepare(bytes: Uint8Array, again = false): Promise<Submission<CheckedCandidate>> {
    const { sequencer } = this.#parts;
    const statement = parseStatement(bytes);
    const leafHash = nodeHasher.hashLeaf(statement.entry);
    const unchecked = createCandidate(statement, leafHash);
    const submission = (candidate: CheckedCandidate) => ({ bytes: statement.entry, leafHash, topic: statement.sub, candidate });
    for (let attempt = 1; ; attempt++) {
      const { lost } = sequencer;
      try {
        return submission(await this.#check(unchecked, again || attempt > 1));
      } catch (error) {
        if (error instanceof Problem && error.code === RATE) throw error;
        // What is logged already may be refused now: its key was revoked, or its time has passed. A copy of it may be in the commit under
        // way, and be the reason for the refusal: a key that revokes itself, say.
        if (await this.#isLogged(leafHash)) return submission({ ...unchecked, unchecked: true });
        await sequencer.afterBatch();
        if (await this.#isLogged(leafHash)) return submission({ ...unchecked, unchecked: true });
        const stands = sequencer.lost === lost && sequencer.trouble === undefined;
        if (stands || !(error instanceof Problem)) throw error;
        if (sequencer.trouble !== undefined || attempt === MOST_DECISIONS)
          throw new SequencerError('sequencer/unknown-outcome', 'what the statement was refused for may be lost', {
            cause: error,
          });
      }
    }
  }

  async #isLogged(leafHash: Uint8Array): Promise<boolean> {
    return (await this.#parts.storage.indicesOf([leafHash]))[0] !== undefined;
  }

  async #check(candidate: Candidate, again: boolean): Promise<CheckedCandidate> {
    const { admission, means, clock } = this.#parts;
    const { state } = admission;
    const basis = basisOf(state, candidate);
    const authenticated = await authenticate(state, candidate, means);
    // The rules changed meanwhile: what was found under those before is no reason to refuse it either.
    if (candidate.record === undefined && !isSameBasis(basis, basisOf(admission.state, candidate)))
      return this.#check(candidate, again);
    if (!authenticated.held) return requireAdmitted(authenticated.refusal) as never;
    requireAdmitted(checkClock(state, candidate, Math.floor(clock() / 1000)));
    if (!again) await this.#takeRate(candidate);
    admission.checkEarly(authenticated.candidate);
    return candidate.record === undefined ? { ...authenticated.candidate, basis } : authenticated.candidate;
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
    if (retryAfter > 0) throw new Problem(429, RATE, 'this identity submits more than the log takes of one', { retryAfter });
  }
}
