import { admit, type Candidate, type Decision, GovernanceState, type Means } from '@treering/governance';
import type { Hasher } from '@treering/merkle';
import type { PolicyBody } from '@treering/record';
import { type Admission, SequencerError, type Undo } from '@treering/sequencer';
import { Problem } from '@treering/server';
import type { Storage } from '@treering/storage';
import { replay } from './replay.js';
import type { SnapshotStore } from './snapshot.js';
import { StateSnapshots } from './state-snapshots.js';

/** What the governance of a log works with. */
export interface AdmissionOptions {
  readonly storage: Storage;
  readonly origin: string;
  /** Verifier keys of this log, which its charter and amendments have to name. */
  readonly logKeys: readonly string[];
  readonly hasher: Hasher;
  readonly means: Means;
  readonly snapshots?: SnapshotStore | undefined;
  /** Called for each entry that a start or a reload replays. */
  readonly onReplay?: (index: number, candidate: Candidate) => void;
}

/** What signatures were checked under; `admit` decides later, and the rules may have changed. */
export interface Basis {
  readonly policy: PolicyBody | undefined;
  /** The statement's own key was enrolled. */
  readonly enrolled: boolean;
}

/** A candidate that was checked at the door. */
export interface CheckedCandidate extends Candidate {
  /** Only of a statement that is no record: whoever enrolled the key of a record, it is the same key. */
  readonly basis?: Basis;
  /** It was found logged, so that nothing was asked of its signature: it can only be answered with its first index. */
  readonly unchecked?: true;
}

/** Signatures have to be checked again: they were under rules that are not in force any more. */
export class OutdatedCheck extends Error {
  override readonly name = 'OutdatedCheck';
}

/** What the signatures of a statement are checked under in this state. */
export function basisOf(state: GovernanceState, { statement }: Candidate): Basis {
  return { policy: state.policy, enrolled: state.identity(statement.kid) !== undefined };
}

/** The same policy is the same object: one that was taken back and another one in its place are two. */
export function isSameBasis(a: Basis, b: Basis): boolean {
  return a.policy === b.policy && a.enrolled === b.enrolled;
}

/** The governance of one log: its state, kept in step with what is committed. */
export class GovernedAdmission implements Admission<CheckedCandidate> {
  readonly snapshots: StateSnapshots;
  readonly #options: AdmissionOptions;
  #state = new GovernanceState();

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.snapshots = new StateSnapshots(options.snapshots);
  }

  /** The rules for the next entry. */
  get state(): GovernanceState {
    return this.#state;
  }

  /** @throws Problem with the rule that decided; OutdatedCheck when the signatures have to be checked again */
  admit(candidate: CheckedCandidate, index: number): Undo {
    this.#requireSameBasis(candidate);
    requireAdmitted(this.#decide(candidate));
    return this.#state.apply(index, candidate);
  }

  /**
   * Decides without taking the candidate in, so that what cannot be admitted is refused before it waits. What the records that
   * wait before it may change, the order of records of one subject, is left to `admit`.
   * @throws Problem with the rule that decided
   */
  checkEarly(candidate: Candidate): void {
    const decision = this.#decide(candidate);
    if (!decision.admitted && decision.code === 'governance/prev-conflict') return;
    requireAdmitted(decision);
  }

  /** A replay checks signatures in the state before the entry: what was found in another one must not get in. */
  #requireSameBasis(candidate: CheckedCandidate): void {
    const { basis, unchecked } = candidate;
    if (unchecked || (basis !== undefined && !isSameBasis(basis, basisOf(this.#state, candidate))))
      throw new OutdatedCheck('the rules have changed since the signatures of the statement were checked');
  }

  #decide(candidate: Candidate): Decision {
    const { record } = candidate;
    const { origin, logKeys } = this.#options;
    if (record?.type === 'charter' && record.origin !== origin) {
      const message = `the charter is for the log ${record.origin}, and this one is ${origin}`;
      return { admitted: false, code: 'governance/bad-charter', rule: 'charter', message };
    }
    if (record?.type === 'charter' && record.log_keys.join('\n') !== logKeys.join('\n')) {
      const message = 'the charter names other keys than this log signs with';
      return { admitted: false, code: 'governance/bad-charter', rule: 'charter', message };
    }
    return admit(this.#state, candidate);
  }

  /**
   * Replays the entries that came after the newest snapshot, each re-decided and its signatures checked again.
   * @throws GovernanceError when an entry would not be admitted
   */
  async reload(size: number): Promise<void> {
    const { storage, hasher, means, onReplay } = this.#options;
    const head = await storage.head();
    const snapshot = this.snapshots.read();
    const { state, start } = await replay(size, head?.size === size ? head.root : undefined, {
      storage,
      hasher,
      means,
      snapshot,
      ...(onReplay === undefined ? {} : { onEntry: onReplay }),
    });
    this.#state = state;
    this.snapshots.began(start);
  }

  /**
   * The log may only sign with the keys that it names.
   * @throws SequencerError (sequencer/wrong-key)
   */
  requireOwnKeys(): void {
    const { logKeys } = this.#options;
    if (this.#state.charter === undefined || this.#state.logKeys.join('\n') === logKeys.join('\n')) return;
    throw new SequencerError(
      'sequencer/wrong-key',
      `the log says that its keys are ${namesOf(this.#state.logKeys)}, and here are ${namesOf(logKeys)}; after an amendment of the keys run "treering log activate-key", before it the old keys sign`,
    );
  }
}

/** Name and id of each key; an ML-DSA-44 key itself is longer than a message. */
function namesOf(vkeys: readonly string[]): string {
  return vkeys.map((vkey) => vkey.split('+').slice(0, 2).join('+')).join(' and ');
}

/** What another entry is in the way of. */
const CONFLICTS: readonly string[] = [
  'governance/prev-conflict',
  'governance/token-used',
  'governance/logged-before',
  'statement/twin',
];

/** @throws Problem 401 for an unknown signer or a bad signature, 400 for an algorithm not read, 409 for a conflict, 403 otherwise */
export function requireAdmitted(decision: Decision): void {
  if (decision.admitted) return;
  const unknown = decision.code === 'governance/unknown-key' || decision.code === 'cose/bad-signature';
  const unread = decision.code === 'cose/unknown-algorithm';
  const status = unknown ? 401 : unread ? 400 : CONFLICTS.includes(decision.code) ? 409 : 403;
  const { code, message, rule, index, current } = decision;
  throw new Problem(status, code, message, { rule, index, current });
}
