import { join, resolve } from 'node:path';
import { parseTolerance, sideOf, type Tolerance } from '@treering/evaluation';
import { isSubject, printable, type RecordOf, validateRecord } from '@treering/record';
import { DeployedReader, type EntryOf, NotComparable } from '../deployed.js';
import { requireOneEndpoint } from '../endpoint.js';
import { EXIT, UsageError } from '../exit.js';
import {
  attachReport,
  printQuestioned,
  type QuestionFlags,
  question,
  questionedJson,
  readDataset,
  recordMetrics,
} from '../questioning.js';
import type { Session } from '../session.js';
import { previousLeaf, submitRecord } from '../submit.js';

/** Flags of `evaluate`. */
export interface EvaluateFlags extends QuestionFlags {
  readonly model: string;
  readonly config: string;
  readonly suite: string;
  readonly tolerance: readonly string[];
  readonly reason: string;
  readonly subject?: string;
  readonly out?: string;
  readonly wait: boolean;
  readonly rebase: boolean;
}

/** The attachment of an evaluation with its statistics. */
export const EVALUATION_REPORT = 'evaluation.json';

/**
 * `evaluate`: measures a model in a configuration and records that as the baseline that later observations are compared with. It
 * passes when every metric that a tolerance names is inside of it. Exit code 1 when it fails; it is recorded all the same.
 */
export async function evaluate(session: Session, flags: EvaluateFlags): Promise<number> {
  const { terminal } = session;
  requireOneEndpoint(flags);
  const tolerances = flags.tolerance.map(parseTolerance);
  const dataset = await readDataset(session, flags.dataset);
  const client = session.client();
  const reader = new DeployedReader(session, client);
  const model = await entryOrNewest(reader, flags.model, 'model');
  const config = await entryOrNewest(reader, flags.config, 'config');
  const subject = flags.subject ?? `evaluation/${model.record.name}`;
  if (!isSubject(subject)) throw new UsageError(`${printable(subject)} is no subject such as evaluation/triage`);
  // What is missing for the record is said before anything is asked.
  await session.signer();
  const about: Omit<RecordOf<'evaluation'>, 'metrics' | 'verdict'> = {
    v: 1,
    type: 'evaluation',
    subject,
    reason: flags.reason,
    model: model.leaf,
    config: config.leaf,
    suite: flags.suite,
    dataset: dataset.digest,
    tolerances: tolerances as RecordOf<'evaluation'>['tolerances'],
  };
  validateRecord({ ...about, metrics: [{ name: 'accuracy', value: '0' }], verdict: 'fail' });
  const parameters = config.record.parameters ?? {};
  const questioned = await question(session, flags, { dataset, positive: flags.positive, tolerances, parameters });
  const { answers, metrics } = questioned;
  const all = answers.answered.length + answers.unanswered.length;
  if (answers.unanswered.length > flags.maxUnanswered * all)
    throw new NotComparable(
      `nothing is recorded: ${answers.unanswered.length} of ${all} examples are unanswered, such as: ${answers.unanswered[0].reason}`,
    );
  const verdict = tolerances.every((tolerance) => isInside(tolerance, metrics)) ? 'pass' : 'fail';
  const attachment = attachReport(questioned.report, EVALUATION_REPORT);
  const prev = await previousLeaf(client, subject);
  const record: RecordOf<'evaluation'> = {
    ...about,
    metrics: recordMetrics(metrics),
    verdict,
    attachments: [attachment.ref],
    ...(prev === undefined ? {} : { prev }),
  };
  const proof =
    flags.out === undefined ? join(session.cwd, `${subject.replace(/\//g, '-')}.tlog-proof`) : resolve(session.cwd, flags.out);
  terminal.line(`${terminal.bold(printable(flags.suite))}: ${terminal.colour(verdict === 'pass' ? 'good' : 'bad', verdict)}`);
  printQuestioned(session, questioned);
  // The one line of --json is this command's own.
  const quiet = { ...session, terminal: { ...terminal, result: () => undefined } };
  const { wait, rebase } = flags;
  const logged = await submitRecord(quiet, client, record, { attachments: [attachment], proof, wait, rebase });
  terminal.result({
    verdict,
    suite: flags.suite,
    subject,
    dataset: hex(dataset.digest),
    index: logged.index,
    leaf: hex(logged.leaf),
    ...questionedJson(questioned),
  });
  return verdict === 'pass' ? EXIT.ok : EXIT.failed;
}

/** Whether a tolerance holds for what was measured; a metric that is missing is not inside of anything. */
function isInside(tolerance: Tolerance, metrics: Parameters<typeof recordMetrics>[0]): boolean {
  const measured = metrics.find(({ name, slice }) => name === tolerance.metric && slice === tolerance.slice);
  return measured !== undefined && sideOf(tolerance, measured.value) === 'inside';
}

/** An entry, or the newest one of a name. @throws UsageError */
async function entryOrNewest<T extends 'model' | 'config'>(reader: DeployedReader, text: string, type: T): Promise<EntryOf<T>> {
  if (/^(?:0|[1-9][0-9]{0,15})$/.test(text) || /^[0-9a-f]{64}$/.test(text)) return reader.entry(text, type);
  const subject = `${type}/${text}`;
  if (!isSubject(subject)) throw new UsageError(`${printable(text)} is neither an entry nor the name of a ${type}`);
  const newest = (await reader.newest(subject, 16)).find(({ record }) => record?.type === type);
  if (newest === undefined) throw new UsageError(`the log has no record of ${subject}`);
  return newest as EntryOf<T>;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
