import {
  admit,
  type Candidate,
  createCandidate,
  type Decision,
  GovernanceError,
  GovernanceState,
  keyFor,
} from '@treering/governance';
import type { Hasher } from '@treering/merkle';
import { type Admission, storedTree, type Undo } from '@treering/sequencer';
import { parseStatement, signatureCheck } from '@treering/statement';
import { checkSignatureOffThread } from '@treering/statement/node';
import type { EntryInfo, Storage } from '@treering/storage';
import { Problem } from './problem.js';

/** Topics of the entries that decide who may record what. */
const GOVERNING = ['charter', 'policy', 'identity/', 'freeze/'] as const;

/** The governance of one log: its state, kept in step with what is committed. */
export class GovernedAdmission implements Admission<Candidate> {
  readonly #storage: Storage;
  readonly #hasher: Hasher;
  readonly #origin: string;
  readonly #logKeys: readonly string[];
  #state = new GovernanceState();

  /** @param logKeys verifier keys of this log, which its charter has to name */
  constructor(storage: Storage, origin: string, logKeys: readonly string[], hasher: Hasher) {
    this.#storage = storage;
    this.#origin = origin;
    this.#logKeys = logKeys;
    this.#hasher = hasher;
  }

  /** The rules for the next entry. */
  get state(): GovernanceState {
    return this.#state;
  }

  /** @throws Problem with the rule that decided */
  admit(candidate: Candidate, index: number): Undo {
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

  #decide(candidate: Candidate): Decision {
    const { record } = candidate;
    if (record?.type === 'charter' && record.origin !== this.#origin) {
      const message = `the charter is for the log ${record.origin}, and this one is ${this.#origin}`;
      return { admitted: false, code: 'governance/bad-charter', rule: 'charter', message };
    }
    if (record?.type === 'charter' && record.log_keys.join('\n') !== this.#logKeys.join('\n')) {
      const message = 'the charter names other keys than this log signs with';
      return { admitted: false, code: 'governance/bad-charter', rule: 'charter', message };
    }
    return admit(this.#state, candidate);
  }

  /**
   * Replays the entries that govern, each re-decided and its signature checked again: the log is held to its own rules.
   * @throws GovernanceError when an entry would not be admitted
   */
  async reload(size: number): Promise<void> {
    const state = new GovernanceState();
    const infos: EntryInfo[] = [];
    for (const topic of GOVERNING) {
      const under = await this.#storage.entriesUnder(topic);
      infos.push(...under.filter((info) => info.index < size && (topic.endsWith('/') || info.topic === topic)));
    }
    infos.sort((a, b) => a.index - b.index);
    // Topics are not covered by the tree; leaf hashes are, and every entry is hashed again.
    const tree = storedTree(this.#storage, size, this.#hasher);
    for (const { index } of infos) {
      const [bytes] = await this.#storage.entries(index, index + 1);
      const leaf = await tree.readHashes([{ level: 0, index }]);
      const candidate = createCandidate(parseStatement(bytes), leaf);
      if (Buffer.compare(this.#hasher.hashLeaf(bytes), leaf) !== 0) {
        throw new GovernanceError('governance/invalid-record', `entry ${index} does not hash to its leaf; run "treering fsck"`);
      }
      const decision = admit(state, candidate);
      const key = keyFor(state, candidate);
      const signed = key !== undefined && (await checkSignatureOffThread(signatureCheck(candidate.statement.sign1, key)));
      if (!decision.admitted || !signed) {
        const why = decision.admitted ? 'its signature does not hold' : decision.message;
        throw new GovernanceError(
          'governance/invalid-record',
          `entry ${index} is in the log against its rules: ${why}; run "treering fsck"`,
        );
      }
      state.apply(index, candidate);
    }
    for (const { topic, latest } of await this.#topics())
      state.setLatest(topic, { index: latest.index, leaf: latest.leafHash });
    this.#state = state;
  }

  async #topics() {
    const all = [];
    for (let after = ''; ; ) {
      const page = await this.#storage.topics('', after, 1000);
      all.push(...page);
      if (page.length < 1000) return all;
      after = page[page.length - 1].topic;
    }
  }
}

/** @throws Problem 401 for an unknown signer, 409 for a conflict, 403 otherwise */
export function requireAdmitted(decision: Decision): void {
  if (decision.admitted) return;
  const status = decision.code === 'governance/unknown-key' ? 401 : decision.code === 'governance/prev-conflict' ? 409 : 403;
  throw new Problem(status, decision.code, decision.message, { rule: decision.rule, current: decision.current });
}
