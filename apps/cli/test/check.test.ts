import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { appendFileSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { deskWithLog } from './fixture.js';
import { enrol, recordModel, sizeOf } from './people.js';

// What runs is compared with what was logged: both ways, file by file, and it is said what differs.

const desk = await deskWithLog();
const children: ChildProcess[] = [];
test.after(async () => {
  for (const child of children) child.kill('SIGKILL');
  await desk.served.close();
});

desk.write(
  'policy.yaml',
  `rules:
  - { name: administrators, who: { roles: [administrator] }, may: ['*'], on: ['**'] }
  - { name: engineers, who: { roles: [engineer] }, may: [model, config, deployment, verification], on: ['**'] }
`,
);
await desk.result(['policy', 'set', 'policy.yaml', '--reason', 'The rules of this test are in force.']);
const eve = await enrol(desk, 'eve', 'engineer');
const PROMPT = 'You are careful.\nYou never give advice on medicines.\n';
desk.write('srv/prompt.txt', PROMPT);
desk.write('srv/limits.yaml', 'parameters: { temperature: 0.2 }\n');
const config = await desk.result([
  ...['record', 'config', 'srv/prompt.txt', 'srv/limits.yaml', '--name', 'triage', '--version', '1'],
  ...['--reason', 'The first configuration.', '--key', eve],
]);
const model = await recordModel(desk, 'triage', '1', eve);

/** Starts something that keeps a file open. */
function serveFile(path: string): number {
  const child = spawn('tail', ['-f', path], { stdio: 'ignore' });
  children.push(child);
  desk.write('triage.pid', `${child.pid}\n`);
  return child.pid as number;
}

desk.write(
  'targets.yaml',
  `environment: prod
services:
  - service: triage
    model: triage
    config: [srv/prompt.txt, srv/limits.yaml]
    pid_file: triage.pid
watch: [triage]
`,
);
const check = (...more: string[]) => desk.call(['check', '--targets', 'targets.yaml', '--key', eve, '--json', ...more]);
/** The result of a pass, and what was recorded last. */
async function looked(...more: string[]) {
  const outcome = await check(...more);
  const { services, match } = outcome.json();
  assert.is(outcome.code, match ? 0 : 1, outcome.stderr);
  return services as {
    service: string;
    verdict: string;
    entry?: number;
    differences: { kind: string; text: string; lines?: string[] }[];
    unseen: string[];
  }[];
}
const deploy = (phase: string, change = '') => {
  desk.write(
    'deployment.yaml',
    `subject: deploy/prod/triage\nreason: The service goes live.\nphase: ${phase}\nenvironment: prod\nservice: triage\nmodel: "${model.leaf}"\nconfig: "${config.leaf}"\napprovals: []\n${change}`,
  );
  return desk.result(['record', 'deployment', '--file', 'deployment.yaml', '--key', eve]);
};

test('what was started without a deployment is found, recorded and named', async () => {
  serveFile(desk.path('triage/weights'));
  const [found] = await looked();
  assert.is(found.verdict, 'mismatch');
  assert.equal(
    found.differences.map(({ kind }) => kind),
    ['not-logged'],
  );
  assert.match(found.differences[0].text, 'it runs, and no deployment in the log is in service');
  const { record } = await desk.result(['show', String(found.entry)]);
  assert.equal(
    [record.type, record.verdict, record.about, record.deployment],
    ['verification', 'mismatch', 'state', undefined],
  );
});

test('what is announced and lies there already is on its way', async () => {
  await deploy('intent');
  const size = sizeOf(desk);
  const [found] = await looked();
  assert.equal([found.verdict, sizeOf(desk)], ['in-progress', size]);
});

test('what runs as it was logged matches, and it is said what nobody looked at', async () => {
  const { leaf } = await deploy('active');
  const [found] = await looked();
  assert.equal([found.verdict, found.differences, found.unseen], ['match', [], ['the image']]);
  const { record } = await desk.result(['show', String(found.entry)]);
  assert.is(Buffer.from(record.deployment.$bytes, 'base64url').toString('hex'), leaf);
  assert.match(record.reason, 'What runs as triage is what was logged. Nobody looked at the image.');
});

test('a silent change of the system prompt is named with its file and its lines', async () => {
  desk.write('srv/prompt.txt', PROMPT.replace('never', 'always'));
  const text = await desk.call(['check', '--targets', 'targets.yaml', '--key', eve]);
  assert.is(text.code, 1);
  assert.match(text.stdout, '✗ deploy/prod/triage is not what was logged');
  assert.match(text.stdout, /deploy\/prod\/triage: recorded as entry \d+\n/);
  assert.match(text.stdout, /prompt\.txt is not as in the configuration triage version 1 \(entry \d+\): 1 line less, 1 more/);
  assert.match(text.stdout, '      - You never give advice on medicines.\n      + You always give advice on medicines.\n');
  const [found] = await looked('--no-record');
  assert.is(found.entry, undefined);
  const nobody = { env: { TREERING_DATA: desk.path('nowhere') } };
  const stranger = await desk.call(['check', '--targets', 'targets.yaml', '--no-record'], nobody);
  assert.match(
    stranger.stdout,
    /prompt\.txt is not as in the configuration triage version 1 \(entry \d+\)\n/,
    'no key, no lines',
  );
  const { records } = await desk.result(['history', 'deploy/prod/triage', '--limit', '1']);
  assert.match(records[0].record.reason, 'prompt.txt is not as in');
  assert.not.match(records[0].record.reason, 'medicines', 'what is restricted stays in the attachment');
  desk.write('srv/prompt.txt', PROMPT);
  assert.is((await looked())[0].verdict, 'match');
});

test('a changed, an added and a missing file are named', async () => {
  desk.write('triage/extra.bin', 'more');
  desk.write('triage/weights', 'others');
  const [found] = await looked('--no-record');
  assert.equal(found.differences[0].lines, ['+ extra.bin', '~ weights']);
  assert.match(
    found.differences[0].text,
    /the model is not triage version 1 \(entry \d+\): extra.bin was added, weights has changed/,
  );
  rmSync(desk.path('triage/extra.bin'));
  desk.write('triage/weights', 'weights of 1');
  rmSync(desk.path('srv/limits.yaml'));
  const [missing] = await looked('--no-record');
  assert.match(missing.differences.map(({ text }) => text).join(), 'its configuration is not there');
  desk.write('srv/limits.yaml', 'parameters: { temperature: 0.2 }\n');
});

test('a change that leaves size and times as they were is found by a full pass', async () => {
  await looked('--no-record');
  const stamp = new Date(1_700_000_000_000);
  utimesSync(desk.path('triage/weights'), stamp, stamp);
  await looked('--no-record');
  writeFileSync(desk.path('triage/weights'), 'weights of 9');
  utimesSync(desk.path('triage/weights'), stamp, stamp);
  // The change time tells even then; who can set that back, or write the notes, is found by reading everything.
  assert.is((await looked('--no-record'))[0].verdict, 'mismatch');
  assert.is((await looked('--no-record', '--full-every', '1s'))[0].verdict, 'mismatch');
  desk.write('triage/weights', 'weights of 1');
});

test('a process that has loaded what lies on disk no more is found', async () => {
  serveFile(desk.path('triage/weights'));
  desk.write('triage/weights.new', 'weights of 1');
  renameSync(desk.path('triage/weights.new'), desk.path('triage/weights'));
  const [same] = await looked('--no-record');
  assert.equal([same.verdict, same.differences], ['match', []], 'another file with the same content');
  serveFile(desk.path('triage/weights'));
  const other = desk.path('triage/weights.other');
  writeFileSync(other, 'weights of 0');
  const pid = serveFile(other);
  await wait(200);
  rmSync(other);
  const [found] = await looked('--no-record');
  assert.match(
    found.differences.map(({ text }) => text).join(),
    `process ${pid} has loaded ${other}, and another file lies there now`,
  );
});

test('a process beside the targets that has watched files open is found', async () => {
  const other = spawn('tail', ['-f', desk.path('triage/weights')], { stdio: 'ignore' });
  children.push(other);
  serveFile(desk.path('triage/weights'));
  await wait(200);
  const found = (await looked('--no-record')).find(({ service }) => service === 'unlogged');
  assert.match(found?.differences.map(({ text }) => text).join() ?? '', `process ${other.pid} (tail) has`);
  for (const child of children) child.kill('SIGKILL');
  await wait(200);
});

test('what is logged and does not run, or of which nobody says where it runs, is found', async () => {
  const [stopped] = await looked('--no-record');
  assert.match(stopped.differences[0].text, /entry \d+ puts triage in prod into service, but it does not run/);
  desk.write(
    'elsewhere.yaml',
    'environment: prod\nwhole_environment: true\nservices:\n  - { service: other, model: triage, config: [srv/prompt.txt] }\n',
  );
  const outcome = await desk.call(['check', '--targets', 'elsewhere.yaml', '--no-record', '--json', '--key', eve]);
  const [other, triage] = outcome.json().services;
  assert.equal([other.service, other.differences[0].kind], ['other', 'not-logged']);
  assert.match(triage.differences[0].text, 'nothing here says where it runs');
});

test('an image is compared, and an end is an end', async () => {
  desk.write(
    'targets.yaml',
    'environment: prod\nservices:\n  - service: triage\n    model: triage\n    config: [srv/prompt.txt, srv/limits.yaml]\n    image_command: [cat, image.txt]\n',
  );
  const image = 'ab'.repeat(32);
  const path = desk.write('image.txt', `registry.test/triage@sha256:${image}\n`);
  desk.write(
    'targets.yaml',
    `environment: prod\nservices:\n  - service: triage\n    model: triage\n    config: [srv/prompt.txt, srv/limits.yaml]\n    image_command: [cat, ${path}]\n`,
  );
  assert.match((await looked('--no-record'))[0].differences[0].text, 'an image runs, and entry');
  await deploy('active', `image: "${image}"\n`);
  assert.is((await looked('--no-record'))[0].verdict, 'match');
  desk.write('image.txt', `sha256:${'cd'.repeat(32)}\n`);
  assert.match((await looked('--no-record'))[0].differences[0].text, 'another image runs');
  desk.write('image.txt', 'triage:latest\n');
  assert.match(
    (await looked('--no-record'))[0].differences[0].text,
    /the digest of the image cannot be read: .*a tag may move/,
  );
  desk.write('image.txt', `sha256:${image}\n`);
  await deploy('ended', `image: "${image}"\n`);
  assert.is((await looked('--no-record'))[0].differences[0].kind, 'not-logged');
  rmSync(desk.path('triage'), { recursive: true });
  assert.is((await looked('--no-record'))[0].verdict, 'nothing');
});

test('what cannot be read is told, recorded, and keeps nobody else from being looked at', async () => {
  const LIMITS = 'parameters: { temperature: 0.2 }\n';
  desk.write('triage/weights', 'weights of 1');
  desk.write(
    'two.yaml',
    `environment: prod
services:
  - { service: triage, model: triage, config: [srv/prompt.txt, srv/limits.yaml] }
  - { service: second, model: triage, config: [srv/prompt.txt, srv/limits.yaml] }
`,
  );
  await deploy('active');
  const both = async (): Promise<{ verdict: string; differences: { kind: string; text: string }[]; entry?: number }[]> => {
    const outcome = await desk.call(['check', '--targets', 'two.yaml', '--key', eve, '--json']);
    assert.is(outcome.code, 1, outcome.stderr);
    return outcome.json().services;
  };
  const spoiled: [string, () => void, () => void, RegExp][] = [
    [
      'a link',
      () => symlinkSync('/etc/passwd', desk.path('triage/link')),
      () => rmSync(desk.path('triage/link')),
      /the model cannot be read: .*link/,
    ],
    [
      'no YAML',
      () => desk.write('srv/limits.yaml', 'password: [secret-text'),
      () => desk.write('srv/limits.yaml', LIMITS),
      /the configuration cannot be read/,
    ],
    [
      'no safetensors',
      () => desk.write('triage/a.safetensors', 'x'),
      () => rmSync(desk.path('triage/a.safetensors')),
      /the model cannot be read: .*safetensors/,
    ],
    [
      'a pipe',
      () => {
        rmSync(desk.path('srv/limits.yaml'));
        execFileSync('mkfifo', [desk.path('srv/limits.yaml')]);
      },
      () => {
        rmSync(desk.path('srv/limits.yaml'));
        desk.write('srv/limits.yaml', LIMITS);
      },
      /no regular file/,
    ],
  ];
  for (const [name, spoil, mend, message] of spoiled) {
    spoil();
    const [first, second] = await both();
    mend();
    assert.equal([first.verdict, second.differences.length > 0], ['mismatch', true], name);
    assert.match(first.differences.map(({ text }) => text).join(), message, name);
    assert.not.match(JSON.stringify(first), 'secret-text', name);
  }
  const { records } = await desk.result(['history', 'deploy/prod/triage', '--limit', '1']);
  assert.is(records[0].record.verdict, 'mismatch');
});

test('a deployment that was rejected, or waits too long, is not on its way', async () => {
  const where =
    'environment: test\nservices:\n  - { service: late, model: triage, config: [srv/prompt.txt, srv/limits.yaml] }\n';
  desk.write('late.yaml', where);
  const carol = await enrol(desk, 'carol', 'engineer');
  desk.write(
    'intent.yaml',
    `subject: deploy/test/late\nreason: The service goes live.\nphase: intent\nenvironment: test\nservice: late\nmodel: "${model.leaf}"\nconfig: "${config.leaf}"\napprovals: []\n`,
  );
  const { leaf } = await desk.result(['record', 'deployment', '--file', 'intent.yaml', '--key', eve]);
  const verdict = async () =>
    (await desk.call(['check', '--targets', 'late.yaml', '--no-record', '--json', '--key', eve])).json().services[0].verdict;
  assert.is(await verdict(), 'in-progress');
  desk.write(
    'policy.yaml',
    `rules:
  - { name: administrators, who: { roles: [administrator] }, may: ['*'], on: ['**'] }
  - { name: engineers, who: { roles: [engineer] }, may: [model, config, deployment, verification, approval], on: ['**'] }
approvals: [{ on: deploy/test/*, need: 1, roles: [engineer], not_author: true }]
`,
  );
  await desk.result(['policy', 'set', 'policy.yaml', '--reason', 'Tests are approved as well.']);
  assert.is(await verdict(), 'mismatch', 'nobody has approved it');
  const decide = (...more: string[]) =>
    desk.result(['approve', leaf, '--role', 'engineer', '--reason', 'I looked at it.', '--key', carol, '--yes', ...more]);
  await decide();
  assert.is(await verdict(), 'in-progress');
  await decide('--reject');
  assert.is(await verdict(), 'mismatch');
});

test('an image that nobody looks at ends no alarm, and a cron job does not fill the log', async () => {
  await deploy('active', `image: "${'ab'.repeat(32)}"\n`);
  desk.write(
    'plain.yaml',
    'environment: prod\nservices:\n  - { service: triage, model: triage, config: [srv/prompt.txt, srv/limits.yaml] }\n',
  );
  const once = async () => (await desk.call(['check', '--targets', 'plain.yaml', '--key', eve, '--json'])).json().services[0];
  const first = await once();
  assert.is(first.verdict, 'inconclusive');
  assert.is((await desk.result(['show', String(first.entry)])).record.verdict, 'inconclusive');
  const size = sizeOf(desk);
  assert.is((await once()).entry, undefined);
  assert.is(sizeOf(desk), size);
  await deploy('ended', `image: "${'ab'.repeat(32)}"\n`);
  assert.is((await once()).verdict, 'mismatch');
  rmSync(desk.path('triage'), { recursive: true });
  const over = await once();
  assert.is(over.verdict, 'nothing');
  const { record } = await desk.result(['show', String(over.entry)]);
  assert.equal([record.verdict, record.deployment], ['match', undefined], 'what should not run does not');
  assert.is((await once()).entry, undefined);
});

test('a file of targets that cannot be meant is refused with the right spelling', async () => {
  const table: [string, RegExp][] = [
    ['environment: prod\nservices:\n  - { service: a, modell: b, config: [c] }\n', /services.0.model|did you mean "model"/],
    ['environment: prod\nservices: []\n', /services/],
    [
      'environment: prod\nservices:\n  - { service: a, model: b, config: [c], pids: 1 }\n',
      /no "pids" in services.0; did you mean "pid"/,
    ],
    ['{', /cannot be read/],
  ];
  for (const [content, message] of table) {
    desk.write('bad.yaml', content);
    const outcome = await desk.call(['check', '--targets', 'bad.yaml', '--json']);
    assert.equal([outcome.code, outcome.json().error.code], [2, 'cli/usage']);
    assert.match(outcome.json().error.message, message);
  }
  assert.match((await desk.call(['check', '--env', 'prod'])).stderr, '--targets <file>, or --env');
});

test('again and again, and what has not changed is recorded once', async () => {
  desk.write('triage/weights', 'weights of 1');
  await deploy('active');
  appendFileSync(desk.path('targets.yaml'), '');
  const size = sizeOf(desk);
  const running = desk.call(['check', '--targets', 'targets.yaml', '--key', eve, '--every', '1s']);
  await wait(4_500);
  process.emit('SIGTERM');
  const outcome = await running;
  assert.is(outcome.code, 0, outcome.stderr);
  assert.ok(outcome.stdout.split('is not what was logged').length > 2, outcome.stdout);
  assert.is(sizeOf(desk), size + 1);
});

test.run();
