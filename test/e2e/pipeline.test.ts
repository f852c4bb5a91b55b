import { spawn } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { COMMAND, type RunningLog, Workplace } from './command.js';
import { splits, train } from './content-filter.js';

/*
 * Two engineers, an approver and a pipeline: a content filter goes live behind the gate, and whatever is changed afterwards without
 * the log is found on the machine and told by the monitor. Every part is a process of its own.
 */

const place = new Workplace();
const FILTER = fileURLToPath(new URL('filter-process.ts', import.meta.url));
const PROMPT = 'Mails that ask for passwords are spam.\nNever delete a mail.\n';
let log: RunningLog;
let key = { eve: '', bob: '', carol: '', robot: '' };
const weights = train(splits().training);

test.before(async () => {
  log = await place.up([], {}, 'json', true);
  Object.assign(place.env, { TREERING_LOG_URL: log.ready.url });
  place.write(
    'policy.yaml',
    `rules:
  - { name: administrators, who: { roles: [administrator] }, may: ['*'], on: ['**'] }
  - { name: engineers, who: { roles: [engineer] }, may: [model, config, evaluation], on: ['model/*', 'config/*'] }
  - { name: approvers, who: { roles: [approver] }, may: [approval], on: ['model/*', 'config/*'] }
  - { name: pipelines, who: { roles: [pipeline] }, may: [deployment, verification], on: ['deploy/**'] }
approvals:
  - { on: model/*, need: 1, roles: [approver], not_author: true }
  - { on: config/*, need: 1, roles: [approver], not_author: true }
`,
  );
  await place.result(['policy', 'set', 'policy.yaml', '--reason', 'Nothing goes live without somebody else.']);
  const enrol = async (id: string, role: string): Promise<string> => {
    await place.result(['keygen', id, '--role', role]);
    await place.result(['record', 'identity', '--file', `${id}.identity.yaml`]);
    return `${id}.key`;
  };
  key = {
    eve: await enrol('eve', 'engineer'),
    bob: await enrol('bob', 'engineer'),
    carol: await enrol('carol', 'approver'),
    robot: await enrol('robot', 'pipeline'),
  };
  place.write('model/weights.json', weights);
  place.write('live/prompt.txt', PROMPT);
  place.write('live/guardrails.yaml', 'guardrails:\n  - { id: spam, setting: 0, action: quarantine }\n');
});
test.after(async () => {
  stopService();
  await log?.stop();
});

function stopService(): void {
  const pid = existsSync(place.path('filter.pid')) ? Number(readFileSync(place.path('filter.pid'), 'utf8')) : 0;
  if (pid > 0) process.kill(pid, 'SIGKILL');
  rmSync(place.path('filter.pid'), { force: true });
}

/** What the pipeline runs: looks at its permit, and starts the service. */
const DEPLOY = [
  'set -e',
  `test -s "$TREERING_PERMIT"`,
  `(cd "${fileURLToPath(new URL('../..', import.meta.url))}" && exec setsid "${process.execPath}" --conditions=@treering/source --import tsx "${FILTER}" "${place.path('model/weights.json')}" "${place.path('live/guardrails.yaml')}" "${place.path('filter')}" >/dev/null 2>&1 &)`,
  `for i in $(seq 600); do test -s "${place.path('filter.pid')}" && exit 0; sleep 0.1; done; exit 1`,
].join('\n');

const PARTS = ['--model', 'model', '--config', 'live/prompt.txt', 'live/guardrails.yaml'];
const gate = (script: string) =>
  place.run([
    ...['gate', '--env', 'prod', '--service', 'filter', ...PARTS, '--reason', 'The filter goes live.', '--key', key.robot],
    ...['--run', 'acme run 1', '--json', '--', 'sh', '-c', script],
  ]);

/** The open alarms of the monitor about a service, when one of a kind is there or is gone. */
async function alarms(kind: string, there: boolean): Promise<{ kind: string; about: string; message: string }[]> {
  for (let tries = 0; ; tries++) {
    const answer = await fetch(`${log.ready.monitor}/v1/alarms`);
    const all = ((await answer.json()) as { alarms: { kind: string; about: string; message: string; cleared?: unknown }[] })
      .alarms;
    const open = all.filter((alarm) => alarm.kind === kind && (alarm.cleared ?? null) === null);
    if (open.length > 0 === there) return open;
    if (tries === 150) throw new Error(`${kind} is ${there ? 'not there' : 'still there'}: ${JSON.stringify(all)}`);
    await sleep(200);
  }
}

const check = (...more: string[]) => place.run(['check', '--targets', 'targets.yaml', '--key', key.robot, ...more]);

test('the gate lets the filter through when somebody else has approved model and configuration, and it answers', async () => {
  const model = await place.result([
    ...['record', 'model', 'model', '--name', 'filter', '--version', '1', '--key', key.eve],
    ...['--training-data', `spam-assassin=SHA-256 ${splits().training.digest}`, '--reason', 'Trained on the public corpus.'],
  ]);
  const config = await place.result([
    ...['record', 'config', 'live/prompt.txt', 'live/guardrails.yaml', '--name', 'filter', '--version', '1', '--key', key.bob],
    ...['--reason', 'The first threshold and prompt.'],
  ]);
  const early = await gate('touch ran');
  assert.is(early.code, 4, early.stdout);
  assert.match(early.stdout, 'governance/not-approved');
  assert.not(existsSync(place.path('ran')), 'the command was run');
  for (const { leaf } of [model, config])
    await place.result(['approve', leaf, '--reason', 'I have looked at it.', '--key', key.carol, '--yes']);
  const passed = await gate(DEPLOY);
  assert.is(passed.code, 0, passed.stdout + passed.stderr);
  const url = readFileSync(place.path('filter.url'), 'utf8');
  const answer = await fetch(url, {
    method: 'POST',
    body: JSON.stringify({ input: 'Lose weight now! Click here for $$$ free money' }),
  });
  assert.is(((await answer.json()) as { prediction: string }).prediction, 'spam');
  const permit = JSON.parse(passed.stdout).permit as string;
  const verified = await place.run(['verify', permit, '--policy', 'data/witness-policy.txt', '--json']);
  assert.equal([verified.code, JSON.parse(verified.stdout).verified], [0, true], verified.stdout);
});

test('what runs is what was logged', async () => {
  place.write(
    'targets.yaml',
    'environment: prod\nservices:\n  - { service: filter, model: model, config: [live/prompt.txt, live/guardrails.yaml], pid_file: filter.pid }\n',
  );
  const { code, stdout, stderr } = await check();
  assert.is(code, 0, stdout + stderr);
  assert.match(
    stdout,
    /✓ deploy\/prod\/filter is what entry \d+ put into service[\s\S]*deploy\/prod\/filter: recorded as entry \d+/,
  );
});

test('a silent change of the system prompt is named with its lines in one run, and the monitor alarms until it is undone', async () => {
  writeFileSync(place.path('live/prompt.txt'), PROMPT.replace('Never delete', 'Delete'));
  const { code, stdout } = await check();
  assert.is(code, 1);
  assert.match(stdout, 'prompt.txt is not as in the configuration filter version 1');
  assert.match(stdout, '      - Never delete a mail.\n      + Delete a mail.\n');
  const [alarm] = await alarms('mismatch', true);
  assert.match(alarm.message, 'what runs as deploy/prod/filter is not what was logged');
  writeFileSync(place.path('live/prompt.txt'), PROMPT);
  assert.is((await check()).code, 0);
  await alarms('mismatch', false);
});

test('a changed weight file likewise', async () => {
  appendFileSync(place.path('model/weights.json'), ' ');
  const { code, stdout } = await check();
  assert.is(code, 1);
  assert.match(stdout, /the model is not filter version 1 \(entry \d+\): weights\.json has changed/);
  await alarms('mismatch', true);
  writeFileSync(place.path('model/weights.json'), weights);
  assert.is((await check()).code, 0);
  await alarms('mismatch', false);
});

test('a deployment around the gate likewise', async () => {
  place.write('other/weights.json', train(splits().skewed));
  const child = spawn(
    process.execPath,
    [
      '--conditions=@treering/source',
      '--import',
      'tsx',
      FILTER,
      place.path('other/weights.json'),
      place.path('live/guardrails.yaml'),
      place.path('other'),
    ],
    { stdio: 'ignore', cwd: fileURLToPath(new URL('../..', import.meta.url)) },
  );
  try {
    for (let tries = 0; !existsSync(place.path('other.pid')); tries++) {
      assert.ok(tries < 600, 'the other filter does not start');
      await sleep(100);
    }
    place.write(
      'targets.yaml',
      `environment: prod
services:
  - { service: filter, model: model, config: [live/prompt.txt, live/guardrails.yaml], pid_file: filter.pid }
  - { service: shadow, model: other, config: [live/prompt.txt, live/guardrails.yaml], pid_file: other.pid }
`,
    );
    const { code, stdout } = await check();
    assert.is(code, 1);
    assert.match(stdout, /✗ deploy\/prod\/shadow is not what was logged/);
    assert.match(stdout, 'it runs, and no deployment in the log is in service: it was started without one');
    const [alarm] = await alarms('mismatch', true);
    assert.match(alarm.about, /^deploy\/prod\/shadow on \S+$/);
  } finally {
    child.kill('SIGKILL');
  }
});

test('what was stopped behind the back of the log is found as well', async () => {
  stopService();
  const { code, stdout } = await check('--no-record');
  assert.is(code, 1);
  assert.match(stdout, /puts filter in prod into service, but it does not run/);
});

test('the gate is killed at any moment, and the log still tells what became of it', async () => {
  for (const moment of [300, 1_500, 3_000]) {
    const child = spawn(
      process.execPath,
      [
        COMMAND,
        'gate',
        '--env',
        'prod',
        '--service',
        `killed-${moment}`,
        ...PARTS,
        '--reason',
        'It will be killed.',
        '--key',
        key.robot,
        '--run',
        'acme run 2',
        '--',
        'sh',
        '-c',
        'sleep 1',
      ],
      { cwd: place.folder, env: place.env, stdio: 'ignore' },
    );
    await sleep(moment);
    child.kill('SIGKILL');
    const again = await place.run([
      ...[
        'gate',
        '--env',
        'prod',
        '--service',
        `killed-${moment}`,
        ...PARTS,
        '--reason',
        'It was killed before.',
        '--key',
        key.robot,
      ],
      ...['--run', 'acme run 2', '--json', '--', 'true'],
    ]);
    assert.is(again.code, 0, again.stdout + again.stderr);
  }
  assert.is((await place.run(['audit'])).code, 0);
});

test.run();
