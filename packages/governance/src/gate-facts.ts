import { hex } from '@treering/note';
import type { ChangeRecord, RecordOf } from '@treering/record';
import type { Candidate } from './candidate.js';
import type { StateParts } from './state-parts.js';
import { put, remove, type Undo } from './undo.js';

/** What gates of a policy ask for, as a state remembers it: evaluations, change plans, assessments, open incidents. */

/** The newest evaluation by one person of one suite, of a model in a configuration. */
export interface EvaluationFact {
  readonly subject: string;
  readonly suite: string;
  /** Who signed it, by id. */
  readonly id: string;
  readonly passed: boolean;
  /** Seconds since the epoch. */
  readonly iat: number;
  readonly index: number;
  readonly metrics: readonly Metric[];
  readonly tolerances: readonly Tolerance[];
}

/** A measured value; without a slice, over all examples. */
type Metric = RecordOf<'evaluation'>['metrics'][number];
/** What a metric must be at least and at most. */
export type Tolerance = RecordOf<'evaluation'>['tolerances'][number];

/** Whether a change is substantial, as one person says. */
export interface AssessmentFact {
  /** Who signed it, by id. */
  readonly id: string;
  readonly result: RecordOf<'assessment'>['result'];
  /** A new conformity assessment was made for it. */
  readonly conformity: boolean;
  /** Leaf hash of the change plan, 64 hex digits. */
  readonly plan: string | undefined;
  readonly index: number;
}

/** An incident that is not closed. */
export interface IncidentFact {
  readonly severity: RecordOf<'incident'>['severity'];
  /** Leaf hashes, 64 hex digits each. */
  readonly affected: readonly string[];
  /** State digests of the deployments among them, 64 hex digits each. */
  readonly states: readonly string[];
  readonly index: number;
}

/**
 * What stands for an entry among these facts: for a model and a configuration what it is, whatever it is recorded as, so that nothing
 * that was found of it is left behind by recording it once more.
 */
export function contentKey({ contents }: Pick<StateParts, 'contents'>, leaf: Uint8Array): string {
  const content = contents.get(hex(leaf));
  return content === undefined ? hex(leaf) : `${content.type} ${content.digest}`;
}

/** The place of a model in a configuration among the evaluations. */
export function combination(parts: Pick<StateParts, 'contents'>, model: Uint8Array, config: Uint8Array): string {
  return `${contentKey(parts, model)} ${contentKey(parts, config)}`;
}

/** Takes in what a record says that a gate may ask for. */
export function applyGateFact(parts: StateParts, id: string, index: number, candidate: Candidate): Undo {
  const { record, leaf, statement } = candidate;
  switch (record?.type) {
    case 'evaluation': {
      const key = combination(parts, record.model, record.config);
      const others = (parts.evaluations.get(key) ?? []).filter((known) => known.suite !== record.suite || known.id !== id);
      return put(parts.evaluations, key, [...others, evaluationOf(record, id, statement.iat as number, index)]);
    }
    case 'change-plan':
      return put(parts.plans, hex(leaf), record.acceptance);
    case 'assessment': {
      const key = contentKey(parts, record.target);
      const others = (parts.assessments.get(key) ?? []).filter((known) => known.id !== id);
      return put(parts.assessments, key, [...others, assessmentOf(record, id, index)]);
    }
    case 'incident': {
      const { severity, affected, subject } = record;
      if (record.status === 'closed') return remove(parts.incidents, subject);
      const leaves = affected.map(hex);
      const deployed = [...parts.versions.values()].filter(
        ({ deployment, leaf: of }) => deployment && leaves.includes(hex(of)),
      );
      const known = parts.incidents.get(subject)?.states ?? [];
      const states = [...new Set([...known, ...deployed.flatMap(({ deployment }) => deployment?.state ?? [])])];
      return put(parts.incidents, subject, { severity, affected: leaves, states, index });
    }
    default:
      return () => undefined;
  }
}

/** Types that gates ask for. */
export const GATE_TYPES: readonly ChangeRecord['type'][] = ['evaluation', 'change-plan', 'assessment', 'incident'];

function assessmentOf({ result, conformity, plan }: RecordOf<'assessment'>, id: string, index: number): AssessmentFact {
  return { id, result, conformity: conformity !== undefined, plan: plan === undefined ? undefined : hex(plan), index };
}

function evaluationOf(record: RecordOf<'evaluation'>, id: string, iat: number, index: number): EvaluationFact {
  const { subject, suite, verdict, metrics, tolerances } = record;
  return { subject, suite, id, passed: verdict === 'pass', iat, index, metrics, tolerances };
}
