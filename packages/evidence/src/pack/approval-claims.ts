import { type GovernanceState, rulesFor } from '@treering/governance';
import { hex } from '@treering/note';
import type { RecordOf } from '@treering/record';
import type { Claim } from '../claim.js';
import { type Examiner, isAdmitted, listEntries, type PackEntry } from './pack-entry.js';

interface Given {
  readonly index: number;
  readonly id: string;
  readonly role: string;
  readonly decision: 'approve' | 'reject';
}

/** Whether each deployment that was asked about had the approvals that the policy in force asked for, and whose they were. */
export class ApprovalExaminer implements Examiner {
  readonly #all: boolean;
  /** By leaf hash of what was decided about, in hex. */
  readonly #given = new Map<string, Given[]>();
  /** Subject of each model, configuration and deployment, by leaf hash in hex. */
  readonly #subjects = new Map<string, string>();
  /** Newest deployment of each subject, by leaf hash in hex. */
  readonly #intents = new Map<string, string>();
  readonly #emergencies: number[] = [];
  readonly #refused: number[] = [];
  readonly #lines: string[] = [];
  #approved = 0;
  #unruled = 0;

  /** @param all whether every deployment of the file counts, and not only those that were asked about */
  constructor(all: boolean) {
    this.#all = all;
  }

  see(entry: PackEntry, state: GovernanceState): void {
    const { index, record, leaf, signer } = entry;
    if (record === undefined) return;
    if (record.type === 'deployment' && (this.#all || entry.asked) && record.phase !== 'ended') {
      if (isAdmitted(entry)) this.#deployment(index, record, state);
      else this.#refused.push(index);
    }
    if (!isAdmitted(entry)) return;
    if (record.type === 'approval' && signer !== undefined) {
      const target = hex(record.target);
      const others = (this.#given.get(target) ?? []).filter(({ id }) => id !== signer.id);
      this.#given.set(target, [...others, { index, id: signer.id, role: record.role, decision: record.decision }]);
    }
    if (record.type === 'model' || record.type === 'config') this.#subjects.set(hex(leaf), record.subject);
    if (record.type === 'deployment') this.#intents.set(record.subject, hex(leaf));
  }

  #deployment(index: number, record: RecordOf<'deployment'>, state: GovernanceState): void {
    const before = this.#intents.get(record.subject);
    const targets = [hex(record.model), hex(record.config), ...(before === undefined ? [] : [before])];
    const given = targets.flatMap((target) => this.#given.get(target) ?? []).filter(({ decision }) => decision === 'approve');
    if (record.break_glass) {
      this.#emergencies.push(index);
      return;
    }
    const subjects = [hex(record.model), hex(record.config)].map((part) => this.#subjects.get(part)).concat(record.subject);
    const rules = subjects.flatMap((subject) => (subject === undefined ? [] : rulesFor(state, subject)));
    if (rules.length === 0) this.#unruled++;
    else this.#approved++;
    if (this.#lines.length >= 50) return;
    const who = given.map(({ id, role, index: at }) => `${id} as ${role} (entry ${at})`).join(', ');
    this.#lines.push(`entry ${index}, ${record.phase}: ${who === '' ? 'no approval' : `approved by ${who}`}`);
  }

  claims(): Claim[] {
    const name = 'approvals';
    const deployments = this.#approved + this.#unruled + this.#emergencies.length + this.#refused.length;
    if (deployments === 0) return [];
    const details = this.#lines;
    if (this.#refused.length > 0) {
      const text = `The rules did not admit ${listEntries(this.#refused)}: what was deployed there had not what it needed.`;
      return [{ name, verdict: 'failed', text, details }];
    }
    if (this.#emergencies.length > 0) {
      const text = `What ${listEntries(this.#emergencies)} put into service had no approvals: it was declared an emergency (break-glass).`;
      return [{ name, verdict: 'failed', text, details }];
    }
    const text =
      this.#approved === 0
        ? 'The policy that the file shows to be in force asked for no approvals of what was deployed.'
        : `${deployments === 1 ? 'The deployment' : `Each of the ${deployments} deployments`} had the approvals that the policy asked for which the file shows to be in force${this.#unruled > 0 ? `; for ${this.#unruled} it asked for none` : ''}.`;
    return [{ name, verdict: 'proved', text, details }];
  }
}
