import { type GovernanceState, isApproved, rulesFor } from '@treering/governance';
import { equalBytes } from '@treering/merkle';
import { hex } from '@treering/note';
import type { RecordOf } from '@treering/record';
import type { Claim } from '../claim.js';
import { type Examiner, isAdmitted, listEntries, type PackEntry, plural } from './pack-entry.js';
import { asksAbout, placeInPeriod, type Question } from './question.js';

interface Given {
  readonly index: number;
  readonly id: string;
  readonly role: string;
  readonly decision: 'approve' | 'reject';
}

/**
 * What became of one deployment; `carried` goes on with what was in service already, which is not approved again, and `pending` was
 * announced under rules whose approvals are given to the announcement itself.
 */
interface Outcome {
  kind: 'approved' | 'unruled' | 'emergency' | 'refused' | 'carried' | 'pending';
  line: string;
}

interface Before {
  readonly index: number;
  readonly leaf: string;
  readonly record: RecordOf<'deployment'>;
}

/** Whether each deployment that was asked about had the approvals that the policy in force asked for, and whose they were. */
export class ApprovalExaminer implements Examiner {
  readonly #question: Question;
  /** By leaf hash of what was decided about, in hex. */
  readonly #given = new Map<string, Given[]>();
  /** Subject of each model and configuration, by leaf hash in hex. */
  readonly #subjects = new Map<string, string>();
  /** Newest deployment of each subject. */
  readonly #before = new Map<string, Before>();
  readonly #outcomes = new Map<number, Outcome>();
  readonly #asked = new Set<number>();
  /** What was in service when the period began, by subject. */
  readonly #inService = new Map<string, number>();

  constructor(question: Question) {
    this.#question = question;
  }

  see(entry: PackEntry, state: GovernanceState): void {
    const { index, record, leaf, signer } = entry;
    if (record === undefined) return;
    if (record.type === 'deployment' && record.phase !== 'ended') {
      this.#outcomes.set(index, isAdmitted(entry) ? this.#outcome(index, record, state) : refused(index));
      if (this.#isAsked(entry)) this.#asked.add(index);
    }
    if (record.type === 'deployment' && asksAbout(this.#question, record.subject)) this.#atStart(entry, record);
    if (!isAdmitted(entry)) return;
    const before = this.#before.get(record.subject);
    const pending = before && this.#pending(before);
    if (record.type === 'approval' && signer !== undefined) {
      const { decision, role } = record;
      const target = hex(record.target);
      const others = (this.#given.get(target) ?? []).filter(({ id }) => id !== signer.id);
      this.#given.set(target, [...others, { index, id: signer.id, role, decision }]);
      if (pending && before.leaf === target)
        pending.line += `; then ${decision === 'approve' ? 'approved' : 'rejected'} by ${signer.id} as ${role} (entry ${index})`;
    }
    if (record.type === 'model' || record.type === 'config') this.#subjects.set(hex(leaf), record.subject);
    if (record.type === 'deployment') {
      // What came to nothing needed no approvals, and what goes into service is admitted only with them.
      if (pending && record.phase === 'active' && equalBytes(before.record.state, record.state))
        pending.kind = this.#outcomes.get(index)?.kind ?? 'pending';
      else if (pending) this.#asked.delete(before.index);
      this.#before.set(record.subject, { index, leaf: hex(leaf), record });
    }
  }

  #pending({ index }: Before): Outcome | undefined {
    const outcome = this.#outcomes.get(index);
    return outcome?.kind === 'pending' ? outcome : undefined;
  }

  /** Who asks about single decisions asks about everything that could have decided them. */
  #isAsked({ asked }: PackEntry): boolean {
    return asked || this.#question.subjects.length === 0;
  }

  #atStart({ index, statement }: PackEntry, { subject, phase }: RecordOf<'deployment'>): void {
    if (placeInPeriod(this.#question, statement?.iat) !== 'earlier') return;
    if (phase === 'active') this.#inService.set(subject, index);
    else if (phase === 'ended') this.#inService.delete(subject);
  }

  #outcome(index: number, record: RecordOf<'deployment'>, state: GovernanceState): Outcome {
    const before = this.#before.get(record.subject);
    const parts = [hex(record.model), hex(record.config)];
    const targets = before === undefined ? parts : [...parts, before.leaf];
    const given = targets.flatMap((target) => this.#given.get(target) ?? []).filter(({ decision }) => decision === 'approve');
    const who = given.map(({ id, role, index: at }) => `${id} as ${role} (entry ${at})`).join(', ');
    const line = `entry ${index}, ${record.phase}: ${who === '' ? 'no approval' : `approved by ${who}`}`;
    if (record.break_glass) return { kind: 'emergency', line: `${line}, declared an emergency` };
    if (before?.record.phase === 'active' && record.phase === 'active' && equalBytes(before.record.state, record.state))
      return { kind: 'carried', line: `${line}; it goes on with what was in service` };
    const isRuled = (subject: string): boolean => rulesFor(state, subject).length > 0;
    if (isRuled(record.subject)) return { kind: record.phase === 'intent' ? 'pending' : 'approved', line };
    const ruled = parts.some((part) => isRuled(this.#subjects.get(part) ?? ''));
    return { kind: ruled ? 'approved' : 'unruled', line };
  }

  /**
   * @param decided deployments that decisions of the file rest on
   * @param complete whether the file holds all entries, and so every policy
   * @param state the rules after the last entry of the file
   */
  claims(decided: ReadonlySet<number>, complete: boolean, state: GovernanceState): Claim[] {
    for (const before of this.#before.values()) {
      const pending = this.#pending(before);
      if (pending && isApproved(state, before.leaf)) pending.kind = 'approved';
    }
    const meant = [...new Set([...this.#asked, ...this.#inService.values(), ...decided])].sort((a, b) => a - b);
    const outcomes = meant.flatMap((index) => {
      const outcome = this.#outcomes.get(index);
      return outcome === undefined ? [] : [{ index, ...outcome }];
    });
    if (outcomes.length === 0) return [];
    const claim = (verdict: Claim['verdict'], text: string): Claim[] => {
      const details = outcomes.slice(0, 50).map(({ line }) => line);
      return [{ name: 'approvals', verdict, text, details }];
    };
    const of = (kind: Outcome['kind']): number[] => outcomes.filter((one) => one.kind === kind).map(({ index }) => index);
    const [refusals, emergencies, carried, unruled] = [of('refused'), of('emergency'), of('carried'), of('unruled')];
    const [pending, approved] = [of('pending'), of('approved').length];
    if (refusals.length > 0)
      return claim(
        'failed',
        `The rules did not admit ${listEntries(refusals)}: what was deployed there had not what it needed.`,
      );
    if (emergencies.length > 0)
      return claim(
        'failed',
        `What ${listEntries(emergencies)} put into service had no approvals: it was declared an emergency (break-glass).`,
      );
    if (pending.length > 0)
      return claim(
        'not proved',
        `What ${listEntries(pending)} announced has not the approvals that it needs to go into service.`,
      );
    if (carried.length > 0 && carried.length + unruled.length === outcomes.length)
      return claim(
        'not proved',
        `${plural(carried.length, 'deployment')} went on with what was in service already, which is not approved again; see the deployment before.`,
      );
    if (unruled.length === outcomes.length)
      return claim(
        complete ? 'proved' : 'not proved',
        `The policy ${complete ? '' : 'that the file shows to be '}in force asked for no approvals of what was deployed${complete ? '' : '; that it is the policy in force, a file with all entries proves'}.`,
      );
    const rest = [
      unruled.length > 0 ? `; for ${unruled.length} it asked for none` : '',
      carried.length > 0 ? `; ${carried.length} went on with what was in service, which is not approved again` : '',
    ].join('');
    return claim(
      'proved',
      `${approved === 1 ? 'The deployment' : `Each of the ${approved} deployments`} had the approvals that the policy asked for which the file shows to be in force${rest}.`,
    );
  }
}

function refused(index: number): Outcome {
  return { kind: 'refused', line: `entry ${index}: not admitted by the rules` };
}
