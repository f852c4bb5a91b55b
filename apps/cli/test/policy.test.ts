import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parse } from 'yaml';
import { Desk, deskWithLog } from './fixture.js';
import { enrol, recordModel, refuses, sizeOf } from './people.js';

const desk = await deskWithLog();
test.after(() => desk.served.close());

const RULES = `rules:
  - { name: administrators, who: { roles: [administrator] }, may: ['*'], on: ['**'] }
  - { name: engineers, who: { roles: [engineer] }, may: [model, config, deployment], on: [model/*, config/*, deploy/**] }
  - { name: approvers, who: { roles: [approver] }, may: [approval], on: [model/*] }
`;
const APPROVALS = `approvals:
  - { on: model/*, need: 1, roles: [approver], not_author: true, within: 604800 }
`;
const REASON = ['--reason', 'The rules for the tests.'];
const inForce = async (): Promise<number> => (await desk.result(['policy', 'show'])).index;

test('a log begins with the policy of its charter, in words and as a file to edit', async () => {
  const { stdout } = await desk.call(['policy', 'show']);
  assert.match(stdout, 'The policy of entry 0');
  assert.match(
    stdout,
    'administrators: whoever holds the role administrator may record everything but identity on every subject.',
  );
  assert.match(stdout, 'Everything else is refused.');
  const yaml = (await desk.call(['policy', 'show', '--yaml'])).stdout;
  const { index, policy } = await desk.result(['policy', 'show']);
  assert.is(index, 0);
  assert.equal(parse(yaml), policy);
  desk.write('shown.yaml', yaml);
  assert.match((await desk.call(['policy', 'diff', 'shown.yaml'])).stdout, /^no difference\n$/);
});

test('a good file is read back in plain language, without a log', async () => {
  const alone = new Desk();
  alone.write('policy.yaml', RULES + APPROVALS);
  const { code, stdout } = await alone.call(['policy', 'check', 'policy.yaml']);
  assert.is(code, 0, stdout);
  assert.match(stdout, 'engineers: whoever holds the role engineer may record model, config, deployment on model/*');
  assert.match(stdout, 'Before model/* is deployed, 1 person with the role approver must approve, none of them an author');
  assert.match(stdout, '7 days');
  const { sentences, mistakes, remarks } = await alone.result(['policy', 'check', 'policy.yaml']);
  assert.equal([sentences.length, mistakes, remarks], [5, [], []]);
});

const rule = (change: string): string => `rules:\n  - { name: a, who: { roles: [a] }, may: [model], on: ['**'], ${change} }\n`;

/** Files that are no policy, and what the message has to name. */
const bad: readonly [string, string, RegExp][] = [
  ['no YAML', 'rules: [', /line 1|at line/],
  ['a tab in the third line', 'rules:\n  - name: a\n\twho: {}\n', /line 3/],
  ['the same member twice', `${RULES}rules: []\n`, /line 5|unique/i],
  ['a list', '- a\n', /does not describe a policy/],
  ['nothing', '', /does not describe a policy/],
  ['no rules', 'limits: {}\n', /rules/],
  ['an unknown member', `${RULES}colour: red\n`, /colour/],
  ['an unknown member of a rule', rule('colour: red'), /rules.*0.*colour|colour/],
  ['an unknown type', rule('may: [modle]').replace('may: [model], ', ''), /rules.*0.*may/],
  ['a pattern that is none', rule("on: ['Model/*']").replace("on: ['**'], ", ''), /rules.*0.*on/],
  ['a rule for nobody', RULES.replace('{ roles: [engineer] }', '{}'), /rules.*1.*who/],
  ['two rules of one name', RULES.replace('name: approvers', 'name: engineers'), /engineers|rules/],
  ['no approvals needed', RULES + APPROVALS.replace('need: 1', 'need: 0'), /approvals.*0.*need/],
  ['a limit in words', `${RULES}limits: { attachments: many }\n`, /limits.*attachments/],
  [
    'a key file that is not there',
    `${RULES}issuers:\n  - { issuer: 'https://a.test', keys: [{ file: gone.pem }] }\n`,
    /gone\.pem/,
  ],
];

for (const [what, text, names] of bad) {
  test(`${what} is no policy: exit code 2, and the message says where`, async () => {
    desk.write('bad.yaml', text);
    for (const args of [
      ['policy', 'check', 'bad.yaml'],
      ['policy', 'set', 'bad.yaml', ...REASON],
    ]) {
      const { stderr } = await refuses(desk, args, 2, 'cli/usage');
      assert.match(stderr, names);
      assert.not.match(stderr, /\n\s+at /);
    }
  });
}

test('a file that is not there is named: exit code 2', async () => {
  const { code, stderr } = await desk.call(['policy', 'check', 'gone.yaml']);
  assert.is(code, 2);
  assert.match(stderr, 'gone.yaml');
});

/** Policies that are well-formed and cannot be meant. */
const lockedOut: readonly [string, string, RegExp][] = [
  ['without any rule', 'rules: []\n', /no rule lets anybody/],
  [
    'whose approvals nobody may give',
    RULES.replace('may: [approval]', 'may: [incident]').replace("['*']", '[model]') + APPROVALS,
    /approv/,
  ],
  [
    'that needs more approvals than there are people who may approve',
    RULES.replace("['*']", '[model]').replace('who: { roles: [approver] }', 'who: { ids: [bob] }') +
      APPROVALS.replace(/need: \d/, 'need: 5'),
    /at most 1 people/,
  ],
  [
    'about an issuer without keys',
    rule('').replace('roles: [a]', 'issuer: https://a.test').replace('[model]', '[foreign]'),
    /a\.test/,
  ],
];

for (const [what, text, why] of lockedOut) {
  test(`a policy ${what} is found by check, and refused before it is signed`, async () => {
    desk.write('locked.yaml', text);
    const check = await desk.call(['policy', 'check', 'locked.yaml']);
    assert.is(check.code, 1);
    assert.match(check.stdout, why);
    assert.match(check.stdout, '✗');
    // Without a key that could sign.
    const set = ['policy', 'set', 'locked.yaml', ...REASON, '--key', 'no-such.key'];
    assert.match((await refuses(desk, set, 2, 'cli/usage')).stderr, /is not signed.*/);
  });
}

test('what locks everybody out is not signed as any other record either', async () => {
  const about = 'reason: It goes round the command for policies.\n';
  desk.write('empty.yaml', `type: policy\nsubject: policy\n${about}policy: { rules: [] }\n`);
  const list = 'administrators: [{ id: ada, key: { $bytes: AQ }, roles: [] }]\n';
  desk.write('few.yaml', `type: amendment\nsubject: charter\n${about}threshold: 2\n${list}`);
  for (const args of [
    ['batch', 'empty.yaml'],
    ['batch', 'few.yaml'],
    ['amendment', '--file', 'few.yaml'],
  ]) {
    const { stderr } = await refuses(desk, ['record', ...args, '--key', 'no-such.key'], 2, 'cli/usage');
    assert.ok(stderr.includes('is not signed'), stderr);
  }
});

test('a table of cases passes, and each wrong case is named with what was expected', async () => {
  desk.write('policy.yaml', RULES);
  const cases = (rows: string[]): string => desk.write('cases.yaml', `cases:\n${rows.map((row) => `  - ${row}\n`).join('')}`);
  const test = () => desk.call(['policy', 'test', 'policy.yaml', 'cases.yaml']);
  const good = [
    '{ who: { id: alice, roles: [engineer] }, records: model, on: model/wink, expect: allowed, rule: engineers }',
    '{ who: { id: alice, roles: [engineer] }, records: approval, on: model/wink, expect: refused }',
    '{ who: { roles: [approver] }, records: approval, on: config/a, expect: refused }',
    '{ who: { roles: [administrator] }, records: policy, on: policy, expect: refused }',
    '{ who: {}, records: model, on: model/wink, expect: refused }',
  ];
  cases(good);
  const passed = await test();
  assert.is(passed.code, 0, passed.stdout);
  assert.match(passed.stdout, '5 of 5 cases are as expected');
  cases([
    ...good,
    "{ name: 'nobody deploys', who: { roles: [engineer] }, records: deployment, on: deploy/a/b, expect: refused }",
    '{ who: { id: bob, roles: [engineer] }, records: model, on: model/a, expect: allowed, rule: approvers }',
    '{ who: { id: bob }, records: model, on: model/a, expect: allowed }',
  ]);
  const failed = await test();
  assert.is(failed.code, 1);
  assert.match(failed.stdout, '✗ nobody deploys: allowed by engineers, expected refused\n');
  assert.match(
    failed.stdout,
    '✗ bob (engineer) records model on model/a: allowed by engineers, expected allowed by approvers\n',
  );
  assert.match(failed.stdout, '✗ bob (no role) records model on model/a: refused by default, expected allowed\n');
  assert.match(failed.stdout, '5 of 8 cases are as expected');
  const json = (await desk.call(['policy', 'test', 'policy.yaml', 'cases.yaml', '--json'])).json();
  assert.equal([json.passed, json.failed, json.results[5].good, json.results[7].rule], [5, 3, false, null]);
  for (const row of [
    '{ who: {}, records: modle, on: a, expect: allowed }',
    '{ who: {}, records: model, on: a, expect: maybe }',
  ]) {
    cases([row]);
    const { code, stderr } = await test();
    assert.is(code, 2);
    assert.match(stderr, /cases\.0\.(?:records|expect)/);
  }
});

test('a policy is compared with the one in force and with another file, and is in force once it is set', async () => {
  desk.write('one.yaml', RULES);
  desk.write('two.yaml', RULES + APPROVALS);
  const { stdout } = await desk.call(['policy', 'diff', 'two.yaml', 'one.yaml']);
  assert.match(stdout, /^\+ policy\.approvals/m);
  assert.not.match(stdout, /^[-~]/m);
  const back = await desk.result(['policy', 'diff', 'one.yaml', 'two.yaml']);
  assert.ok(back.differences.length > 0);
  assert.ok(back.differences.every(({ path }: { path: string }) => path.startsWith('policy.approvals')));
  const { index } = await desk.result(['policy', 'set', 'two.yaml', ...REASON]);
  assert.is(await inForce(), index);
  assert.match((await desk.call(['policy', 'diff', 'two.yaml'])).stdout, 'no difference');
  const next = await desk.result(['policy', 'set', 'one.yaml', ...REASON]);
  assert.is(await inForce(), next.index);
});

test('only an administrator sets a policy: exit code 4, and the old one stays', async () => {
  desk.write('one.yaml', RULES);
  const alice = await enrol(desk, 'alice', 'engineer');
  const before = await inForce();
  const { stderr } = await refuses(desk, ['policy', 'set', 'one.yaml', ...REASON, '--key', alice], 4, 'governance/not-allowed');
  assert.match(stderr, 'charter/administrators');
  assert.is(await inForce(), before);
});

test('a new policy decides from the next entry on', async () => {
  desk.write('none.yaml', RULES.replace('may: [model, config, deployment]', 'may: [config]'));
  const key = await enrol(desk, 'ben', 'engineer');
  await recordModel(desk, 'before', '1', key);
  await desk.result(['policy', 'set', 'none.yaml', ...REASON]);
  const record = [
    'record',
    'model',
    'before',
    '--name',
    'before',
    '--version',
    '2',
    '--reason',
    'It comes too late.',
    '--key',
    key,
  ];
  const size = sizeOf(desk);
  assert.match((await refuses(desk, record, 4, 'governance/not-allowed')).stderr, 'default deny');
  assert.is(sizeOf(desk), size);
});

test.run();
