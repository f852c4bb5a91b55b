import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { ClientError, type LogClient, type LoggedEntry } from '@treering/client';
import { positiveOf } from '@treering/evaluation';
import { equalBytes } from '@treering/merkle';
import { isSubject, printable, RecordError, type RecordOf } from '@treering/record';
import { DeployedReader, type EntryOf, NotComparable } from '../deployed.js';
import { requireOneEndpoint } from '../endpoint.js';
import { EXIT, UsageError } from '../exit.js';
import {
  attachReport,
  printQuestioned,
  type Questioned,
  type QuestionFlags,
  question,
  questionedJson,
  readDataset,
  recordMetrics,
} from '../questioning.js';
import type { Session } from '../session.js';
import { untilSignal } from '../signals.js';
import { isConflict, MOST_REBASES, previousLeaf, submitRecord } from '../submit.js';
import { drawTrends, trendsOfSubject } from '../trends.js';
import { fetchAttachment } from './attachment.js';
import { EVALUATION_REPORT } from './evaluate.js';

/** Flags of `drift`. */
export interface DriftFlags extends QuestionFlags {
  readonly env: string;
  readonly service: string;
  readonly evaluation?: string;
  /** Seconds from one run to the next. */
  readonly every?: number;
  readonly svg?: string;
  readonly dryRun?: boolean;
  readonly out?: string;
  readonly wait: boolean;
}

/** Records that are drawn after a run. */
const DRAWN = 100;

/**
 * `drift`: asks what is deployed, compares its answers with the logged evaluation, and records what came of it. Exit code 0 when
 * everything is within the tolerances, 1 when it has drifted and when that cannot be decided; the result says which.
 */
export async function drift(session: Session, flags: DriftFlags): Promise<number> {
  requireOneEndpoint(flags);
  if (!isSubject(subjectOf(flags)))
    throw new UsageError('--env and --service are segments of [a-z0-9._@-], such as prod and triage');
  if (flags.every === undefined) return run(session, flags);
  const ended = new AbortController();
  untilSignal().then(() => ended.abort());
  while (!ended.signal.aborted) {
    const next = performance.now() + flags.every * 1000;
    try {
      await run(session, flags, ended.signal);
    } catch (error) {
      if (!ended.signal.aborted)
        session.terminal.remark(`treering: this run failed, the next one comes: ${(error as Error).message}`);
    }
    await pause(Math.max(0, next - performance.now()), undefined, { signal: ended.signal }).catch(() => undefined);
  }
  return EXIT.ok;
}

async function run(session: Session, flags: DriftFlags, signal?: AbortSignal): Promise<number> {
  const { terminal } = session;
  const dataset = await readDataset(session, flags.dataset);
  const client = session.client();
  const reader = new DeployedReader(session, client);
  const deployment = await reader.active(flags.env, flags.service);
  const baseline = await reader.baseline(deployment, flags.evaluation);
  if (!equalBytes(baseline.record.dataset, dataset.digest))
    throw new NotComparable(
      `entry ${baseline.index} evaluates with the data set ${hex(baseline.record.dataset)}, and ${printable(flags.dataset)} is ${hex(dataset.digest)}`,
    );
  const { tolerances } = baseline.record;
  if (tolerances.length === 0) throw new NotComparable(`entry ${baseline.index} tolerates nothing that could be compared`);
  const config = await reader.entry(deployment.record.config, 'config');
  const positive = await positiveLabel(session, client, baseline, flags.positive);
  // What is missing for the record is said before anything is asked.
  if (flags.dryRun !== true) await session.signer();
  const parameters = config.record.parameters ?? {};
  const remark = laterThan(deployment, baseline);
  const questioned = await question(session, flags, { dataset, positive, tolerances, parameters, signal, remark });
  const { verdict, because } = questioned.decision;
  const subject = subjectOf(flags);
  terminal.line(
    `${terminal.bold(subject)}: ${terminal.colour(verdict === 'within' ? 'good' : 'bad', verdict)}: ${because} (deployment entry ${deployment.index}, evaluation entry ${baseline.index})`,
  );
  if (remark !== undefined) terminal.line(`  ${terminal.colour('bad', remark)}`);
  printQuestioned(session, questioned);
  const logged =
    flags.dryRun === true ? undefined : await recordRun(session, client, flags, { deployment, baseline, questioned });
  if (logged === undefined) terminal.line('  not recorded, as --dry-run asks');
  if (verdict === 'drift' && logged !== undefined)
    terminal.remark(`treering: ${subject} has drifted: entry ${logged.index} says so, and monitors of the log raise an alarm`);
  if (!terminal.json || flags.svg !== undefined)
    await drawTrends(session, subject, await trendsOfSubject(reader, subject, DRAWN), { inTerminal: 1, svg: flags.svg });
  terminal.result({
    verdict,
    subject,
    deployment: { index: deployment.index, leaf: hex(deployment.leaf) },
    evaluation: { index: baseline.index, leaf: hex(baseline.leaf), after_deployment: remark !== undefined },
    ...(remark === undefined ? {} : { remark }),
    dataset: hex(dataset.digest),
    recorded: logged !== undefined,
    ...(logged === undefined ? {} : { index: logged.index, leaf: hex(logged.leaf) }),
    ...questionedJson(questioned),
  });
  return verdict === 'within' ? EXIT.ok : EXIT.failed;
}

/** The label whose precision, recall and F1 the evaluation means: what its report says. @throws UsageError for another one */
async function positiveLabel(
  session: Session,
  client: LogClient,
  { record, index }: EntryOf<'evaluation'>,
  given: string | undefined,
): Promise<string | undefined> {
  const ref = record.attachments?.find(({ name }) => name === EVALUATION_REPORT);
  if (ref === undefined) return given;
  let logged: string | undefined;
  try {
    logged = positiveOf(await fetchAttachment(session, client, ref));
  } catch (error) {
    const known = [ClientError, RecordError, SyntaxError, TypeError].some((kind) => error instanceof kind);
    if (!known || (error instanceof ClientError && error.code === 'client/unreachable')) throw error;
    session.terminal.remark(`the report of entry ${index} cannot be read: --positive says which label is meant, if any`);
    return given;
  }
  if (given !== undefined && given !== logged)
    throw new UsageError(
      `entry ${index} evaluates with ${logged === undefined ? 'no positive label' : `the positive label ${printable(logged)}`}, and --positive says ${printable(given)}`,
    );
  return logged;
}

/** What everybody has to know about a baseline that may have been made to fit what runs. */
function laterThan(deployment: EntryOf<'deployment'>, baseline: EntryOf<'evaluation'>): string | undefined {
  if (baseline.index < deployment.index) return undefined;
  return `the baseline, entry ${baseline.index}, was logged after the deployment, entry ${deployment.index}`;
}

/** What a run found out, and about what. */
interface Found {
  readonly deployment: EntryOf<'deployment'>;
  readonly baseline: EntryOf<'evaluation'>;
  readonly questioned: Questioned;
}

/** Records a run, unless what is deployed has changed meanwhile: nobody knows then which of the two was asked. */
async function recordRun(session: Session, client: LogClient, flags: DriftFlags, found: Found): Promise<LoggedEntry> {
  const { deployment, baseline, questioned } = found;
  const { decision, metrics, answers } = questioned;
  const subject = subjectOf(flags);
  const remark = laterThan(deployment, baseline);
  const attachment = attachReport(questioned.report, 'drift.json');
  const proof = resolve(session.cwd, flags.out ?? join(session.cwd, `${subject.replace(/\//g, '-')}-drift.tlog-proof`));
  const record: RecordOf<'verification'> = {
    v: 1,
    type: 'verification',
    subject,
    reason: `Shadow evaluation with ${answers.answered.length} answers, compared with entry ${baseline.index}: ${decision.verdict}, ${decision.because}.${remark === undefined ? '' : ` Mind that ${remark}.`}`,
    deployment: deployment.leaf,
    observed: deployment.record.state,
    verdict: decision.verdict === 'within' ? 'match' : decision.verdict,
    about: 'behaviour',
    baseline: baseline.leaf,
    metrics: recordMetrics(metrics),
    tolerances: baseline.record.tolerances,
    attachments: [attachment.ref],
  };
  // The one line of --json is this command's own.
  const quiet = { ...session, terminal: { ...session.terminal, result: () => undefined } };
  for (let attempt = 0; ; attempt++) {
    // In this order: what is recorded after the newest entry was read is a conflict.
    const prev = await previousLeaf(client, subject);
    const now = await new DeployedReader(session, client).active(flags.env, flags.service);
    if (!equalBytes(now.leaf, deployment.leaf))
      throw new NotComparable(
        `nothing is recorded: entry ${now.index} was deployed while entry ${deployment.index} was looked at; run it again`,
      );
    try {
      const options = { attachments: [attachment], proof, wait: flags.wait, rebase: false };
      return await submitRecord(quiet, client, prev === undefined ? record : { ...record, prev }, options);
    } catch (error) {
      if (!isConflict(error) || attempt === MOST_REBASES) throw error;
    }
  }
}

function subjectOf({ env, service }: Pick<DriftFlags, 'env' | 'service'>): string {
  return `deploy/${env}/${service}`;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
