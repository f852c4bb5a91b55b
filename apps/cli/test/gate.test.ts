import { appendFileSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { createVerifierKey, formatVerifierKey } from '@treering/note';
import { createStatementSigner } from '@treering/statement';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { deskWithLog, type Outcome } from './fixture.js';
import { enrol, recordModel, sizeOf } from './people.js';

// What is deployed is announced first, and only if the rules let it. Whatever stands against it, the command is never run.

const desk = await deskWithLog();
test.after(() => desk.served.close());

const policyFile = (more: string): void => {
  desk.write(
    'policy.yaml',
    `rules:
  - { name: administrators, who: { roles: [administrator] }, may: ['*'], on: ['**'] }
  - { name: engineers, who: { roles: [engineer] }, may: [model, config, evaluation], on: ['**'] }
  - { name: pipelines, who: { roles: [pipeline] }, may: [deployment], on: ['deploy/**'] }
  - { name: approvers, who: { roles: [approver] }, may: [approval], on: ['**'] }
  - { name: safety, who: { roles: [approver] }, may: [incident, assessment, freeze], on: ['**'] }
${more}`,
  );
};
const setPolicy = async (more: string): Promise<void> => {
  policyFile(more);
  await desk.result(['policy', 'set', 'policy.yaml', '--reason', 'The rules of this test are in force.']);
};
await setPolicy('');
const eve = await enrol(desk, 'eve', 'engineer', 'approver');
const carol = await enrol(desk, 'carol', 'approver');
const pipeline = await enrol(desk, 'pipeline', 'pipeline');

desk.write('config/prompt.txt', 'You are careful.\n');
const LIMITS = 'parameters: { temperature: 0.2 }\nguardrails:\n  - { id: pii, setting: strict, action: block }\n';
desk.write('config/limits.yaml', LIMITS);
const CONFIG = ['config/limits.yaml', 'config/prompt.txt'];
const about = ['--reason', 'The first version of it.', '--version', '1', '--key', eve];
const recordedConfig = await desk.result(['record', 'config', ...CONFIG, '--name', 'api', ...about]);
let model = await recordModel(desk, 'wink', '1', eve);

/** Arguments of a passage; what is run leaves a line in ran.txt. */
const gate = (service: string, more: readonly string[] = [], script = 'echo "$TREERING_PERMIT" >> ran.txt'): string[] => [
  ...['gate', '--env', 'prod', '--service', service, '--model', 'wink', '--config', ...[...CONFIG].reverse()],
  ...['--reason', 'The new version goes live.', '--key', pipeline, '--unwitnessed', '--json', ...more],
  ...['--', 'sh', '-c', script],
];
const runs = (): number =>
  existsSync(desk.path('ran.txt')) ? readFileSync(desk.path('ran.txt'), 'utf8').split('\n').length - 1 : 0;
const historyOf = async (service: string) => {
  const { records } = await desk.result(['history', `deploy/prod/${service}`]);
  return (records as { record: { phase: string; cause?: string; break_glass?: boolean; run?: string } }[]).map(
    ({ record }) => record,
  );
};

/** Fails unless the gate ends with this exit and code, and the command was not run. */
async function refused(args: readonly string[], exit: number, code: string, message: RegExp): Promise<Outcome> {
  const before = runs();
  const outcome = await desk.call(args);
  assert.equal([outcome.code, outcome.json().error?.code], [exit, code], outcome.stdout + outcome.stderr);
  assert.match(outcome.json().error.message, message);
  assert.is(runs(), before, 'the command was run');
  return outcome;
}

test('what the rules allow is announced, run with its permit, and logged as active', async () => {
  const outcome = await desk.call(gate('first', ['--replicas', '3', '--image', `registry.test/api@sha256:${'ab'.repeat(32)}`]));
  assert.is(outcome.code, 0, outcome.stdout + outcome.stderr);
  const { intent, active, permit, state } = outcome.json();
  assert.is(readFileSync(desk.path('ran.txt'), 'utf8').trim(), permit);
  const [last, before] = await historyOf('first');
  assert.equal([before.phase, last.phase], ['intent', 'active']);
  const { record } = await desk.result(['show', String(active.index)]);
  assert.is(record.replicas, 3);
  assert.is(Buffer.from(record.state.$bytes, 'base64url').toString('hex'), state);
  assert.is(Buffer.from(record.model.$bytes, 'base64url').toString('hex'), model.leaf);
  assert.is(Buffer.from(record.config.$bytes, 'base64url').toString('hex'), recordedConfig.leaf);
  const proof = await desk.result(['verify', permit]);
  assert.equal([proof.verified, proof.index], [true, intent.index]);
});

test('a command that fails is logged as an end with its cause', async () => {
  const size = sizeOf(desk);
  const outcome = await desk.call(gate('failing', [], 'exit 7'));
  assert.equal([outcome.code, outcome.json().error.code], [1, 'gate/command-failed']);
  assert.match(outcome.json().error.message, 'the command ended with code 7');
  const [last, before] = await historyOf('failing');
  assert.equal([before.phase, last.phase, last.cause], ['intent', 'ended', 'the command ended with code 7']);
  assert.is(sizeOf(desk), size + 2);
  const gone = await desk.call([...gate('failing').slice(0, -3), 'no-such-command']);
  assert.match(gone.json().error.message, 'could not be started');
});

test('what changes while it is deployed, or is another image than was announced, does not count as active', async () => {
  const touched = await desk.call(gate('touched', [], 'echo more >> config/prompt.txt'));
  assert.match(touched.json().error.message, 'changed while it was deployed');
  desk.write('config/prompt.txt', 'You are careful.\n');
  const other = `printf '{"image":"sha256:${'cd'.repeat(32)}"}' > "$TREERING_OBSERVED"`;
  const image = await desk.call(gate('touched', ['--image', 'ab'.repeat(32)], other));
  assert.match(image.json().error.message, 'another image');
  const broken = await desk.call(gate('touched', [], 'echo nonsense > "$TREERING_OBSERVED"'));
  assert.match(broken.json().error.message, 'cannot be read');
  assert.equal([...new Set((await historyOf('touched')).map(({ phase }) => phase))], ['ended', 'intent']);
  const told = await desk.call(gate('touched', [], `printf '{"replicas":5}' > "$TREERING_OBSERVED"`));
  assert.is((await desk.result(['show', String(told.json().active.index)])).record.replicas, 5);
});

test('the command sees no key and no passphrase', async () => {
  const key = readFileSync(desk.path(pipeline), 'utf8').trim();
  const args = gate('secrets', [], 'env > seen.txt').map((a) => (a === pipeline ? 'env:PIPELINE_KEY' : a));
  const outcome = await desk.call(args, {
    env: { PIPELINE_KEY: key, TREERING_PASSPHRASE: 'a secret', TREERING_MLFLOW_SECRET: 'a secret' },
  });
  assert.is(outcome.code, 0, outcome.stdout + outcome.stderr);
  const seen = readFileSync(desk.path('seen.txt'), 'utf8');
  assert.not.match(seen, key);
  assert.not.match(seen, 'a secret');
  assert.match(seen, 'TREERING_STATE_DIGEST=');
});

test('files that are not the newest record are not deployed, and neither are tags of images', async () => {
  appendFileSync(desk.path('config/prompt.txt'), 'Or not.\n');
  await refused(gate('unlogged'), 4, 'gate/not-logged', /treering record config/);
  desk.write('config/prompt.txt', 'You are careful.\n');
  appendFileSync(desk.path('wink/weights'), '!');
  await refused(gate('unlogged'), 4, 'gate/not-logged', /treering record model/);
  desk.write('wink/weights', 'weights of 1');
  await refused(gate('unlogged', ['--model-name', 'other']), 4, 'gate/not-logged', /model\/other/);
  await refused(gate('unlogged', ['--image', 'api:latest']), 2, 'cli/usage', /a tag may move/);
  await refused(
    gate('unlogged').filter((arg) => arg !== '--unwitnessed'),
    2,
    'cli/usage',
    /no trust policy is known/,
  );
  await refused(gate('unlogged').slice(0, -4), 2, 'cli/usage', /there is nothing to run/);
});

test('approvals are there, fresh, and by somebody else', async () => {
  const approve = (key: string, ...more: string[]) =>
    desk.call(['approve', String(model.index), '--reason', 'It is good enough.', '--key', key, '--yes', ...more]);
  await setPolicy('approvals: [{ on: model/*, need: 1, roles: [approver], not_author: true, within: 2 }]');
  await refused(
    gate('approved'),
    4,
    'governance/not-approved',
    /needs 1 approvals .* and has 0 \(decided by policy@\d+\/approvals\/model\/\*\)/,
  );
  assert.is((await approve(eve)).code, 4, 'the author approves nothing');
  await refused(gate('approved'), 4, 'governance/not-approved', /other than its authors/);
  assert.is((await approve(carol)).code, 0);
  await new Promise((done) => setTimeout(done, 3_100));
  await refused(gate('approved'), 4, 'governance/not-approved', /not older than 2 seconds, and has 0/);
  await setPolicy('approvals: [{ on: model/*, need: 1, roles: [approver], not_author: true }]');
  assert.is((await desk.call(gate('approved'))).code, 0);
  assert.is((await approve(carol, '--reject')).code, 0);
  await refused(gate('approved'), 4, 'governance/not-approved', /was rejected by carol/);
  model = await recordModel(desk, 'wink', '1', eve);
  assert.is((await approve(carol)).code, 0);
});

test('evaluations are there and within tolerance, and incidents are closed', async () => {
  const evaluate = (value: string) => {
    desk.write(
      'evaluation.yaml',
      `subject: model/wink\nreason: The regression suite ran.\nmodel: "${model.leaf}"\nconfig: "${recordedConfig.leaf}"\nsuite: regression\ndataset: "${'11'.repeat(32)}"\nmetrics: [{ name: accuracy, value: "${value}" }]\nverdict: pass\ntolerances: []\n`,
    );
    return desk.result(['record', 'evaluation', '--file', 'evaluation.yaml', '--key', eve]);
  };
  await setPolicy(
    'gates: [{ on: deploy/prod/*, evaluation: { suite: regression, tolerances: [{ metric: accuracy, min: "0.9" }] }, incidents: high }]',
  );
  await refused(gate('gated'), 4, 'governance/gate', /an evaluation of regression .* is missing/);
  await evaluate('0.88');
  await refused(gate('gated'), 4, 'governance/gate', /measured accuracy 0.88, and it must be at least 0.9/);
  await evaluate('0.93');
  assert.is((await desk.call(gate('gated'))).code, 0);
  const incident = (status: string) => {
    desk.write(
      'incident.yaml',
      `subject: incident/one\nreason: Somebody was hurt by an answer.\nseverity: critical\nstatus: ${status}\naware_at: 1\naffected: ["${model.leaf}"]\n`,
    );
    return desk.result(['record', 'incident', '--file', 'incident.yaml', '--key', carol]);
  };
  await incident('open');
  await refused(gate('gated'), 4, 'governance/gate', /incident\/one .* is open and affects the model/);
  await incident('closed');
  assert.is((await desk.call(gate('gated'))).code, 0);
});

test('a freeze stops it, break-glass or not, and nothing else than approvals and gates is broken through', async () => {
  await setPolicy('gates: [{ on: deploy/prod/*, assessment: true }]\nlimits: { break_glass: true }');
  await refused(gate('urgent'), 4, 'governance/gate', /an assessment of the model/);
  const broken = await desk.call(gate('urgent', ['--break-glass']));
  assert.is(broken.code, 0, broken.stdout + broken.stderr);
  assert.match(broken.stderr, /Break-glass: an assessment of the model .* every monitor alarms/);
  assert.is(broken.json().break_glass, true);
  assert.equal(
    (await historyOf('urgent')).map(({ phase, break_glass }) => [phase, break_glass]),
    [
      ['active', true],
      ['intent', true],
    ],
  );
  await setPolicy('gates: [{ on: deploy/prod/*, assessment: true }]');
  await refused(gate('urgent', ['--break-glass']), 4, 'governance/limit', /no break-glass/);
  await setPolicy('');
  const fine = await desk.call(gate('urgent', ['--break-glass']));
  assert.equal([fine.code, fine.json().break_glass], [0, false], 'nothing has to be broken');
  const until = Math.floor(Date.now() / 1000) + 3600;
  desk.write('freeze.yaml', `subject: freeze/now\nreason: Nothing goes live today.\non: deploy/prod/urgent\nuntil: ${until}\n`);
  await desk.result(['record', 'freeze', '--file', 'freeze.yaml']);
  await refused(gate('urgent', ['--break-glass']), 4, 'governance/frozen', /accepts no more records/);
});

test('a deployment that needs approvals itself waits for them, and the same run goes on with it', async () => {
  await setPolicy('approvals: [{ on: deploy/**, need: 1, roles: [approver], not_author: true }]');
  const run = ['--run', 'acme run 7'];
  const waiting = await refused(gate('waiting', run), 4, 'gate/waits-for-approval', /approve entry \d+, leaf [0-9a-f]{64}/);
  const [, index] = /entry (\d+), leaf/.exec(waiting.json().error.message) as RegExpExecArray;
  await refused(gate('waiting', ['--run', 'acme run 8']), 4, 'gate/announced', /in acme run 7 \(entry \d+\).* --supersede/);
  const size = sizeOf(desk);
  await refused(gate('waiting', run), 4, 'gate/waits-for-approval', /approve entry/);
  assert.is(sizeOf(desk), size, 'the same announcement');
  const approval = desk.result(['approve', index, '--reason', 'It may go live.', '--key', carol, '--yes']);
  const passed = await desk.call(gate('waiting', [...run, '--wait-for-approval', '30s']));
  await approval;
  assert.is(passed.code, 0, passed.stdout + passed.stderr);
  assert.is(passed.json().intent.index, Number(index));
  const other = await refused(gate('waiting', ['--run', 'acme run 9']), 4, 'gate/waits-for-approval', /approve/);
  const [, second] = /entry (\d+), leaf/.exec(other.json().error.message) as RegExpExecArray;
  await desk.result(['approve', second, '--reason', 'Not this one, please.', '--key', carol, '--yes', '--reject']);
  await refused(gate('waiting', ['--run', 'acme run 9']), 4, 'governance/not-approved', /was rejected by carol/);
  assert.is((await historyOf('waiting'))[0].phase, 'ended', 'what is rejected comes to nothing');
});

test('whatever becomes of the files or the command afterwards, the log is told', async () => {
  await setPolicy('');
  const scripts = ['rm config/limits.yaml', 'ln -s /etc/passwd wink/link', 'mkdir "$TREERING_OBSERVED"'];
  for (const script of scripts) {
    const outcome = await desk.call(gate('afterwards', [], script));
    assert.equal([outcome.code, outcome.json().error.code], [1, 'gate/command-failed'], script + outcome.stdout);
    assert.is((await historyOf('afterwards'))[0].phase, 'ended', script);
    rmSync(desk.path('wink/link'), { force: true });
    desk.write('config/limits.yaml', LIMITS);
  }
  const inside = gate('inside', ['--out', 'wink/here.permit']);
  await refused(inside, 2, 'cli/usage', /would lie in what is deployed/);
});

test('without a run nobody takes somebody else for itself', async () => {
  const before = runs();
  const both = await Promise.all([1, 2].map(() => desk.call(gate('nameless', [], 'sleep 2; echo x >> ran.txt'))));
  console.log(
    both.map(({ stdout }) => stdout).join(),
    JSON.stringify(await historyOf('nameless')),
    process.env.CI_PIPELINE_ID,
    process.env.GITHUB_RUN_ID,
  );
  assert.equal(both.map(({ code }) => code).sort(), [0, 4], both.map(({ stdout }) => stdout).join());
  assert.is(runs(), before + 1);
});

test('a trial run says when a deployment still needs approvals, and breaking the glass does not wait for them', async () => {
  await setPolicy(
    'approvals: [{ on: deploy/**, need: 1, roles: [approver], not_author: true }]\nlimits: { break_glass: true }',
  );
  const trial = (...more: string[]) => [...gate('glass', more).slice(0, -4), '--dry-run'];
  await refused(trial('--run', 'acme run 1'), 4, 'gate/waits-for-approval', /needs approvals itself/);
  await refused(gate('glass', ['--run', 'acme run 1']), 4, 'gate/waits-for-approval', /approve entry/);
  await refused(trial('--run', 'acme run 1'), 4, 'governance/not-approved', /needs 1 approvals/);
  const broken = await desk.call(gate('glass', ['--run', 'acme run 1', '--break-glass']));
  assert.equal([broken.code, broken.json().break_glass], [0, true], broken.stdout + broken.stderr);
  await setPolicy(
    'approvals:\n  - { on: deploy/**, need: 1, roles: [approver], not_author: true }\n  - { on: model/*, need: 1, roles: [approver], not_author: true }',
  );
  const approveModel = (...more: string[]) =>
    desk.call(['approve', String(model.index), '--reason', 'It is good enough.', '--key', carol, '--yes', ...more]);
  assert.is((await approveModel()).code, 0);
  await refused(gate('withdrawn', ['--run', 'acme run 1']), 4, 'gate/waits-for-approval', /approve entry/);
  assert.is((await approveModel('--reject')).code, 0);
  await refused(
    gate('withdrawn', ['--run', 'acme run 1']),
    4,
    'governance/not-approved',
    /was rejected by carol|is no approval/,
  );
  assert.is((await historyOf('withdrawn'))[0].phase, 'ended');
  assert.is((await approveModel()).code, 0);
});

test('of two pipelines at once one deploys', async () => {
  await setPolicy('');
  const before = runs();
  const both = await Promise.all(
    ['a', 'b'].map((run) => desk.call(gate('raced', ['--run', run], 'sleep 1; echo x >> ran.txt'))),
  );
  assert.equal(both.map(({ code }) => code).sort(), [0, 4], both.map(({ stdout }) => stdout).join());
  const loser = both.find(({ code }) => code === 4) as Outcome;
  assert.ok(['governance/prev-conflict', 'gate/announced'].includes(loser.json().error.code), loser.stdout);
  assert.is(runs(), before + 1);
});

test('a run that died is taken up again by itself, and by another one only when it is told so', async () => {
  const announce = `subject: deploy/prod/died\nreason: The pipeline announces this.\nphase: intent\nenvironment: prod\nservice: died\nmodel: "${model.leaf}"\nconfig: "${recordedConfig.leaf}"\napprovals: []\nrun: acme run 1\n`;
  desk.write('intent.yaml', announce);
  await desk.result(['record', 'deployment', '--file', 'intent.yaml', '--key', pipeline]);
  await refused(gate('died', ['--run', 'acme run 2']), 4, 'gate/announced', /acme run 1/);
  assert.is((await desk.call(gate('died', ['--run', 'acme run 1']))).code, 0);
  await desk.result(['record', 'deployment', '--file', 'intent.yaml', '--key', pipeline]);
  assert.is((await desk.call(gate('died', ['--run', 'acme run 2', '--supersede']))).code, 0);
});

test('what the log says is not enough: the witnesses of the trust policy must have cosigned, and rules that change are asked again', async () => {
  const stranger = createVerifierKey('witness.test/stranger', 4, createStatementSigner(new Uint8Array(32).fill(5)).key.x);
  const log = desk.env.TREERING_LOG_KEY;
  desk.write('trust.txt', `log ${log}\nwitness one ${formatVerifierKey(stranger)}\nquorum one\n`);
  const trusting = gate('quorum', ['--trust', 'trust.txt']).filter((arg) => arg !== '--unwitnessed');
  await refused(trusting, 4, 'gate/no-quorum', /the quorum "one" is not met; not cosigned by: one/);
  const [last, before] = await historyOf('quorum');
  assert.equal([before.phase, last.phase], ['intent', 'ended']);
  desk.write('nobody.txt', `log ${log}\nquorum none\n`);
  await refused(
    trusting.map((arg) => (arg === 'trust.txt' ? 'nobody.txt' : arg)),
    2,
    'cli/usage',
    /asks for no witness/,
  );
});

test('a log that cannot be reached lets nothing through', async () => {
  await refused(
    [...gate('away').slice(0, 5), '--url', 'http://127.0.0.1:9', ...gate('away').slice(5)],
    3,
    'client/unreachable',
    /./,
  );
  rmSync(desk.path('ran.txt'));
});

test('a trial run says what the rules say, and leaves nothing', async () => {
  const size = sizeOf(desk);
  const outcome = await desk.result([
    'gate',
    ...gate('trial')
      .slice(1, -4)
      .filter((a) => a !== '--json'),
    '--dry-run',
  ]);
  assert.equal([outcome.permitted, outcome.logged, sizeOf(desk)], [true, false, size]);
});

test.run();
