import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { main } from '@treering/cli';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parse } from 'yaml';
import { IdentityProvider, listen } from '../../apps/log/test/identity-provider.js';
import { type Action, expressionsOf, type Job, type Ran, runAction, runJob } from './action-runner.js';
import { COMMAND, type Outcome, oneLine, type RunningLog, Workplace } from './command.js';

/*
 * The GitHub action and the GitLab template: what their files say is linted, and their steps are run with a shell, as the runners
 * do, against a log with witnesses. Tokens are asked for where GitHub's runner says, and are signed by an issuer of the policy.
 */

const FOLDER = fileURLToPath(new URL('../../apps/action', import.meta.url));
const ACTION = parse(readFileSync(join(FOLDER, 'action.yml'), 'utf8')) as Action;
const { '.treering-gate': JOB, ...others } = parse(readFileSync(join(FOLDER, 'gitlab.yml'), 'utf8')) as Record<string, Job>;

const place = new Workplace();
const issuer = await IdentityProvider.start();
let minted = 0;
/** Audiences that were asked for. */
const asked: string[] = [];
const endpoint = await listen((request, response) => void answerToken(request, response));
const BEARER = 'runtime-secret-of-this-job';
let log: RunningLog | undefined;
/** The environment of a runner: nothing of the place where the log was begun. */
let env: Record<string, string> = {};

test.after(async () => {
  endpoint.close();
  issuer.close();
  await log?.stop();
});

/** Runs the command within this process: what is not the runner's need not be a process each. */
async function here(args: readonly string[]): Promise<Outcome> {
  const out = { stdout: '', stderr: '' };
  const into = (name: keyof typeof out) => ({
    write(text: string): void {
      out[name] += text;
    },
  });
  const around = { stdout: into('stdout'), stderr: into('stderr'), env: place.env, cwd: place.folder };
  const code = await main(args, around);
  return { code, ...out };
}

/** As `here`, with --json and success expected. */
async function result(args: readonly string[]): Promise<Record<string, string>> {
  const { code, stdout, stderr } = await here([...args, '--json']);
  if (code !== 0) throw new Error(`treering ${args.join(' ')} ended with ${code}: ${stdout}${stderr}`);
  return oneLine(stdout) as Record<string, string>;
}

/** As GitHub does: a token for whoever has the job's secret, for the audience that is asked for. */
async function answerToken(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '', 'http://runner');
  const audience = url.searchParams.get('audience');
  if (
    request.headers.authorization !== `bearer ${BEARER}` ||
    url.searchParams.get('api-version') !== '2.0' ||
    audience === null
  ) {
    response.writeHead(401).end('{}');
    return;
  }
  asked.push(audience);
  const value = await token({ aud: audience, repository: 'acme/models', ref: 'refs/heads/main' });
  response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify({ count: value.length, value }));
}

function token(claims: Record<string, unknown>): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const times = { iat: now, nbf: now - 5, exp: now + 300, jti: `token-${++minted}` };
  return issuer.sign({ iss: issuer.issuer, sub: 'repo:acme/models:ref:refs/heads/main', ...times, ...claims }, 'rsa');
}

const policy = (): string => `rules:
  - { name: administrators, who: { roles: [administrator] }, may: ['*'], on: ['**'] }
  - { name: engineers, who: { roles: [engineer] }, may: [model, config], on: ['model/*', 'config/*'] }
  - { name: approvers, who: { roles: [approver] }, may: [approval], on: ['model/*', 'config/*'] }
  - { name: pipelines, who: { roles: [pipeline] }, may: [deployment, verification], on: ['deploy/**'] }
  - { name: registrars, who: { roles: [registrar] }, may: [identity], on: [identity/*] }
approvals:
  - { on: model/*, need: 1, roles: [approver], not_author: true }
oidc:
  - { name: github, prefix: gh, issuer: '${issuer.issuer}', audience: log.example.org, binding: audience, kind: workload, valid_for: 600,
      grants: [{ claims: { repository: acme/models, ref: refs/heads/main }, roles: [pipeline] }] }
  - { name: gitlab, prefix: gl, issuer: '${issuer.issuer}', audience: gitlab.log.example.org, binding: possession, kind: workload,
      valid_for: 600, grants: [{ claims: { project_path: acme/models, ref_protected: 'true' }, roles: [pipeline] }] }
`;

test.before(async () => {
  await result(['keygen', 'registrar', '--role', 'registrar', '--kind', 'workload']);
  log = await place.up([], { TREERING_REGISTRAR_KEY: place.path('registrar.key') }, 'json', true);
  place.write('policy.yaml', policy());
  await result(['policy', 'set', 'policy.yaml', '--reason', 'Nothing goes live without somebody else.']);
  for (const [id, role] of Object.entries({ eve: 'engineer', carol: 'approver', robot: 'pipeline', registrar: 'registrar' })) {
    if (id !== 'registrar') await result(['keygen', id, '--role', role]);
    await result(['record', 'identity', '--file', `${id}.identity.yaml`]);
  }
  for (const name of ['approved', 'not approved']) {
    place.write(`project/models/${name}/weights.json`, `{"weights":"${name}"}`);
    const args = ['--name', name.replace(' ', '-'), '--version', '1', '--reason', 'Trained on the corpus.', '--key', 'eve.key'];
    const { leaf } = await result(['record', 'model', `project/models/${name}`, ...args]);
    const approval = ['approve', leaf, '--reason', 'I have looked at it.', '--key', 'carol.key', '--yes'];
    if (name === 'approved') await result(approval);
  }
  place.write('project/live/prompt.txt', 'Mails that ask for passwords are spam.\n');
  place.write('project/live/the guard.yaml', 'guardrails: []\n');
  const files = ['project/live/prompt.txt', 'project/live/the guard.yaml'];
  const config = ['--name', 'filter', '--version', '1', '--reason', 'The first prompt.', '--key', 'eve.key'];
  await result(['record', 'config', ...files, ...config, '--system-prompt', files[0]]);
  place.write('bin/treering', `#!/bin/sh\nexec "${process.execPath}" "${COMMAND}" "$@"\n`);
  chmodSync(place.path('bin/treering'), 0o755);
  const { TREERING_DATA, TREERING_LISTEN, TREERING_STATE, ...own } = place.env;
  env = {
    ...Object.fromEntries(Object.entries(own).filter(([name]) => !/^(CI|GITHUB_|GITLAB_|ACTIONS_|RUNNER_)/.test(name))),
    PATH: `${place.path('bin')}:${process.env.PATH}`,
    TREERING_STATE: place.path('runner-state'),
  };
});

/** Inputs that are let through, but for the name of the service. */
const inputs = (service: string, change: Readonly<Record<string, string>> = {}): Record<string, string> => ({
  environment: 'prod',
  service,
  model: 'models/approved',
  config: 'live/prompt.txt\nlive/the guard.yaml\n',
  'system-prompt': 'live/prompt.txt',
  reason: 'The filter goes live.',
  command: `test -s "$TREERING_PERMIT"\necho ran > ran-${service}`,
  'log-url': log?.ready.url ?? '',
  'log-key': log?.ready.vkey ?? '',
  'trust-policy': place.path('data/witness-policy.txt'),
  ...change,
});
const workflow = { GITHUB_REPOSITORY: 'acme/models', GITHUB_RUN_ID: '4711', GITHUB_JOB: 'deploy' };
const cwd = place.path('project');
const ran = (service: string): boolean => existsSync(join(cwd, `ran-${service}`));
const withKey = (): Record<string, string> => ({ TREERING_KEY: place.path('robot.key') });
const withToken = (): Record<string, string> => ({
  ACTIONS_ID_TOKEN_REQUEST_URL: `${endpoint.url}/token?api-version=2.0`,
  ACTIONS_ID_TOKEN_REQUEST_TOKEN: BEARER,
});
const act = (given: Record<string, string>, more: Record<string, string>, began?: (pid: number) => void): Promise<Ran> =>
  runAction(FOLDER, given, { cwd, env: { ...env, ...workflow, ...more }, ...(began === undefined ? {} : { began }) });
/** The same inputs as variables of a job. */
const variables = (given: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(given).map(([name, value]) => [`GATE_${name.replace(/-/g, '_').toUpperCase()}`, value]));
const pipeline = { CI_PROJECT_PATH: 'acme/models', CI_PIPELINE_ID: '1212', CI_JOB_NAME: 'deploy' };
const job = (given: Record<string, string>, more: Record<string, string>): Promise<Ran> =>
  runJob(JOB, { GATE_SCRIPTS: FOLDER, ...variables(given), ...pipeline, ...more }, { cwd, env });

/** Every file below a folder. */
const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

/** Fails unless it went as it should, the permit is valid, and the outputs name what the log holds. */
async function wentLive(service: string, outcome: Ran, outputs: Readonly<Record<string, string>>): Promise<string> {
  assert.is(outcome.code, 0, outcome.stdout + outcome.stderr);
  assert.ok(ran(service), 'the command was not run');
  const { permit, intent, active, state } = outputs;
  const verified = await here(['verify', permit, '--policy', 'data/witness-policy.txt', '--json']);
  assert.equal([verified.code, JSON.parse(verified.stdout).verified], [0, true], verified.stdout);
  for (const digest of [intent, active, state]) assert.match(digest, /^[0-9a-f]{64}$/);
  const { stdout } = await here(['history', `deploy/prod/${service}`, '--json']);
  assert.ok(stdout.includes(intent) && stdout.includes(active), stdout);
  return stdout;
}

/** Fails unless it ended with this code, and neither ran the command nor left anything behind. */
function wasRefused(service: string, code: number, message: string | RegExp, outcome: Ran): void {
  assert.is(outcome.code, code, outcome.stdout + outcome.stderr);
  assert.match(outcome.stderr, message);
  assert.not(ran(service), 'the command was run');
  assert.equal(Object.values(outcome.outputs).filter(Boolean), []);
  assert.equal(filesBelow(outcome.temporary), []);
}

test('the action: every input is described, declared and used, and none is written into a script', () => {
  assert.is(ACTION.runs.using, 'composite');
  const { steps } = ACTION.runs;
  assert.ok(steps.length > 0);
  const used = new Set<string>();
  for (const { run, shell, env: own = {} } of steps) {
    assert.is(shell, 'bash');
    assert.type(run, 'string');
    assert.match(run as string, /^set -euo pipefail\n/);
    assert.not.match(run as string, '${{');
    for (const expression of Object.values(own).flatMap(expressionsOf)) used.add(expression);
  }
  const declared = Object.keys(ACTION.inputs).map((name) => `inputs.${name}`);
  assert.equal([...used].sort(), ['github.action_path', ...declared].sort());
  for (const [name, input] of Object.entries(ACTION.inputs)) {
    assert.ok(input.description.length > 5, name);
    assert.is(input.required === true, input.default === undefined, `${name} is required, or has a default`);
  }
  const ids = steps.map(({ id }) => id);
  for (const [name, { description, value }] of Object.entries(ACTION.outputs)) {
    assert.ok(description.length > 5, name);
    const [, step, output] = /^\$\{\{ steps\.(\w+)\.outputs\.(\w+) \}\}$/.exec(value) ?? [];
    assert.ok(ids.includes(step), `${name} is of the step ${step}`);
    assert.is(output, name);
  }
});

test('the template: the same variables as the action has, and each is used by the script', () => {
  assert.equal(Object.keys(others), []);
  const named = Object.keys(variables(ACTION.inputs as unknown as Record<string, string>));
  assert.equal(Object.keys(JOB.variables).sort(), [...named, 'GATE_SCRIPTS'].sort());
  const script = readFileSync(join(FOLDER, 'gate.sh'), 'utf8');
  for (const name of named) {
    const required = /for name in ([A-Z ]+); do/.exec(script)?.[1].split(' ') ?? [];
    assert.match(script, new RegExp(`\\$\\{?${name}\\b`), name);
    const input = ACTION.inputs[name.slice('GATE_'.length).toLowerCase().replace(/_/g, '-')];
    assert.is(required.includes(name.slice('GATE_'.length)), input.required === true, name);
  }
  assert.equal(JOB.id_tokens, { TREERING_ID_TOKEN: { aud: '$GATE_AUDIENCE' } });
});

const missing = spawnSync('shellcheck', ['--version'], { stdio: 'ignore' }).error !== undefined;
if (missing) {
  if (process.env.CI) throw new Error('shellcheck is not installed; a CI run needs it');
  console.log('shellcheck is not installed: the scripts of the action are not linted');
}
(missing ? test.skip : test)(
  'the scripts, those of the steps and of the job too, have nothing that shellcheck objects to',
  () => {
    const steps = ACTION.runs.steps.map(({ run }) => run ?? '');
    const texts = [readFileSync(join(FOLDER, 'gate.sh'), 'utf8'), ...steps, JOB.script.join('\n')];
    const lint = (input: string) =>
      spawnSync('shellcheck', ['--shell=bash', '--enable=quote-safe-variables,avoid-nullary-conditions,deprecate-which', '-'], {
        input,
        encoding: 'utf8',
      });
    for (const text of texts) assert.equal([lint(text).status, lint(text).stdout], [0, '']);
    assert.is(lint('rm -rf $1\n').status, 1, 'the linter finds what is wrong');
  },
);

test('with a key: the command is run behind the gate, and the outputs name what the log holds', async () => {
  const outcome = await act(inputs('keyed', { replicas: '3', ticket: 'CHG-1' }), withKey());
  const history = await wentLive('keyed', outcome, outcome.outputs);
  assert.match(history, 'acme/models run 4711 job deploy');
  assert.ok(outcome.outputs.permit.startsWith(outcome.temporary));
  assert.equal(filesBelow(outcome.temporary), [outcome.outputs.permit]);
});

test('what nobody has approved is refused with the code of the gate, and the command is not run', async () => {
  const outcome = await act(inputs('unapproved', { model: 'models/not approved' }), withKey());
  wasRefused('unapproved', 4, /approv/, outcome);
});

const EVIL = '"; touch pwned; $(touch pwned) `touch pwned` \'; touch pwned\n--break-glass\n::set-output name=x::y $HOME * \\';

test('nothing in an input is run: all of it arrives as it was written', async () => {
  // Prints what it is called with instead of doing anything, one JSON text per call.
  place.write('bin/told', `#!/usr/bin/env node\nconsole.error(JSON.stringify(process.argv.slice(2)));\nprocess.exit(4);\n`);
  chmodSync(place.path('bin/told'), 0o755);
  const names = Object.keys(ACTION.inputs).filter((name) => !['config', 'break-glass', 'treering'].includes(name));
  const evil = Object.fromEntries(names.map((name) => [name, `${EVIL}${name}`]));
  const given = {
    ...evil,
    config: `$(touch pwned)\n\n"; touch pwned; '*`,
    'break-glass': 'true',
    treering: 'told $(touch pwned);touch * `',
  };
  const outcome = await act(given, withKey());
  assert.is(outcome.code, 4);
  const [called] = outcome.stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as string[]);
  assert.equal(
    called.filter((arg) => !arg.startsWith('--out=')),
    [
      ...['$(touch', 'pwned);touch', '*', '`', 'gate'],
      ...['environment', 'service', 'model', 'reason'].map((name) => `--${name.replace('environment', 'env')}=${EVIL}${name}`),
      '--run=acme/models run 4711 job deploy',
      ...['--config=$(touch pwned)', `--config="; touch pwned; '*`],
      ...['system-prompt', 'image', 'replicas', 'ticket', 'wait-for-approval'].map((name) => `--${name}=${EVIL}${name}`),
      ...['--break-glass', '--json', '--', 'bash', '-eo', 'pipefail', '-c', `${EVIL}command`],
    ],
  );
  const login = await act({ ...given, treering: 'told' }, withToken());
  assert.is(login.code, 4);
  assert.match(login.stderr, JSON.stringify(`--provider=${EVIL}provider`));
  assert.equal(
    filesBelow(cwd).filter((path) => path.includes('pwned')),
    [],
  );
});

test('a reason with everything in it is logged as it was written', async () => {
  const reason = EVIL.replace(/\n/g, ' ');
  const outcome = await act(inputs('quoted', { reason }), withKey());
  assert.match(await wentLive('quoted', outcome, outcome.outputs), JSON.stringify(reason));
  assert.equal(
    filesBelow(cwd).filter((path) => path.includes('pwned')),
    [],
  );
});

test('a value that begins like an option is a value', async () => {
  const outcome = await act(inputs('dashes', { model: '--unwitnessed', config: '--dry-run' }), withKey());
  wasRefused('dashes', 2, '--unwitnessed', outcome);
});

test('what is empty or malformed is said, and nothing is run', async () => {
  for (const name of ['environment', 'service', 'model', 'config', 'reason', 'command']) {
    const outcome = await act({ ...inputs('empty'), [name]: ' \n' }, withKey());
    wasRefused('empty', 2, `GATE_${name.toUpperCase()} is empty`, outcome);
  }
  wasRefused('empty', 2, 'break-glass is true or false', await act(inputs('empty', { 'break-glass': 'yes' }), withKey()));
  wasRefused('empty', 2, 'there is no key', await act(inputs('empty'), { TREERING_KEY: '' }));
  const secret = readFileSync(place.path('robot.key'), 'utf8').trim();
  const pasted = await act(inputs('empty'), { TREERING_KEY: secret });
  wasRefused('empty', 2, 'TREERING_KEY holds a key', pasted);
  assert.not.match(pasted.stderr + pasted.stdout, secret);
  const { status, stderr } = spawnSync('bash', [join(FOLDER, 'gate.sh')], { cwd, env, encoding: 'utf8' });
  assert.equal([status, stderr], [2, 'treering gate: this is neither a workflow of GitHub nor a job of GitLab\n']);
});

test('a command that fails in its middle fails the step, and the log says that nothing went live', async () => {
  const outcome = await act(inputs('broken', { command: 'false | cat\ntouch ran-broken' }), withKey());
  assert.is(outcome.code, 1, outcome.stderr);
  assert.match(outcome.stderr, 'the command ended with code 1');
  assert.equal([ran('broken'), Object.values(outcome.outputs).filter(Boolean)], [false, []]);
  assert.match((await here(['history', 'deploy/prod/broken', '--json'])).stdout, '"ended"');
});

test('a workflow that is cancelled passes that on, and the log says what came of it', async () => {
  let step = 0;
  const running = act(
    inputs('cancelled', { command: 'touch began\nfor i in {1..600}; do sleep 0.1; done\ntouch ran-cancelled' }),
    withKey(),
    (pid) => {
      step = pid;
    },
  );
  for (let tries = 0; !existsSync(join(cwd, 'began')); tries++) {
    assert.ok(tries < 300, 'the command does not begin');
    await sleep(100);
  }
  process.kill(step, 'SIGINT');
  const outcome = await running;
  assert.is(outcome.code, 1, outcome.stderr);
  assert.match(outcome.stderr, 'the command was ended by SIGTERM');
  assert.match((await here(['history', 'deploy/prod/cancelled', '--json'])).stdout, '"ended"');
});

test('without a key: the token of the workflow gets one enrolled that is bound to it, and neither is left behind', async () => {
  const look =
    '! env | grep -q -e "^TREERING_KEY=" -e "^GATE_WORKLOAD_KEY=" -e PRIVATE\nls -A "$RUNNER_TEMP" > temporary\necho ran > ran-enrolled';
  const outcome = await act(
    inputs('enrolled', { provider: 'github', audience: 'log.example.org', command: look }),
    withToken(),
  );
  const history = await wentLive('enrolled', outcome, outcome.outputs);
  assert.match(history, /identity\/gh-[a-z2-7]{26}/);
  assert.match(asked.at(-1) ?? '', /^log\.example\.org\/[\w-]{43}$/);
  assert.equal(filesBelow(outcome.temporary), [outcome.outputs.permit]);
  assert.not.match(readFileSync(join(cwd, 'temporary'), 'utf8'), 'secrets');
  assert.not.match(outcome.stdout + outcome.stderr, /PRIVATE\+KEY|eyJ|runtime-secret/);
});

test('a token for another audience is not asked for, and without the secret of the job there is none', async () => {
  const before = asked.length;
  const other = await act(inputs('elsewhere', { provider: 'github', audience: 'registry.example.org' }), withToken());
  wasRefused('elsewhere', 2, 'and the workflow gives one for registry.example.org only', other);
  assert.is(asked.length, before);
  const wrong = await act(inputs('elsewhere', { provider: 'github' }), {
    ...withToken(),
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'guess',
  });
  wasRefused('elsewhere', wrong.code ?? -1, '401', wrong);
  assert.ok(wrong.code !== 0);
});

test('GitLab, with a key: the same', async () => {
  const outcome = await job(inputs('lab', { treering: `${process.execPath} ${COMMAND}` }), withKey());
  const {
    TREERING_GATE_PERMIT: permit,
    TREERING_GATE_INTENT: intent,
    TREERING_GATE_ACTIVE: active,
    TREERING_GATE_STATE: state,
  } = outcome.outputs;
  const history = await wentLive('lab', outcome, { permit, intent, active, state });
  assert.match(history, 'acme/models pipeline 1212 job deploy');
  assert.equal(
    JOB.artifacts.paths.map((path) => join(cwd, path)),
    [permit],
  );
});

test('GitLab: what nobody has approved is refused, and so is a job that does not say where the script is', async () => {
  wasRefused('labour', 4, /approv/, await job(inputs('labour', { model: 'models/not approved' }), withKey()));
  assert.not(existsSync(join(cwd, '.treering/deploy.permit')), 'the permit of an earlier job');
  wasRefused('labour', 2, 'set GATE_SCRIPTS', await job(inputs('labour'), { ...withKey(), GATE_SCRIPTS: '' }));
});

test('GitLab, without a key: the token of the job gets one enrolled, once', async () => {
  const claims = {
    aud: 'gitlab.log.example.org',
    sub: 'project_path:acme/models:ref_type:branch:ref:main',
    project_path: 'acme/models',
    ref_protected: 'true',
  };
  const TREERING_ID_TOKEN = await token(claims);
  const given = { provider: 'gitlab', audience: 'gitlab.log.example.org' };
  const outcome = await job(inputs('tokened', given), { TREERING_ID_TOKEN });
  const {
    TREERING_GATE_PERMIT: permit,
    TREERING_GATE_INTENT: intent,
    TREERING_GATE_ACTIVE: active,
    TREERING_GATE_STATE: state,
  } = outcome.outputs;
  assert.match(await wentLive('tokened', outcome, { permit, intent, active, state }), /identity\/gl-[a-z2-7]{26}/);
  assert.equal(filesBelow(outcome.temporary), []);
  wasRefused('again', 4, /used|once|token/, await job(inputs('again', given), { TREERING_ID_TOKEN }));
  const bound = await job(inputs('again', { provider: 'github', audience: 'log.example.org' }), {
    TREERING_ID_TOKEN: await token(claims),
  });
  wasRefused('again', 2, "let the provider's binding be possession", bound);
});

test.run();
