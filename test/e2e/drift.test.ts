import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { LogClient } from '@treering/client';
import { parseVerifierKey } from '@treering/note';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { COMMAND, oneLine, Workplace } from './command.js';
import { datasetOf, type ServedFilter, serveFilter, splits, train } from './content-filter.js';

// A content filter in service: a real one, trained here on labelled mails, evaluated, deployed, and asked again while it runs. Then
// somebody puts one into its place that was trained on a skewed part of the mails. Log, monitor and every command are processes.

const TOLERANCES = ['accuracy:min=0.93', 'recall:min=0.85', 'accuracy@easy-ham:min=0.97', 'latency_p95:max=20000'];
const { training, skewed, truth } = splits();

const place = new Workplace();
const log = await place.up();
place.env.TREERING_LOG_URL = log.ready.url;
const served: ServedFilter[] = [];
test.after(async () => {
  for (const filter of served) await filter.stop();
  await log.stop();
});

place.write('truth.jsonl', datasetOf(truth));
place.write('guardrails.yaml', 'guardrails:\n  - { id: spam, setting: 0, action: block }\n');
const serve = async (weights: string): Promise<ServedFilter> => {
  const filter = await serveFilter(weights, place.path('guardrails.yaml'));
  served.push(filter);
  return filter;
};
const good = await serve(readFileSync(place.write('filter/weights.json', train(training)), 'utf8'));
const weightsOfBad = train(skewed);
const bad = await serve(weightsOfBad);

const client = new LogClient({
  url: log.ready.url,
  trust: { origin: log.ready.origin, logKeys: [parseVerifierKey(log.ready.vkey)] },
});
const size = async (): Promise<number> => (await client.head()).size;
const deployed = ['drift', '--env', 'prod', '--service', 'mail-filter', '--dataset', 'truth.jsonl'];
const asked = (filter: ServedFilter): string[] => [...deployed, '--endpoint', filter.url];
// biome-ignore lint/suspicious/noExplicitAny: records have many shapes
const at = async (index: number): Promise<any> => (await client.entry(index)).record;
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
/** What `--json` printed, with the exit code that was expected. */
// biome-ignore lint/suspicious/noExplicitAny: results have many shapes
async function ends(args: readonly string[], code: number, env: Record<string, string> = {}): Promise<any> {
  const outcome = await place.run([...args, '--json'], env);
  assert.is(outcome.code, code, outcome.stdout + outcome.stderr);
  return oneLine(outcome.stdout);
}

test('the filter is recorded with its training data, evaluated, and deployed', async () => {
  const data = `corpus=2,000 mails of the SpamAssassin corpus as people labelled them, SHA-256 ${training.digest}`;
  const about = (what: string): string[] => ['--name', 'mail-filter', '--version', '1', '--reason', `The first ${what}.`];
  const model = await place.result(['record', 'model', 'filter', ...about('filter'), '--training-data', data]);
  const config = await place.result(['record', 'config', 'guardrails.yaml', ...about('threshold')]);
  const refused = await ends(asked(good), 1);
  assert.is(refused.error.code, 'cli/not-comparable');
  const facts = `environment: prod\nservice: mail-filter\nmodel: ${model.leaf}\nconfig: ${config.leaf}\napprovals: []\n`;
  const deploy = async (phase: string): Promise<void> => {
    place.write(
      'deploy.yaml',
      `subject: deploy/prod/mail-filter\nreason: The filter goes into service.\nphase: ${phase}\n${facts}`,
    );
    await place.result(['record', 'deployment', '--file', 'deploy.yaml']);
  };
  await deploy('intent');
  await deploy('active');
  assert.match((await ends(asked(good), 1)).error.message, 'no evaluation of the deployed model');
  await deploy('ended');
  const suite = ['--suite', 'mails of 2002', '--positive', 'spam', '--reason', 'Before the filter goes into service.'];
  const named = ['--model', 'mail-filter', '--config', 'mail-filter', '--dataset', 'truth.jsonl', '--endpoint', good.url];
  const result = await place.result(['evaluate', ...named, ...suite, '--tolerance', ...TOLERANCES]);
  assert.is(result.verdict, 'pass');
  assert.is(result.answered, truth.mails.length);
  const record = await at(result.index);
  assert.is(hexOf(record.model), model.leaf);
  assert.is(hexOf(record.dataset), createHash('sha256').update(datasetOf(truth)).digest('hex'));
  await deploy('active');
});

// biome-ignore lint/suspicious/noExplicitAny: results have many shapes
let firstMetrics: any[] = [];
test('what is deployed answers as it was evaluated: within, recorded, and no alarm', async () => {
  const result = await ends(asked(good), 0);
  assert.is(result.verdict, 'within');
  firstMetrics = result.metrics;
  assert.equal(
    result.findings.map(({ verdict }: { verdict: string }) => verdict),
    ['within', 'within', 'within', 'within'],
  );
  assert.match(
    result.findings[0].because,
    /interval 0\.\d+ to 0\.\d+ \(percentile bootstrap, 2000 resamples\), which lies inside/,
  );
  const [record, deployment] = [await at(result.index), await at(result.deployment.index)];
  assert.equal([record.type, record.about, record.verdict], ['verification', 'behaviour', 'match']);
  assert.equal(record.observed, deployment.state);
  assert.is(hexOf(record.baseline), result.evaluation.leaf);
  assert.equal(await monitor(), []);
  await place.result(['attachment', String(result.index), 'drift.json', '--out', 'report.json']);
  const report = JSON.parse(readFileSync(place.path('report.json'), 'utf8'));
  assert.equal([report.counts.answered, report.positive, report.bootstrap.resamples], [truth.mails.length, 'spam', 2000]);
  assert.not.match(JSON.stringify(report), '127.0.0.1');
});

test('the one that was trained on a skewed part drifts: recorded, an alarm, and over when the good one is back', async () => {
  const result = await ends(asked(bad), 1);
  assert.is(result.verdict, 'drift');
  const findings = Object.fromEntries(
    result.findings.map(({ tolerance, verdict }: { tolerance: { metric: string; slice?: string }; verdict: string }) => [
      `${tolerance.metric}@${tolerance.slice ?? ''}`,
      verdict,
    ]),
  );
  assert.equal(findings, { 'accuracy@': 'drift', 'recall@': 'drift', 'accuracy@easy-ham': 'within', 'latency_p95@': 'within' });
  assert.is((await at(result.index)).verdict, 'drift');
  const [alarm] = await monitor();
  assert.equal([alarm.kind, alarm.about], ['drift', 'deploy/prod/mail-filter']);
  const again = await ends([...asked(good), '--concurrency', '7'], 0);
  assert.is(again.verdict, 'within');
  assert.equal(await monitor(), []);
  // The same answers give the same metrics with the same intervals, in whatever order they come.
  const still = (metrics: { name: string }[]) => metrics.filter(({ name }) => !name.startsWith('latency'));
  assert.equal(still(again.metrics), still(firstMetrics));
});

test('an evaluation that was logged after the deployment, to fit what runs, calls nothing within unless it is named', async () => {
  const named = ['--model', 'mail-filter', '--config', 'mail-filter', '--dataset', 'truth.jsonl', '--endpoint', bad.url];
  const about = ['--suite', 'anything goes', '--positive', 'spam', '--reason', 'Whatever it answers is tolerated.'];
  const loose = await place.result(['evaluate', ...named, ...about, '--tolerance', 'accuracy:min=0']);
  const result = await ends(asked(bad), 1);
  assert.equal([result.verdict, result.evaluation.index < loose.index], ['drift', true]);
  const explicit = await ends([...asked(bad), '--evaluation', String(loose.index)], 0);
  assert.equal([explicit.verdict, explicit.evaluation.after_deployment], ['within', true]);
  assert.match((await at(explicit.index)).reason, `entry ${loose.index}, was logged after the deployment`);
  assert.is((await ends(asked(good), 0)).evaluation.after_deployment, false);
});

test('another data set, and another evaluation, are refused before anything is asked', async () => {
  const [before, questions] = [await size(), good.asked()];
  place.write('other.jsonl', datasetOf({ ...truth, mails: truth.mails.slice(1) }));
  const other = ['drift', '--env', 'prod', '--service', 'mail-filter', '--dataset', 'other.jsonl', '--endpoint', good.url];
  assert.match((await ends(other, 1)).error.message, 'evaluates with the data set');
  assert.is((await ends([...asked(good), '--evaluation', '1'], 2)).error.code, 'cli/usage');
  assert.is((await ends([...asked(good), '--positive', 'ham'], 2)).error.code, 'cli/usage');
  assert.equal([await size(), good.asked()], [before, questions]);
});

test('an endpoint that is gone is no evidence of anything: inconclusive', async () => {
  const closed = await serveFilter(weightsOfBad, place.path('guardrails.yaml'));
  await closed.stop();
  const result = await ends(asked(closed), 1);
  assert.is(result.verdict, 'inconclusive');
  assert.is(result.answered + result.unanswered, truth.mails.length);
  assert.match(result.because, /\d+ of 300 examples are unanswered, and at most 2 % may be/);
  assert.is((await at(result.index)).verdict, 'inconclusive');
});

test('the metrics over time, in the terminal and as a picture', async () => {
  const { code, stdout } = await place.run([
    'drift',
    'history',
    '--env',
    'prod',
    '--service',
    'mail-filter',
    '--metric',
    'accuracy',
    '--svg',
    'accuracy.svg',
  ]);
  assert.is(code, 0, stdout);
  assert.match(stdout, /^accuracy, /);
  assert.match(stdout, /min 0\.93 {2}drift\n/);
  assert.match(stdout, /min 0\.93 {2}pass\n/);
  const picture = readFileSync(place.path('accuracy.svg'), 'utf8');
  assert.match(picture, /^<svg [^>]*>.*accuracy, tolerated at least 0\.93.*<\/svg>\n$/s);
});

test('again and again, until it is told to end', async () => {
  const args = [...asked(good), '--every', '1s', '--dry-run', '--sample', '100', '--json'];
  const child = spawn(process.execPath, [COMMAND, ...args], {
    cwd: place.folder,
    env: place.env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  await new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
      if (text.split('\n').length > 2) resolve();
    });
    child.once('close', () => resolve());
  });
  child.kill('SIGTERM');
  assert.is(await ended, 0);
  const runs = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.ok(runs.length >= 2);
  for (const run of runs) assert.is(run.answered, 100);
});

/** The alarms that a monitor elsewhere has open. */
async function monitor(): Promise<{ kind: string; about: string }[]> {
  const logs = [{ keys: [log.ready.vkey], url: log.ready.url }];
  place.write('watch/monitor.yaml', JSON.stringify({ name: 'elsewhere/monitor', logs }));
  const { stdout } = await place.run(['monitor', 'once', '--data', place.path('watch'), '--json']);
  return (oneLine(stdout) as { alarms: { kind: string; about: string }[] }).alarms;
}

test.run();
