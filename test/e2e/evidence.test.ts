import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { COMMAND, Workplace } from './command.js';
import { Desk, hasNetworkNamespaces, noBrowser, verify } from './report-page.js';

// A hospital: which training data and which confidence threshold were live three months before? And a bank: prove that the model that
// was used for this denial was the approved one. Log, three witnesses and a monitor are processes, and so is every command.

const DAY = 86_400_000;
const LONG_AGO = -95 * DAY;
const SHIFT = fileURLToPath(new URL('shift-clock.mjs', import.meta.url));
/** What makes a process live three months ago. */
const past = { NODE_OPTIONS: `--import ${SHIFT}`, CLOCK_SHIFT: String(LONG_AGO) };

const place = new Workplace();
const desk = new Desk();
test.after(() => desk.close());

/** What a regulator has: the file, and the keys of log and witnesses from a source of her own. No network at all, where that can be. */
function offline(args: readonly string[]): { code: number | null; stdout: string; stderr: string } {
  const [command, ...rest] = hasNetworkNamespaces() ? ['unshare', '-rn', process.execPath] : [process.execPath];
  const { status, stdout, stderr } = spawnSync(command, [...rest, COMMAND, ...args], {
    cwd: place.path('regulator'),
    env: { PATH: process.env.PATH, HOME: place.path('regulator') },
    encoding: 'utf8',
  });
  return { code: status, stdout, stderr };
}

const POLICY = `rules:
  - { name: administrators, who: { roles: [administrator] }, may: ["*"], on: ["**"], grants: [engineer, approver] }
  - { name: approvers, who: { roles: [approver] }, may: [approval], on: ["model/*", "config/*"] }
approvals:
  - { on: "model/*", need: 1, roles: [approver], not_author: true }
`;

type Env = Readonly<Record<string, string>>;

/** Records a version of model and configuration, has the model approved, and puts both into service. Returns the deployment's index. */
async function deploy(version: string, confidence: string, env: Env): Promise<number> {
  place.write('triage/weights.bin', `weights of ${version}`);
  place.write('triage.yaml', `parameters:\n  confidence: ${confidence}\n`);
  const about = (what: string): string[] => ['--version', version, '--reason', `${what} ${version} of the triage service.`];
  const model = await place.result(
    [
      'record',
      'model',
      'triage',
      '--name',
      'triage',
      ...about('Model'),
      '--training-data',
      `wards-${version}=Notes of the wards, ${version}.`,
    ],
    env,
  );
  const config = await place.result(['record', 'config', 'triage.yaml', '--name', 'triage', ...about('Configuration')], env);
  const reason = ['--reason', `Version ${version} was evaluated by the wards.`];
  await place.result(['approve', model.leaf, '--key', 'carol.key', '--yes', ...reason], env);
  const facts = `phase: active\nenvironment: prod\nservice: triage\nmodel: ${model.leaf}\nconfig: ${config.leaf}\napprovals: []\n`;
  place.write('deployment.yaml', `subject: deploy/prod/triage\nreason: Version ${version} goes into service.\n${facts}`);
  return (await place.result(['record', 'deployment', '--file', 'deployment.yaml'], env)).index;
}

test('a log of three months', async () => {
  const first = await place.up([], past, 'json', true);
  const env = { ...past, TREERING_LOG_URL: first.ready.url };
  await place.result(['keygen', 'carol', '--role', 'approver'], env);
  await place.result(['record', 'identity', '--file', 'carol.identity.yaml'], env);
  place.write('policy.yaml', POLICY);
  await place.result(['policy', 'set', 'policy.yaml', '--reason', 'Every model is approved by somebody else.'], env);
  assert.is(await deploy('1.0', '0.80', env), 6);
  assert.is((await first.stop()).code, 0);
});

let decisions: readonly { id: string; at: number; outcome: string }[] = [];
test('goes on today, with another model, another threshold, and decisions', async () => {
  const log = await place.up([], {}, 'json', true);
  const env = { TREERING_LOG_URL: log.ready.url };
  try {
    const active = await deploy('2.0', '0.65', env);
    const outcomes = ['denied', 'granted'];
    decisions = Array.from({ length: 40 }, (_, i) => ({
      id: `application-${1000 + i}`,
      at: Date.now() + i,
      outcome: outcomes[i % 2],
    }));
    place.write('monday.jsonl', decisions.map((one) => `${JSON.stringify(one)}\n`).join(''));
    const about = ['--deployment', String(active), '--reason', 'What was decided on Monday.'];
    await place.result(['decisions', 'record', 'monday.jsonl', ...about], env);
    const until = new Date(Date.now() - 90 * DAY).toISOString();
    const hospital = ['--subject', 'deploy/prod/triage', '--to', until, '--attachments', 'restricted'];
    const answered = await place.result(
      ['evidence', 'export', ...hospital, '-o', 'triage.trpack', '--html', 'triage.html'],
      env,
    );
    assert.is(answered.verified, true);
    assert.equal(answered.left_out, { earlier: 0, later: 1, about: 0 });
    const bank = ['--decisions', 'monday.decisions', '--decision', 'application-1006'];
    await place.result(['evidence', 'export', ...bank, '-o', 'denial.trpack'], env);
    await place.result(['evidence', 'export', '--everything', '--attachments', 'none', '-o', 'all.trpack'], env);
  } finally {
    assert.is((await log.stop()).code, 0);
  }
  place.write('regulator/README', 'The regulator has the keys from the log operator, by post.');
  copyFileSync(place.path('data', 'witness-policy.txt'), place.path('regulator', 'regulator.policy'));
  for (const file of ['triage.trpack', 'triage.html', 'denial.trpack', 'all.trpack'])
    copyFileSync(place.path(file), place.path('regulator', file));
});

test('the hospital: training data and threshold of three months before, without a network', () => {
  const { code, stdout, stderr } = offline(['verify', 'triage.trpack', '--policy', 'regulator.policy', '--verbose']);
  assert.is(code, 0, stdout + stderr);
  assert.match(stdout, /Everything that was asked for is proved/);
  assert.match(stdout, /Deployment of triage to prod: active/);
  assert.match(stdout, /training data: name: wards-1\.0, provenance: Notes of the wards, 1\.0\./);
  assert.match(stdout, /parameters: confidence: 0\.8\n/);
  assert.not.match(stdout, /wards-2\.0|0\.65/);
  assert.match(stdout, /active: approved by carol as approver \(entry 5\)/);
  const json = offline([
    'verify',
    'triage.trpack',
    '--policy',
    'regulator.policy',
    '--json',
    '--ask',
    'approvals',
    'chain',
    'time',
    'dates',
  ]);
  assert.is(json.code, 0, json.stdout + json.stderr);
  const { records } = JSON.parse(json.stdout);
  const [asked] = records.filter((one: { asked: boolean }) => one.asked);
  const age = Date.now() - asked.signed_at * 1000;
  assert.ok(Math.abs(age + LONG_AGO) < 10 * 60_000, 'it was recorded three months ago');
});

test('the bank: this denial was made by the approved model, and nobody sees the others', () => {
  const args = ['verify', 'denial.trpack', '--policy', 'regulator.policy', '--ask', 'approvals', 'decision'];
  const { code, stdout, stderr } = offline(args);
  assert.is(code, 0, stdout + stderr);
  assert.match(
    stdout,
    /The decision "application-1006" of .*, "denied", is one of those .* model triage version "2\.0" .* configuration triage version "2\.0"/,
  );
  assert.match(stdout, /The deployment had the approvals that the policy asked for|Each of the \d deployments had/);
  const bytes = readFileSync(place.path('regulator', 'denial.trpack')).toString('latin1');
  for (const { id } of decisions) assert.is(bytes.includes(id), id === 'application-1006', id);
});

test('everything in the log proves that nothing is missing', () => {
  const { code, stdout } = offline(['verify', 'all.trpack', '--policy', 'regulator.policy', '--ask', 'complete']);
  assert.is(code, 0, stdout);
  assert.match(stdout, /The file holds all \d+ entries of this head/);
});

test('one byte more or less, another quorum, other keys: not everything is proved', () => {
  const pack = readFileSync(place.path('regulator', 'triage.trpack'));
  const at = pack.indexOf('wards-1.0');
  pack[at] = 'W'.charCodeAt(0);
  writeFileSync(place.path('regulator', 'altered.trpack'), pack);
  const altered = offline(['verify', 'altered.trpack', '--policy', 'regulator.policy']);
  assert.is(altered.code, 1);
  assert.match(altered.stdout, /Not everything that was asked for is proved: .*included/);
  assert.match(altered.stdout, /An entry, its place, or a hash between was altered/);
  const policy = readFileSync(place.path('regulator', 'regulator.policy'), 'utf8');
  const log = policy.split('\n').filter((line) => line.startsWith('log '));
  const stranger = execFileSync(process.execPath, [COMMAND, 'keygen', 'stranger', '--json'], { cwd: place.path('regulator') });
  assert.ok(stranger.length > 0);
  writeFileSync(
    place.path('regulator', 'none.policy'),
    `${log.join('\n').replace(/\+[0-9a-f]{8}\+/g, '+00000000+')}\nquorum none\n`,
  );
  const bad = offline(['verify', 'triage.trpack', '--policy', 'none.policy']);
  assert.is(bad.code, 2, bad.stdout + bad.stderr);
  assert.is(offline(['verify', 'triage.trpack', '--policy', 'regulator.policy', '--ask', 'complete']).code, 1);
  assert.is(offline(['verify', 'triage.trpack', '--policy', 'regulator.policy', '--ask', 'nonsense']).code, 2);
  writeFileSync(
    place.path('regulator', 'short.trpack'),
    readFileSync(place.path('regulator', 'triage.trpack')).subarray(0, 5000),
  );
  const short = offline(['verify', 'short.trpack', '--policy', 'regulator.policy']);
  assert.is(short.code, 1);
  assert.match(short.stderr, /the file is cut short/);
});

test('the page of the hospital, opened as a file by a browser without a network', async () => {
  const why = noBrowser();
  if (why !== undefined) {
    if (process.env.CI !== undefined) throw new Error(why);
    console.log(`not in a browser: ${why}`);
    return;
  }
  const html = readFileSync(place.path('regulator', 'triage.html'), 'utf8');
  const browser = await desk.browser(hasNetworkNamespaces());
  const { page, url, requests } = await desk.open(browser, html);
  const { state } = await verify(page, readFileSync(place.path('regulator', 'regulator.policy'), 'utf8'));
  assert.is(state, 'holds');
  assert.equal(requests, [url]);
  const text = (await page.textContent('body')) ?? '';
  assert.match(text, /wards-1\.0/);
  assert.match(text, /0\.80/);
});

test.run();
