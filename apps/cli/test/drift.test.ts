import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hexOf } from './attachment.js';
import { deskWithLog } from './fixture.js';
import { recordModel, refuses } from './people.js';

// What is deployed is asked, and compared with its evaluation: what is refused before that, what is recorded, and what is not.

const desk = await deskWithLog();
/** Every header and body that the endpoint saw, and what it answers. */
const seen: { authorization: string | undefined; input: string }[] = [];
let answer = async (input: string): Promise<unknown> => ({ prediction: input });
const server = createServer(async (request, response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const { input } = JSON.parse(Buffer.concat(chunks).toString('utf8'));
  seen.push({ authorization: request.headers.authorization, input });
  response.end(JSON.stringify(await answer(input)));
});
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const endpoint = ['--endpoint', `http://127.0.0.1:${(server.address() as AddressInfo).port}/`];
test.after(async () => {
  server.closeAllConnections();
  server.close();
  await desk.served.close();
});

/** The endpoint repeats its input, so the model is right about all but `wrong` of these. */
const examples = (wrong: number): string =>
  Array.from(
    { length: 60 },
    (_, i) => `${JSON.stringify({ input: i % 2 ? 'yes' : 'no', expected: i < wrong ? 'maybe' : i % 2 ? 'yes' : 'no' })}\n`,
  ).join('');
desk.write('truth.jsonl', examples(2));
desk.write('other.jsonl', examples(3));
desk.write('prompt.txt', 'You are careful.\n');
const admin = desk.path('data/keys/admin.key');
const model = await recordModel(desk, 'wink', '1', admin);
const config = await desk.result([
  'record',
  'config',
  'prompt.txt',
  '--name',
  'api',
  '--version',
  '1',
  '--reason',
  'The first prompt.',
]);
const size = async (): Promise<number> => (await desk.result(['show'])).size;
const at = async (index: number) => (await desk.result(['show', String(index)])).record;

const drift = (...more: string[]): string[] => [
  'drift',
  '--env',
  'prod',
  '--service',
  'api',
  '--dataset',
  'truth.jsonl',
  ...more,
];
const evaluate = (tolerance: string, ...more: string[]): string[] => [
  'evaluate',
  ...['--model', 'wink', '--config', 'api', '--dataset', 'truth.jsonl', '--suite', 'sixty questions'],
  ...['--reason', 'Before it goes into service.', '--tolerance', tolerance, ...more],
];
/** Records a deployment of the model. */
async function deploy(phase: string, members: Record<string, string> = {}): Promise<{ index: number; leaf: string }> {
  const named = { model: model.leaf, config: config.leaf, ...members };
  const lines = Object.entries(named).map(([name, value]) => `${name}: "${value}"\n`);
  desk.write(
    'deployment.yaml',
    `subject: deploy/prod/api\nreason: The model goes into production.\nphase: ${phase}\nenvironment: prod\nservice: api\napprovals: []\n${lines.join('')}`,
  );
  return desk.result(['record', 'deployment', '--file', 'deployment.yaml']);
}

test('mistakes of usage are said before anything is asked', async () => {
  const wrongs: string[][] = [
    drift(),
    drift(...endpoint, '--command', 'cat'),
    drift('--openai', 'http://127.0.0.1:1/v1'),
    drift(...endpoint, '--model-name', 'm'),
    drift(...endpoint, '--every', '1w'),
    drift(...endpoint, '--every', '25d'),
    drift(...endpoint, '--max-unanswered', '1'),
    drift(...endpoint, 'histroy'),
    ['drift', '--env', 'prod', '--service', 'api', ...endpoint],
    ['drift', '--service', 'api', '--dataset', 'truth.jsonl', ...endpoint],
    ['drift', '--env', 'a/b', '--service', '../x', '--dataset', 'truth.jsonl', ...endpoint],
    ['drift', 'history', '--env', 'prod'],
    evaluate('accuracy:min=nine', ...endpoint),
    evaluate('accuracy:min=0.9', ...endpoint, '--model', 'nobody'),
    evaluate('accuracy:min=0.9', ...endpoint, '--reason', 'short'),
    evaluate('accuracy:min=0.9', ...endpoint, '--subject', 'Bad Subject'),
    evaluate('accuracy:min=0.9'),
  ];
  const before = await size();
  for (const wrong of wrongs) assert.is((await desk.call([...wrong, '--json'])).code, 2, wrong.join(' '));
  desk.write('broken.jsonl', '{"input":1}\n');
  await refuses(desk, [...drift(...endpoint), '--dataset', 'broken.jsonl'], 2, 'evaluation/dataset');
  assert.equal([await size(), seen.length], [before, 0]);
});

test('an evaluation passes or fails by its tolerances, and both are recorded', async () => {
  const failed = await desk.call([...evaluate('accuracy:min=0.99', ...endpoint), '--json']);
  assert.is(failed.code, 1);
  assert.is((await at(failed.json().index)).verdict, 'fail');
  const missing = await desk.call([...evaluate('recall@night:min=0', ...endpoint), '--json']);
  assert.is(missing.json().verdict, 'fail');
  const passed = await desk.result(evaluate('accuracy:min=0.8', ...endpoint));
  assert.equal([passed.verdict, passed.subject, passed.answered], ['pass', 'evaluation/wink', 60]);
  const record = await at(passed.index);
  assert.equal([hexOf(record.model), hexOf(record.config)], [model.leaf, config.leaf]);
  assert.is(record.metrics.find((one: { name: string }) => one.name === 'accuracy').value, '0.966667');
});

test('an evaluation with too many unanswered examples is none', async () => {
  const before = await size();
  answer = async (input) => (input === 'yes' ? {} : { prediction: input });
  await refuses(desk, evaluate('accuracy:min=0.5', ...endpoint), 1, 'cli/not-comparable');
  answer = async (input) => ({ prediction: input });
  assert.is(await size(), before);
});

test('only what is in service is compared', async () => {
  await refuses(desk, drift(...endpoint), 1, 'cli/not-comparable');
  await deploy('intent');
  await refuses(desk, drift(...endpoint), 1, 'cli/not-comparable');
  await deploy('active');
  const within = await desk.result(drift(...endpoint));
  assert.equal([within.verdict, within.recorded], ['within', true]);
  await deploy('ended');
  const { stderr } = await refuses(desk, drift(...endpoint), 1, 'cli/not-comparable');
  assert.match(stderr, 'nothing is in service');
  await deploy('active');
  // Another state that ends is not this one.
  await deploy('ended', { state: '11'.repeat(32) });
  assert.is((await desk.result(drift(...endpoint))).verdict, 'within');
});

test('a token comes from the environment, reaches the endpoint, and is recorded nowhere', async () => {
  seen.length = 0;
  const outcome = await desk.call([...drift(...endpoint), '--json'], { env: { TREERING_ENDPOINT_TOKEN: 'very-secret' } });
  assert.is(outcome.code, 0, outcome.stderr);
  assert.ok(seen.every(({ authorization }) => authorization === 'Bearer very-secret'));
  const { index } = outcome.json();
  await desk.result(['attachment', String(index), 'drift.json', '--out', `report-${index}.json`]);
  const report = readFileSync(desk.path(`report-${index}.json`), 'utf8');
  for (const text of [outcome.stdout, outcome.stderr, JSON.stringify(await at(index)), report])
    assert.not.match(text, /very-secret|127\.0\.0\.1/);
});

test('another data set, another model and an evaluation that tolerates nothing are refused, with nothing asked and recorded', async () => {
  const second = await recordModel(desk, 'wink', '2', admin);
  const other = await desk.result([...evaluate('accuracy:min=0.5', ...endpoint), '--model', second.leaf]);
  const passed = (await desk.result(['history', 'evaluation/wink'])).records[1];
  desk.write(
    'evaluation.yaml',
    `subject: evaluation/by-hand\nreason: Written by hand, without tolerances.\nmodel: "${model.leaf}"\nconfig: "${config.leaf}"\nsuite: by hand\ndataset: "${hexOf(passed.record.dataset)}"\nmetrics: [{ name: accuracy, value: "0.9" }]\nverdict: pass\ntolerances: []\n`,
  );
  const byHand = await desk.result(['record', 'evaluation', '--file', 'evaluation.yaml']);
  const [before, asked] = [await size(), seen.length];
  for (const [more, why] of [
    [['--evaluation', String(other.index)], 'another model'],
    [['--evaluation', String(byHand.index)], 'tolerates nothing'],
    [['--dataset', 'other.jsonl'], 'evaluates with the data set'],
  ] as const)
    assert.match((await refuses(desk, [...drift(...endpoint), ...more], 1, 'cli/not-comparable')).stderr, why);
  await refuses(desk, drift(...endpoint, '--evaluation', model.leaf), 2, 'cli/usage');
  await refuses(desk, drift(...endpoint, '--positive', 'yes'), 2, 'cli/usage');
  assert.equal([await size(), seen.length], [before, asked]);
});

test('an evaluation that failed is no baseline, and one from after the deployment only when it is named, which is said', async () => {
  const loose = await desk.result(evaluate('accuracy:min=0', ...endpoint, '--model', model.leaf));
  const failed = await desk.call([...evaluate('accuracy:min=0.99', ...endpoint), '--model', model.leaf, '--json']);
  const [before, asked] = [await size(), seen.length];
  const refused = await refuses(desk, drift(...endpoint, '--evaluation', String(failed.json().index)), 1, 'cli/not-comparable');
  assert.match(refused.stderr, 'an evaluation that failed');
  assert.equal([await size(), seen.length], [before, asked]);
  answer = async () => ({ prediction: 'no' });
  const drifted = await desk.call([...drift(...endpoint), '--json']);
  assert.equal([drifted.json().verdict, drifted.json().evaluation.after_deployment], ['drift', false]);
  assert.ok(drifted.json().evaluation.index < loose.index);
  const named = drift(...endpoint, '--evaluation', String(loose.index));
  assert.match(
    (await desk.call([...named, '--dry-run'])).stdout,
    `entry ${loose.index}, was logged after the deployment, entry`,
  );
  const excused = await desk.result(named);
  answer = async (input) => ({ prediction: input });
  const said = `the baseline, entry ${loose.index}, was logged after the deployment, entry ${excused.deployment.index}`;
  assert.equal([excused.verdict, excused.evaluation.after_deployment, excused.remark], ['within', true, said]);
  assert.match((await at(excused.index)).reason, said);
  await desk.result(['attachment', String(excused.index), 'drift.json', '--out', 'excused.json']);
  assert.is(JSON.parse(readFileSync(desk.path('excused.json'), 'utf8')).remark, said);
  // The newest evaluation before the deployment counts only when it passed.
  const strict = await desk.result([...evaluate('accuracy:min=0.8', ...endpoint), '--model', model.leaf]);
  await desk.call([...evaluate('accuracy:min=0.99', ...endpoint), '--model', model.leaf, '--json']);
  await deploy('active');
  assert.is((await desk.result(drift(...endpoint))).evaluation.index, strict.index);
});

test('what was deployed while another was looked at is not judged by it', async () => {
  const image = { image: 'ab'.repeat(32) };
  let deployed: Promise<unknown> | undefined;
  answer = async (input) => {
    deployed ??= deploy('active', image);
    await deployed;
    return { prediction: input };
  };
  const outcome = await desk.call([...drift(...endpoint), '--json']);
  answer = async (input) => ({ prediction: input });
  assert.equal([outcome.code, outcome.json().error.code], [1, 'cli/not-comparable']);
  assert.match(outcome.stderr, 'was deployed while');
  assert.is((await at((await size()) - 1)).type, 'deployment');
});

test('another record of the subject meanwhile is no reason to ask again', async () => {
  const asked = seen.length;
  let run: ReturnType<typeof desk.call> | undefined;
  answer = async (input) => {
    run ??= desk.call(drift('--json', '--command', process.execPath, '--', 'echo.cjs'));
    await run;
    return { prediction: input };
  };
  desk.write(
    'echo.cjs',
    `require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, input } = JSON.parse(line);
  const leaked = Object.keys(process.env).some((name) => name.startsWith('TREERING_'));
  console.log(JSON.stringify({ id, prediction: leaked ? 'leaked' : input }));
});\n`,
  );
  const outer = await desk.result(drift(...endpoint));
  answer = async (input) => ({ prediction: input });
  const inner = (await run)?.json();
  assert.equal([outer.verdict, inner.verdict, seen.length - asked], ['within', 'within', 60]);
  assert.ok(outer.index > inner.index);
});

test('the key of whoever asks is neither in the environment of what is asked nor in what a mapping sends', async () => {
  const env = { MINE: readFileSync(admin, 'utf8').trim(), TREERING_PASSPHRASE: 'secret' };
  desk.write(
    'leak.cjs',
    `require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, input } = JSON.parse(line);
  const leaked = Object.values(process.env).some((value) => value.includes('PRIVATE+KEY'));
  console.log(JSON.stringify({ id, prediction: leaked ? 'leaked' : input }));
});\n`,
  );
  const keyed = drift('--json', '--dry-run', '--key', 'env:MINE', '--command', process.execPath, '--', 'leak.cjs');
  assert.is((await desk.call(keyed, { env })).json().verdict, 'within');
  for (const name of ['MINE', 'TREERING_PASSPHRASE']) {
    desk.write('leak.yaml', `headers: { X-Api-Key: 'env:${name}' }\n`);
    const asked = seen.length;
    const sent = await desk.call(drift(...endpoint, '--key', 'env:MINE', '--mapping', 'leak.yaml', '--json'), { env });
    assert.equal([sent.code, sent.json().error.code, seen.length - asked], [2, 'evaluation/mapping', 0]);
  }
});

test('a drift is recorded and said; a dry run records nothing and needs no key', async () => {
  answer = async () => ({ prediction: 'no' });
  const before = await size();
  const dry = await desk.call(drift(...endpoint, '--dry-run', '--key', 'there-is-none.key'));
  assert.is(dry.code, 1, dry.stderr);
  assert.match(dry.stdout, /deploy\/prod\/api: drift: 1 of 1 tolerance is left for certain/);
  assert.match(dry.stdout, /not recorded/);
  assert.is(await size(), before);
  const real = await desk.call(drift(...endpoint));
  assert.is(real.code, 1);
  assert.match(real.stderr, `entry ${before} says so`);
  assert.match(real.stdout, /min 0\.8 {2}drift\n/);
  assert.is((await at(before)).verdict, 'drift');
  answer = async (input) => ({ prediction: input });
});

test('how answers are read is a mapping, and what is for HTTP is not for others', async () => {
  desk.write('labels.yaml', 'labels: { "yes": "yes", "no": "no" }\n');
  assert.is((await desk.result(drift(...endpoint, '--mapping', 'labels.yaml', '--dry-run'))).verdict, 'within');
  desk.write('http.yaml', 'prediction: /prediction\n');
  await refuses(desk, drift('--command', 'cat', '--mapping', 'http.yaml'), 2, 'cli/usage');
  desk.write('secret.yaml', 'headers: { X-Api-Key: abc }\n');
  await refuses(desk, drift(...endpoint, '--mapping', 'secret.yaml'), 2, 'evaluation/mapping');
});

test('the history is drawn from what the log says, and a metric that was not measured is a mistake', async () => {
  const history = ['drift', 'history', '--env', 'prod', '--service', 'api'];
  const { trends } = await desk.result([...history, '--metric', 'accuracy', '--svg', 'accuracy.svg']);
  assert.equal([trends.length, trends[0].metric, trends[0].points[0].verdict], [1, 'accuracy', 'pass']);
  await refuses(desk, [...history, '--metric', 'speed'], 2, 'cli/usage');
  await refuses(desk, ['drift', 'history', '--env', 'prod', '--service', 'nothing'], 2, 'cli/usage');
});

test.run();
