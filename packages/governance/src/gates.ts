import { hex } from '@treering/note';
import { type GateRule, printable, type RecordOf } from '@treering/record';
import { compareDecimals } from './decimal.js';
import { type Refusal, refuse } from './decision.js';
import type { EvaluationFact, Tolerance } from './gate-facts.js';
import { matchesGlob, matchesText } from './glob.js';
import type { GovernanceState } from './state.js';

/** What has to be in the log, besides approvals, before something is deployed (`gates` of a policy). */

type Deployment = RecordOf<'deployment'>;

const SEVERITIES: readonly string[] = ['low', 'medium', 'high', 'critical'];

/** The gates of the policy in force that a subject falls under. */
function gatesFor(state: GovernanceState, subject: string): GateRule[] {
  return (state.policy?.gates ?? []).filter(({ on }) => matchesGlob(on, subject));
}

/**
 * Checks that a deployment satisfies every gate that it falls under.
 * @param iat seconds since the epoch
 */
export function checkGates(state: GovernanceState, record: Deployment, iat: number): Refusal | undefined {
  for (const gate of gatesFor(state, record.subject)) {
    const missing =
      ofEvaluations(state, record, gate, iat) ?? ofAssessments(state, record, gate) ?? ofIncidents(state, record, gate);
    if (missing !== undefined) return refuse('governance/gate', `policy@${state.policyIndex}/gates/${gate.on}`, missing);
  }
  return undefined;
}

/** A result that failed stands, however old it is, until the same person evaluates the same suite again. */
function ofEvaluations(state: GovernanceState, record: Deployment, { evaluation }: GateRule, iat: number): string | undefined {
  if (evaluation === undefined) return undefined;
  const { suite, within, tolerances = [], not_author } = evaluation;
  const authors = not_author ? authorsOf(state, record) : [];
  const subjects = subjectsAbout(state, record);
  const counting = state
    .evaluations(record.model, record.config)
    .filter(
      (known) =>
        subjects.includes(known.subject) &&
        !authors.includes(known.id) &&
        (suite === undefined || matchesText(suite, known.suite)),
    );
  const failed = counting.find(({ passed }) => !passed);
  if (failed !== undefined) return `${nameOf(failed)} failed`;
  for (const known of counting) {
    const broken = firstBroken(known, [...known.tolerances, ...tolerances.filter((t) => measures(known, t))]);
    if (broken !== undefined) return broken;
  }
  const good = counting.filter((known) => within === undefined || iat - known.iat <= within);
  const what = `${suite === undefined ? 'an evaluation' : `an evaluation of ${printable(suite)}`} of this model in this configuration`;
  if (good.length === 0) {
    const fresh = within === undefined ? '' : `, not older than ${within} seconds`;
    return `${what}${not_author ? ' by somebody other than its authors' : ''}${fresh} is missing`;
  }
  const unmeasured = tolerances.find((tolerance) => !good.some((known) => measures(known, tolerance)));
  return unmeasured === undefined ? undefined : `${what} that measures ${metricName(unmeasured)} is missing`;
}

function ofAssessments(state: GovernanceState, record: Deployment, { assessment }: GateRule): string | undefined {
  if (assessment === undefined) return undefined;
  const authors = assessment !== true && assessment.not_author ? authorsOf(state, record) : [];
  for (const part of ['model', 'config'] as const) {
    const counting = state.assessments(record[part]).filter(({ id }) => !authors.includes(id));
    if (counting.length === 0)
      return `an assessment of the ${part} ${hex(record[part])}${authors.length === 0 ? '' : ' by somebody other than its authors'} is missing: whether it is a substantial change`;
    // What somebody says stands until the same person says otherwise.
    for (const known of counting) {
      if (known.result === 'substantial' && !known.conformity)
        return `entry ${known.index} assesses the ${part} as a substantial change, and names no new conformity assessment`;
      const broken = known.result === 'within-plan' ? outsidePlan(state, record, known.plan) : undefined;
      if (broken !== undefined) return `entry ${known.index} assesses the ${part} as within a change plan, but ${broken}`;
    }
  }
  return undefined;
}

function outsidePlan(state: GovernanceState, record: Deployment, plan: string | undefined): string | undefined {
  if (plan === undefined) return 'names none';
  const acceptance = state.plan(plan);
  if (acceptance === undefined || state.newest(plan) === undefined)
    return 'that plan is not the newest of its subject in the log';
  const subjects = subjectsAbout(state, record);
  const evaluations = state.evaluations(record.model, record.config).filter(({ subject }) => subjects.includes(subject));
  for (const tolerance of acceptance) {
    const measuring = evaluations.filter((known) => measures(known, tolerance));
    if (measuring.length === 0) return `no evaluation measures ${metricName(tolerance)}, which the plan asks for`;
    for (const known of measuring) {
      const broken = firstBroken(known, [tolerance]);
      if (broken !== undefined) return broken;
    }
  }
  return undefined;
}

function ofIncidents(state: GovernanceState, record: Deployment, { incidents }: GateRule): string | undefined {
  if (incidents === undefined) return undefined;
  const least = SEVERITIES.indexOf(incidents);
  for (const [subject, { severity, affected, states, index }] of state.openIncidents()) {
    if (SEVERITIES.indexOf(severity) < least) continue;
    const open = `${subject} (entry ${index}, ${severity}) is open`;
    for (const part of ['model', 'config'] as const)
      if (affected.some((leaf) => isSameContent(state, leaf, hex(record[part])))) return `${open} and affects the ${part}`;
    const services = affected.filter((leaf) => state.isAbout(leaf, record.subject));
    // What undoes the affected deployment is how an incident ends; the same once more undoes nothing.
    const undoes =
      record.replaces !== undefined && services.includes(hex(record.replaces)) && !states.includes(hex(record.state));
    if (services.length > 0 && !undoes)
      return `${open} and affects ${record.subject}: only a deployment that replaces the affected one goes on`;
  }
  return undefined;
}

/** The same model or configuration, recorded once more, is affected as well. */
function isSameContent(state: GovernanceState, affected: string, leaf: string): boolean {
  if (affected === leaf) return true;
  const [one, other] = [state.content(affected), state.content(leaf)];
  return one !== undefined && other !== undefined && one.type === other.type && one.digest === other.digest;
}

/**
 * Subjects of evaluations that count: those of the model, the configuration and the deployment, and what stands below `evaluation/` for
 * the model or the service. A rule that lets somebody evaluate something else opens no gate here.
 */
function subjectsAbout(state: GovernanceState, { model, config, subject, service }: Deployment): string[] {
  const own = [model, config].flatMap((part) => state.newest(hex(part))?.subject ?? []);
  return [...own, subject, `evaluation/${service}`, ...own.map((one) => `evaluation/${one.slice(one.lastIndexOf('/') + 1)}`)];
}

function authorsOf(state: GovernanceState, { model, config }: Deployment): string[] {
  return [model, config].flatMap((part) => state.content(hex(part))?.authors ?? []);
}

function measures({ metrics }: EvaluationFact, tolerance: Tolerance): boolean {
  return metrics.some((metric) => metric.name === tolerance.metric && metric.slice === tolerance.slice);
}

/** The first tolerance that an evaluation does not keep to; one that it does not measure is not kept to. */
function firstBroken(known: EvaluationFact, tolerances: readonly Tolerance[]): string | undefined {
  for (const tolerance of tolerances) {
    const { min, max } = tolerance;
    const measured = known.metrics.filter(({ name, slice }) => name === tolerance.metric && slice === tolerance.slice);
    if (measured.length === 0) return `${nameOf(known)} does not measure ${metricName(tolerance)}`;
    for (const { value } of measured) {
      if (min !== undefined && compareDecimals(value, min) < 0)
        return `${nameOf(known)} measured ${metricName(tolerance)} ${value}, and it must be at least ${min}`;
      if (max !== undefined && compareDecimals(value, max) > 0)
        return `${nameOf(known)} measured ${metricName(tolerance)} ${value}, and it must be at most ${max}`;
    }
  }
  return undefined;
}

function nameOf({ suite, index }: EvaluationFact): string {
  return `the evaluation ${printable(suite)} (entry ${index})`;
}

function metricName({ metric, slice }: Tolerance): string {
  return slice === undefined ? printable(metric) : `${printable(metric)} of ${printable(slice)}`;
}
