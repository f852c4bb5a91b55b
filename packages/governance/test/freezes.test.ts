import type { PolicyBody } from '@treering/record';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { saveState } from '../src/index.js';
import { approvalDraft, type Entry } from './drafts.js';
import { type Draft, enrolment, type GovernedLog, governedLog, incident, NOW, party, revocation } from './governed-log.js';

// What is frozen takes no more records, except those by which administrators govern; and nobody stops a log alone for ever.

const [ada, grace, hedy] = ['ada', 'grace', 'hedy'].map((id, i) => party(id, 1 + i));
const eve = party('eve', 4);
const RULE = 'charter/administrators';

const POLICY: PolicyBody = {
  rules: [
    { name: 'admins', who: { roles: ['administrator'] }, may: ['*'], on: ['**'] },
    { name: 'engineers', who: { roles: ['engineer'] }, may: ['incident', 'freeze'], on: ['**'] },
  ],
};
const freeze = (on: string, until?: number): Draft => ({
  type: 'freeze',
  subject: 'freeze/year-end',
  on,
  ...(until === undefined ? {} : { until }),
});
const lift = (on: string): Draft => freeze(on, 0);
const agree = (target: Entry, change = {}): Draft =>
  approvalDraft('freeze/year-end', target, { role: 'administrator', ...change });

async function triple(threshold: number): Promise<GovernedLog> {
  const log = await governedLog([ada, grace, hedy], POLICY, threshold);
  await log.log(ada, enrolment(eve, ['engineer']));
  return log;
}

async function refusesUnchanged(log: GovernedLog, ...args: Parameters<GovernedLog['refuses']>): Promise<void> {
  const before = saveState(log.state);
  await log.refuses(...args);
  assert.equal(saveState(log.state), before);
}

for (const threshold of [2, 3]) {
  test(`of ${threshold} administrators who must agree, none freezes for ever or everything alone`, async () => {
    for (const draft of [freeze('**'), freeze('model/*'), freeze('**', NOW + 9), freeze('*/x', NOW + 9)]) {
      const log = await triple(threshold);
      await refusesUnchanged(log, eve, draft, 'governance/not-allowed', RULE);
      const proposed = await log.log(hedy, draft, RULE);
      await log.log(eve, incident('model/x'));
      for (const by of [ada, grace].slice(0, threshold - 1)) await log.log(by, agree(proposed), RULE);
      await log.refuses(eve, incident('model/x'), 'governance/frozen', 'freeze@2');
      assert.equal(log.state.proposals(), []);
    }
  });
}

test('a freeze with an end, of one kind of subjects, is a matter of the policy', async () => {
  const log = await triple(2);
  await log.log(eve, freeze('model/**', NOW + 9), 'policy@0/engineers');
  await log.refuses(ada, incident('model/x'), 'governance/frozen', 'freeze@2');
  await log.log(ada, incident('model/x'), 'policy@0/admins', { iat: NOW + 9 });
});

test('a rejection ends a freeze that was proposed', async () => {
  const log = await triple(2);
  const proposed = await log.log(hedy, freeze('**'));
  assert.equal(
    log.state.proposals().map(({ record }) => record.subject),
    ['freeze/year-end'],
  );
  await refusesUnchanged(log, eve, agree(proposed), 'governance/not-allowed', RULE);
  await log.log(ada, agree(proposed, { decision: 'reject' }));
  assert.equal([log.state.proposals(), log.state.freezes()], [[], []]);
});

test('with a threshold of one, whoever a rule lets freeze does, and an administrator lifts it', async () => {
  const log = await triple(1);
  await log.log(eve, freeze('**'), 'policy@0/engineers');
  for (const by of [eve, ada]) await log.refuses(by, incident('model/x'), 'governance/frozen', 'freeze@2');
  await refusesUnchanged(log, eve, lift('**'), 'governance/not-allowed', RULE);
  await log.log(grace, lift('**'), RULE);
  assert.equal(log.state.freezes(), []);
  await log.log(eve, incident('model/x'));
  await log.log(eve, freeze('model/x'));
  await log.refuses(eve, incident('model/x'), 'governance/frozen', 'freeze@5');
});

test('with a threshold, as many administrators lift a freeze, and nobody else', async () => {
  const log = await triple(2);
  await log.log(hedy, freeze('model/**', NOW + 31_536_000));
  const proposed = await log.log(ada, lift('model/**'), RULE);
  await log.refuses(eve, incident('model/x'), 'governance/frozen', 'freeze@2');
  await log.log(grace, agree(proposed), RULE);
  await log.log(eve, incident('model/x'));
});

test('what is lifted are the freezes within the pattern', async () => {
  const log = await triple(1);
  for (const on of ['model/*', 'model/wink', 'model/**', 'config/*']) await log.log(eve, freeze(on));
  const left = async (on: string): Promise<string[]> => {
    await log.log(ada, lift(on));
    return log.state.freezes().map((one) => one.on);
  };
  assert.equal(await left('model/w*'), ['model/*', 'model/**', 'config/*']);
  assert.equal(await left('model/*'), ['model/**', 'config/*']);
  assert.equal(await left('model/**'), ['config/*']);
  assert.equal(await left('**'), []);
});

test('a freeze never stops the administrators from governing', async () => {
  const log = await triple(2);
  const frozen = await log.log(hedy, freeze('**'));
  await log.log(ada, agree(frozen));
  await log.log(ada, revocation('eve'));
  const next: PolicyBody = { rules: [{ name: 'none', who: { ids: ['nobody'] }, may: ['incident'], on: ['**'] }] };
  const policy = await log.log(ada, { type: 'policy', subject: 'policy', policy: next });
  await log.log(grace, approvalDraft('policy', policy, { role: 'administrator' }));
  const lifted = await log.log(ada, lift('**'));
  await log.log(grace, agree(lifted));
  assert.equal([log.state.policy, log.state.freezes()], [next, []]);
});

test.run();
