import { readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { deskWithLog } from './fixture.js';
import { enrol, recordModel, refuses, sizeOf, typing } from './people.js';

// Eve makes models and may approve, carol approves, and whoever made a model does not approve it.

const desk = await deskWithLog();
test.after(() => desk.served.close());

desk.write(
  'policy.yaml',
  `rules:
  - { name: administrators, who: { roles: [administrator] }, may: ['*'], on: ['**'] }
  - { name: engineers, who: { roles: [engineer] }, may: [model, config, deployment, foreign], on: ['**'] }
  - { name: approvers, who: { roles: [approver] }, may: [approval], on: ['**'] }
approvals:
  - { on: model/*, need: 1, roles: [approver], not_author: true }
`,
);
const policy = await desk.result(['policy', 'set', 'policy.yaml', '--reason', 'Models are approved by somebody else.']);
const RULE = `policy@${policy.index}/approvals/model/*`;
const eve = await enrol(desk, 'eve', 'engineer', 'approver');
const carol = await enrol(desk, 'carol', 'approver');
desk.write('prompt.txt', 'You are careful.\n');
const recordConfig = ['record', 'config', 'prompt.txt', '--name', 'api', '--version', '1', '--reason', 'The first prompt.'];
const { leaf: config } = await desk.result([...recordConfig, '--key', eve]);

const approve = (entry: number | string, key = carol, ...more: string[]): string[] => [
  'approve',
  String(entry),
  '--reason',
  'The evaluation is good enough.',
  '--key',
  key,
  ...more,
];
const recordAt = async (index: number) => (await desk.result(['show', String(index)])).record;

/** The arguments that deploy a model with the configuration. */
function deploy(model: string): string[] {
  const digests = `model: "${model}"\nconfig: "${config}"\napprovals: []\n`;
  desk.write(
    'deployment.yaml',
    `subject: deploy/production/api\nreason: The model goes into production.\nphase: intent\nenvironment: production\nservice: api\n${digests}`,
  );
  return ['record', 'deployment', '--file', 'deployment.yaml', '--key', eve];
}

test('a change is read to the reviewer before it is signed: what differs from the version before, in words', async () => {
  const first = await recordModel(desk, 'wink', '1', eve);
  const second = await recordModel(desk, 'wink', '2', eve);
  const size = sizeOf(desk);
  const asked = await typing(desk, approve(second.index), 'n');
  assert.is(asked.code, 0);
  assert.match(asked.stdout, 'log.test/cli/identity/eve');
  assert.match(asked.stdout, second.leaf);
  assert.match(asked.stdout, 'Version 2 of the model.');
  assert.match(asked.stdout, `What differs from entry ${first.index}:`);
  assert.match(asked.stdout, /~ version: 1 → 2\n/);
  assert.match(asked.stdout, /~ digest: [0-9a-f]{16,}.* → [0-9a-f]{16,}/);
  assert.match(asked.stderr, `Approve entry ${second.index} as approver, for the reason "The evaluation is good enough."?`);
  assert.match(asked.stdout, 'Nothing was signed.');
  assert.is(sizeOf(desk), size);
  const signed = await typing(desk, approve(second.index), 'y');
  assert.is(signed.code, 0, signed.stderr);
  assert.is(sizeOf(desk), size + 1);
  const { type, decision, role, target, subject } = await recordAt(size);
  assert.equal([type, decision, role, subject], ['approval', 'approve', 'approver', 'model/wink']);
  assert.is(Buffer.from(target.$bytes, 'base64url').toString('hex'), second.leaf);
});

test('a version that nobody approved is no measure for the next one: the approved one is, and the others are named', async () => {
  const first = await recordModel(desk, 'sly', '1', eve);
  const approval = await desk.result(approve(first.index, carol, '--yes'));
  const second = await recordModel(desk, 'sly', '2', eve);
  await desk.result(approve(second.index, carol, '--yes', '--reject'));
  const third = await recordModel(desk, 'sly', '3', eve);
  const { stdout } = await typing(desk, approve(third.index), 'n');
  assert.match(stdout, `Recorded before it, approved by nobody else and not deployed: entry ${second.index}.`);
  assert.match(stdout, `What differs from entry ${first.index}, which carol approved with entry ${approval.index}:`);
  assert.match(stdout, /~ version: 1 → 3\n/);
  await recordModel(desk, 'unseen', '1', eve);
  const last = await recordModel(desk, 'unseen', '2', eve);
  assert.match((await typing(desk, approve(last.index), 'n')).stdout, 'No earlier version was approved or deployed');
});

for (const answer of ['', 'no', 'yess', 'Y e s'])
  test(`"${answer}" signs nothing`, async () => {
    const { index } = await recordModel(desk, 'asked', `answer ${answer || 'none'}`, eve);
    const size = sizeOf(desk);
    assert.is((await typing(desk, approve(index), answer)).code, 0);
    assert.is(sizeOf(desk), size);
  });

test('a first version is said to be one, and --yes asks nothing', async () => {
  const { index } = await recordModel(desk, 'first', '1', eve);
  const { code, stdout } = await desk.call(approve(index, carol, '--yes'));
  assert.is(code, 0);
  const [shown, signed] = ['There is no earlier model record on model/first.', 'approval model/first is entry'];
  assert.ok(stdout.indexOf(shown) >= 0 && stdout.indexOf(shown) < stdout.indexOf(signed), stdout);
});

test('an entry can be named by its leaf hash, and the proof file is named after it', async () => {
  const { index, leaf } = await recordModel(desk, 'leaf', '1', eve);
  assert.is((await desk.result(approve(leaf, carol, '--yes'))).proof, desk.path(`approve-${index}.tlog-proof`));
});

test('without a terminal and without --yes nothing is signed: exit code 2', async () => {
  const { index } = await recordModel(desk, 'silent', '1', eve);
  const { stderr } = await refuses(desk, approve(index), 2, 'cli/usage');
  assert.match(stderr, '--yes');
});

test('a rejection is recorded with its reason, blocks the deployment, and an approval by the same person lifts it', async () => {
  const { index, leaf } = await recordModel(desk, 'bad', '1', eve);
  await refuses(desk, approve(index, carol, '--yes', '--reject', '--days', '3'), 2, 'cli/usage');
  const rejection = await desk.result([...approve(index, carol, '--yes', '--reject'), '--reason', 'It discriminates by age.']);
  assert.is(rejection.proof, desk.path(`reject-${index}.tlog-proof`));
  const { decision, reason } = await recordAt(rejection.index);
  assert.equal([decision, reason], ['reject', 'It discriminates by age.']);
  const { stderr } = await refuses(desk, deploy(leaf), 4, 'governance/not-approved');
  assert.match(stderr, 'rejected by carol');
  assert.ok(stderr.includes(RULE), stderr);
  await desk.result(approve(index, carol, '--yes'));
  assert.is((await desk.call(deploy(leaf))).code, 0);
});

test('nobody approves her own change where the policy says so; the rule is named', async () => {
  const { index, leaf } = await recordModel(desk, 'own', '1', eve);
  const { stderr } = await refuses(desk, approve(index, eve, '--yes'), 4, 'governance/own-change');
  assert.ok(stderr.includes(RULE), stderr);
  await refuses(desk, deploy(leaf), 4, 'governance/not-approved');
  await desk.result(approve(index, eve, '--yes', '--reject'));
});

test('a role that one does not hold is not decided in', async () => {
  const { index } = await recordModel(desk, 'role', '1', eve);
  await refuses(desk, approve(index, carol, '--yes', '--role', 'administrator'), 4, 'governance/not-allowed');
});

test('an older version is not approved any more, and its approval does not count for the next one', async () => {
  const first = await recordModel(desk, 'moved', '1', eve);
  await desk.result(approve(first.index, carol, '--yes'));
  const second = await recordModel(desk, 'moved', '2', eve);
  const late = [...approve(first.index, carol, '--yes'), '--reason', 'It comes too late for this.'];
  await refuses(desk, late, 4, 'governance/approval-target');
  await refuses(desk, deploy(second.leaf), 4, 'governance/not-approved');
  await refuses(desk, deploy(first.leaf), 4, 'governance/not-approved');
});

test('--days lets an approval expire; one that has expired is not taken, and later does not count', async () => {
  const { index, leaf } = await recordModel(desk, 'soon', '1', eve);
  const expiring = (expires: number): string[] => {
    const record = `subject: model/soon\nreason: It is good for the moment.\ntarget: "${leaf}"\ndecision: approve\nrole: approver\n`;
    desk.write('approval.yaml', `${record}expires: ${expires}\n`);
    return ['record', 'approval', '--file', 'approval.yaml', '--key', carol];
  };
  await refuses(desk, expiring(Date.now() - 60_000), 4, 'governance/invalid-record');
  await desk.result(expiring(Date.now() + 1500));
  await wait(2500);
  await refuses(desk, deploy(leaf), 4, 'governance/not-approved');
  const given = await desk.result(approve(index, carol, '--yes', '--days', '2'));
  const days = ((await recordAt(given.index)).expires - Date.now()) / 86_400_000;
  assert.ok(days > 1.99 && days <= 2, `${days} days`);
  assert.is((await desk.call(deploy(leaf))).code, 0);
  for (const wrong of ['0', '-1', 'x']) assert.is((await desk.call(approve(index, carol, '--yes', '--days', wrong))).code, 2);
});

test('what is no record, or not there, is not approved', async () => {
  desk.write('statement.json', '{"_type": "https://in-toto.io/Statement/v1", "subject": []}');
  const foreign = await desk.result(['record', 'foreign', 'statement.json', '--subject', 'model/foreign', '--key', eve]);
  await refuses(desk, approve(foreign.index, carol, '--yes'), 2, 'cli/usage');
  for (const entry of ['9999', 'ab'.repeat(32), 'model/wink']) {
    const size = sizeOf(desk);
    assert.is((await desk.call(approve(entry, carol, '--yes'))).code, 2, entry);
    assert.is(sizeOf(desk), size);
  }
});

test('what was deployed is a measure too', async () => {
  desk.write('open.yaml', readFileSync(desk.path('policy.yaml'), 'utf8').replace('model/*, need', 'model/closed, need'));
  await desk.result(['policy', 'set', 'open.yaml', '--reason', 'Most models are deployed without approvals.']);
  const first = await recordModel(desk, 'live', '1', eve);
  const active = deploy(first.leaf);
  desk.write('deployment.yaml', readFileSync(desk.path('deployment.yaml'), 'utf8').replace('phase: intent', 'phase: active'));
  const { index } = await desk.result(active);
  const second = await recordModel(desk, 'live', '2', eve);
  const { stdout } = await typing(desk, approve(second.index), 'n');
  assert.match(stdout, `What differs from entry ${first.index}, which entry ${index} deployed:`);
});

test.run();
