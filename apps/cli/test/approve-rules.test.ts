import { readFileSync } from 'node:fs';
import { parseConfig, serveLog } from '@treering/log';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Desk } from './fixture.js';
import { typing } from './people.js';

// Two administrators must agree: what grace is shown before she agrees to what ada proposes.

const desk = new Desk();
const data = desk.path('data');
await desk.result(['keygen', 'grace', '--role', 'administrator']);
const beginning = ['--origin', 'log.test/rules', '--administrator', 'ada', '--with', 'grace.identity.yaml', '--threshold', '2'];
await desk.result(['log', 'init', '--data', data, ...beginning]);
const served = await serveLog(parseConfig({ data, listen: '127.0.0.1:0', log_level: 'silent', publish_interval: 20 }));
Object.assign(desk.env, { TREERING_DATA: data, TREERING_LOG_URL: served.url, TREERING_LOG_KEY: served.vkey });
test.after(() => served.close());

const ADMINISTRATORS = `  - { name: administrators, who: { roles: [administrator] }, may: ['*'], on: ['**'] }\n`;
const MALLORY = `  - { name: helpers, who: { ids: [mallory] }, may: ['*'], on: ['**'] }\n`;
const inForce = (): string[] => served.log.admission.state.policy?.rules.map(({ name }) => name) ?? [];

/** Proposes a policy and returns its index. */
async function propose(rules: string, limits: string, reason: string): Promise<number> {
  desk.write('policy.yaml', `rules:\n${rules}${limits}`);
  return (await desk.result(['policy', 'set', 'policy.yaml', '--reason', reason])).index;
}
async function amend(members: string): Promise<number> {
  desk.write('amendment.yaml', `subject: charter\nreason: The charter is amended for the tests.\n${members}`);
  return (await desk.result(['record', 'amendment', '--file', 'amendment.yaml'])).index;
}
const agree = ['--role', 'administrator', '--reason', 'It was talked over by telephone.', '--key', 'grace.key'];
/** What grace sees when she is asked about an entry, and answers. */
async function asked(index: number, answer: 'y' | 'n'): Promise<string> {
  const { code, stdout, stderr } = await typing(desk, ['approve', String(index), ...agree], answer);
  assert.is(code, 0, stdout + stderr);
  return stdout;
}

test('a policy is read against the one in force, not against a proposal that never was', async () => {
  const hidden = await propose(ADMINISTRATORS + MALLORY, 'limits: { break_glass: true }\n', 'Nobody will approve this one.');
  const trivial = await propose(
    ADMINISTRATORS + MALLORY,
    'limits: { break_glass: true, attachments: 16 }\n',
    'At most 16 attachments for each record.',
  );
  const seen = await asked(trivial, 'n');
  assert.match(seen, `Proposed before it, and never in force: entry ${hidden}.`);
  assert.match(seen, 'What differs from the policy in force, entry 0:');
  assert.match(seen, '+ policy.rules[helpers].who.ids[0]: mallory');
  assert.match(seen, '- policy.rules[engineers].name: engineers');
  assert.match(seen, '+ policy.limits.break_glass');
  assert.match(seen, '+ helpers: mallory may record everything but identity on every subject.');
  assert.match(seen, /^- engineers: whoever holds the role engineer may record/m);
  assert.match(
    seen,
    /^ {2}administrators: whoever holds the role administrator may record everything but identity on every subject\.$/m,
  );
  assert.match(seen, /^\? nothing has to be approved before it is deployed$/m);
  assert.not(inForce().includes('helpers'));
});

test('the next proposal is read against what came into force meanwhile', async () => {
  const index = await propose(ADMINISTRATORS, '', 'Administrators do everything for now.');
  await asked(index, 'y');
  assert.equal(inForce(), ['administrators']);
  const next = await propose(ADMINISTRATORS, 'limits: { attachments: 16 }\n', 'At most 16 attachments for each record.');
  const seen = await asked(next, 'n');
  assert.match(seen, `What differs from the policy in force, entry ${index}:\n  + policy.limits.attachments: 16\n`);
  assert.not.match(seen, 'never in force');
  assert.match(await asked(index, 'n'), `Entry ${index} does not wait for approvals`);
});

test('an amendment is read against charter and amendments in force', async () => {
  const hidden = await amend('threshold: 1\nwitnesses: ["witness.test/a+aabbccdd+BAAA"]\n');
  const trivial = await amend('threshold: 1\nwitnesses: ["witness.test/a+aabbccdd+BAAA", "witness.test/b+aabbccdd+BAAA"]\n');
  const seen = await asked(trivial, 'n');
  assert.match(seen, `Proposed before it, and never in force: entry ${hidden}.`);
  assert.match(seen, 'What differs from the charter and the amendments in force:');
  assert.match(seen, /~ threshold: 2 → 1/);
  assert.match(seen, /\+ witnesses\[0\]: witness\.test\/a/);
  await desk.result(['keygen', 'mallory', '--role', 'administrator']);
  const bytes = /\$bytes: (\S+)/.exec(readFileSync(desk.path('mallory.identity.yaml'), 'utf8'))?.[1];
  const fresh = await amend(
    `administrators: [{ id: mallory, key: { $bytes: ${bytes} }, roles: [administrator] }]\nthreshold: 1\n`,
  );
  const shown = await asked(fresh, 'n');
  for (const line of [
    /- administrators\[ada\]\.id: ada/,
    /- administrators\[grace\]\.id: grace/,
    /\+ administrators\[mallory\]\.id/,
  ])
    assert.match(shown, line);
});

test.run();
