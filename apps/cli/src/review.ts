import type { Candidate, GovernanceState } from '@treering/governance';
import { hex } from '@treering/note';
import type { ChangeRecord, RecordOf } from '@treering/record';
import { encodeCoseKey } from '@treering/statement';

/** One record of the type and on the subject that is under review. */
export interface ReviewedVersion {
  readonly index: number;
  readonly record: ChangeRecord;
}

/** What a change is compared with. */
export interface Baseline {
  /**
   * The newest version before it that somebody else approved or that was deployed; of policies and amendments, that came into
   * force. undefined when there is none.
   */
  readonly accepted: (ReviewedVersion & { readonly why: string }) | undefined;
  /** Later versions, before the change itself, of which none of that is true. */
  readonly between: readonly ReviewedVersion[];
}

interface Seen extends ReviewedVersion {
  readonly leaf: string;
  readonly authors: readonly string[];
  /** Entries that put it into service. */
  readonly deployments: number[];
  /** Of a policy or an amendment: it came into force. */
  inForce: boolean;
}

interface Decision {
  readonly target: string;
  readonly id: string;
  readonly kid: string;
  readonly approves: boolean;
  readonly index: number;
}

/** Collects, while a log is replayed, the versions that came before a change and what was decided about them. */
export class ReviewHistory {
  readonly #type: ChangeRecord['type'];
  readonly #subject: string;
  readonly #versions: Seen[] = [];
  readonly #decisions: Decision[] = [];
  /** The entry that waits for administrators to agree. */
  #waiting: number | undefined;

  constructor({ type, subject }: ChangeRecord) {
    this.#type = type;
    this.#subject = subject;
  }

  /** An entry that was admitted, and the state that has taken it in. */
  see(index: number, { record, statement, leaf }: Candidate, state: GovernanceState): void {
    if (record === undefined) return;
    const id = hex(leaf);
    if (record.type === 'approval' && record.subject === this.#subject) {
      const signer = state.identity(statement.kid);
      const [target, approves] = [hex(record.target), record.decision === 'approve'];
      if (signer !== undefined)
        this.#decisions.push({ target, id: signer.id, kid: hex(statement.kid as Uint8Array), approves, index });
      // The last administrator who is needed puts a proposal into force.
      const ended = this.#versions.find((version) => version.leaf === target && version.index === this.#waiting);
      if (ended !== undefined && approves) ended.inForce = state.proposal(this.#subject) === undefined;
    }
    if (record.type === this.#type && record.subject === this.#subject) {
      const rules = record.type === 'policy' || record.type === 'amendment';
      const inForce = rules && state.proposal(this.#subject) === undefined;
      const authors = state.newest(id)?.authors ?? [];
      this.#versions.push({ index, record, leaf: id, authors, deployments: [], inForce });
    }
    this.#waiting = state.proposal(this.#subject)?.index;
    if (record.type === 'deployment' && record.phase === 'active') {
      const named = [id, hex(record.model), hex(record.config)];
      for (const version of this.#versions) if (named.includes(version.leaf)) version.deployments.push(index);
    }
  }

  /** Whether the change itself was seen: it is in the log by the log's own rules. */
  has(index: number): boolean {
    return this.#versions.some((version) => version.index === index);
  }

  /** The versions before entry `index`, as they stand at the end of the replay. */
  before(index: number, state: GovernanceState): Baseline {
    const between: ReviewedVersion[] = [];
    for (const version of this.#versions.filter((seen) => seen.index < index).reverse()) {
      const why = this.#acceptance(version, state);
      if (why !== undefined) return { accepted: { ...version, why }, between };
      between.unshift(version);
    }
    return { accepted: undefined, between };
  }

  /** Why a version counts as accepted. A person's newest decision counts, and nobody accepts what is their own. */
  #acceptance({ record, leaf, authors, deployments, inForce }: Seen, state: GovernanceState): string | undefined {
    if (record.type === 'policy' || record.type === 'amendment') return inForce ? 'which came into force' : undefined;
    const newest = new Map(this.#decisions.filter(({ target }) => target === leaf).map((one) => [one.id, one]));
    const approval = [...newest.values()].find(
      ({ id, kid, approves }) => approves && !authors.includes(id) && state.identityOf(kid)?.revokedAt === undefined,
    );
    if (approval !== undefined) return `which ${approval.id} approved with entry ${approval.index}`;
    return deployments.length === 0 ? undefined : `which entry ${deployments[0]} deployed`;
  }
}

/** What an amendment changes, as it is in force: a record that can be compared with it, member by member. */
export function charterInForce(state: GovernanceState, proposed: RecordOf<'amendment'>): RecordOf<'amendment'> {
  const { log_keys, administrators, threshold, witnesses, ...common } = proposed;
  return {
    ...common,
    ...(log_keys === undefined ? {} : { log_keys: [...state.logKeys] }),
    ...(administrators === undefined ? {} : { administrators: administratorsOf(state) }),
    ...(threshold === undefined ? {} : { threshold: state.threshold }),
    ...(witnesses === undefined ? {} : { witnesses: [...state.witnesses] }),
  };
}

function administratorsOf(state: GovernanceState): RecordOf<'charter'>['administrators'] {
  return state.administrators().map(({ id, key, roles }) => ({ id, key: encodeCoseKey(key), roles: [...roles] }));
}
