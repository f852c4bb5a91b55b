import { equalBytes, type Hasher, MerkleInputError, ProofError, verifyInclusion } from '@treering/merkle';
import { hex } from '@treering/note';
import { printable, type RecordOf } from '@treering/record';
import type { Claim } from '../claim.js';
import { type Decision, decodeDecision } from '../decision.js';
import { timeText } from '../log-time.js';
import { type DecisionItem, malformed } from './format.js';
import { type Examiner, isAdmitted, listEntries, type PackEntry } from './pack-entry.js';

interface Deployed {
  readonly index: number;
  readonly leaf: string;
  readonly record: RecordOf<'deployment'>;
  /** When it was signed, milliseconds since the epoch. */
  readonly at: number;
}

interface Batch {
  readonly record: RecordOf<'decision-batch'>;
  readonly admitted: boolean;
  /** When it was signed, seconds since the epoch. */
  readonly iat: number;
}

/** Milliseconds by which the clocks of who decides and who signs may differ. */
const SKEW = 300_000;

/** A decision of a pack, and what made it as far as the pack proves. */
export interface ProvedDecision {
  readonly decision: Decision;
  /** The entry that holds its batch. */
  readonly batch: number;
  /** The entry that put into service what decided; undefined when the file does not prove one. */
  readonly deployment: number | undefined;
  readonly model: { readonly index: number; readonly record: RecordOf<'model'> } | undefined;
  readonly config: { readonly index: number; readonly record: RecordOf<'config'> } | undefined;
}

/** Whether decisions were made by the model and configuration that the log says, without the others of their batches. */
export class DecisionExaminer implements Examiner {
  readonly #hasher: Hasher;
  readonly #batches = new Map<number, Batch>();
  readonly #deployments = new Map<string, Deployed>();
  /** What was put into service or ended, by subject, in the order of the log. */
  readonly #changes = new Map<string, Deployed[]>();
  readonly #decided = new Set<number>();
  readonly #models = new Map<string, { readonly index: number; readonly record: RecordOf<'model'> }>();
  readonly #configs = new Map<string, { readonly index: number; readonly record: RecordOf<'config'> }>();
  readonly #claims: Claim[] = [];

  constructor(hasher: Hasher) {
    this.#hasher = hasher;
  }

  see(entry: PackEntry): void {
    const { index, leaf, record, statement } = entry;
    const admitted = isAdmitted(entry);
    if (record?.type === 'decision-batch') this.#batches.set(index, { record, admitted, iat: statement?.iat ?? 0 });
    if (!admitted || statement === undefined) return;
    if (record?.type === 'model') this.#models.set(hex(leaf), { index, record });
    if (record?.type === 'config') this.#configs.set(hex(leaf), { index, record });
    if (record?.type !== 'deployment') return;
    const deployed: Deployed = { index, leaf: hex(leaf), record, at: (statement.iat ?? 0) * 1000 };
    this.#deployments.set(deployed.leaf, deployed);
    if (record.phase === 'intent') return;
    const changes = this.#changes.get(record.subject);
    if (changes === undefined) this.#changes.set(record.subject, [deployed]);
    else changes.push(deployed);
  }

  /**
   * Examines a decision.
   * @param complete whether the file holds all entries of the log
   * @throws EvidenceError when it is none, or no entry in the file holds its batch
   */
  decision({ index, position, leaf, hashes }: DecisionItem, complete: boolean): ProvedDecision {
    const batch = this.#batches.get(index);
    if (batch === undefined) throw malformed(`entry ${index} is no batch of decisions in the file`);
    const decision = decodeDecision(leaf);
    const { record } = batch;
    const what = `decision ${quoted(decision.id)} of ${timeText(Math.floor(decision.at / 1000))}`;
    const claim = (verdict: Claim['verdict'], text: string, details?: readonly string[]): void => {
      this.#claims.push({ name: 'decision', verdict, text, ...(details === undefined ? {} : { details }) });
    };
    const none: ProvedDecision = { decision, batch: index, deployment: undefined, model: undefined, config: undefined };
    const outcome = decision.outcome === undefined ? '' : `, ${quoted(decision.outcome)},`;
    if (!this.#isIn(record, position, leaf, hashes)) {
      claim('failed', `The ${what}${outcome} is not in the batch of entry ${index}.`);
      return none;
    }
    if (!batch.admitted) {
      claim('failed', `The ${what}${outcome} is in the batch of entry ${index}, which the rules do not admit.`);
      return none;
    }
    const arithmetic = [
      `leaf ${hex(this.#hasher.hashLeaf(leaf))} at ${position} of ${record.count}, ${hashes.length} hashes to the root ${hex(record.root)} of entry ${index}`,
    ];
    const inService = this.#inService(batch, decision.at);
    if (typeof inService === 'string') {
      claim('not proved', `The ${what}${outcome} is in the batch of entry ${index}; ${inService}.`, arithmetic);
      return none;
    }
    const model = this.#models.get(hex(inService.record.model));
    const config = this.#configs.get(hex(inService.record.config));
    if (model === undefined || config === undefined) {
      const part = model === undefined ? 'model' : 'configuration';
      claim(
        'not proved',
        `The ${what}${outcome} was made by what entry ${inService.index} deployed, whose ${part} is not in the file.`,
      );
      return { ...none, deployment: inService.index };
    }
    const by = `model ${model.record.name} version ${quoted(model.record.version)} (entry ${model.index}) in configuration ${config.record.name} version ${quoted(config.record.version)} (entry ${config.index})`;
    const until = complete
      ? ''
      : ` That nothing had replaced it by then rests on the file holding every record on ${inService.record.subject}.`;
    claim(
      'proved',
      `The ${what}${outcome} is one of those that entry ${index}, signed at ${timeText(batch.iat)}, says were made by ${by}, which entry ${inService.index} had put into service.${until}`,
      [
        ...arithmetic,
        `state ${hex(record.state)} of model, configuration and image, in entries ${inService.index} and ${index}`,
      ],
    );
    return { decision, batch: index, deployment: inService.index, model, config };
  }

  #isIn(
    { count, root }: RecordOf<'decision-batch'>,
    position: number,
    leaf: Uint8Array,
    hashes: readonly Uint8Array[],
  ): boolean {
    try {
      verifyInclusion(position, count, this.#hasher.hashLeaf(leaf), [...hashes], root, this.#hasher);
      return true;
    } catch (error) {
      if (error instanceof ProofError || error instanceof MerkleInputError) return false;
      throw error;
    }
  }

  /** The deployment that a batch names, if it was in service at the time; otherwise why that is not proved. */
  #inService({ record: batch, iat }: Batch, at: number): Deployed | string {
    if (at < batch.first_at || at > batch.last_at) return 'its time is not within the time of the batch';
    if (at > iat * 1000 + SKEW) return `the batch was signed at ${timeText(iat)}, before the time of the decision`;
    const named = this.#deployments.get(hex(batch.deployment));
    if (named === undefined) return 'the deployment that the batch names is not in the file, or was not admitted';
    this.#decided.add(named.index);
    if (!equalBytes(named.record.state, batch.state)) return 'the batch and its deployment are of two different states';
    if (named.record.phase !== 'active')
      return `what the batch names, ${listEntries([named.index])}, puts nothing into service`;
    if (named.at > at) return `the deployment that the batch names is of ${timeText(named.at / 1000)}, which is later`;
    const changes = this.#changes.get(named.record.subject) ?? [];
    const until = changes
      .slice(changes.indexOf(named) + 1)
      .find(({ record }) => record.phase === 'ended' || !equalBytes(record.state, named.record.state));
    if (until !== undefined && until.at <= at)
      return `at that time entry ${until.index} had ended or replaced the deployment that the batch names`;
    return named;
  }

  /** Deployments that decisions of the file rest on. */
  get decided(): ReadonlySet<number> {
    return this.#decided;
  }

  claims(): Claim[] {
    return this.#claims;
  }
}

/** A text of somebody else's, in quotation marks that it cannot leave. */
function quoted(text: string): string {
  return JSON.stringify(printable(text));
}
