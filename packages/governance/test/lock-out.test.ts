import type { PolicyBody, PolicyRule } from '@treering/record';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { explainPolicy } from '../src/index.js';
import { type Draft, governedLog, party } from './governed-log.js';

// Policies that are refused although their keys are right: with them nobody could do what they ask for.

const [ada, grace] = ['ada', 'grace'].map((id, i) => party(id, 71 + i));
const START: PolicyBody = { rules: [] };
const policy = (body: PolicyBody): Draft => ({ type: 'policy', subject: 'policy', policy: body });

const approvers = (who: PolicyRule['who'], on: string, may: PolicyRule['may'] = ['approval']): PolicyRule => ({
  name: `may-${on.replace(/[^a-z]/g, '')}`,
  who,
  may,
  on: [on],
});
const asks = (on: string, ...rules: PolicyRule[]): PolicyBody => ({
  rules,
  approvals: [{ on, need: 2, roles: ['approver'], not_author: true }],
});
const DEADLOCKS: Record<string, PolicyBody> = {
  'no rules': { rules: [] },
  'one id for two approvals': asks('model/*', approvers({ ids: ['bob'], roles: ['approver'] }, '**')),
  'the same id in two rules': asks('model/*', approvers({ ids: ['bob'] }, '**'), approvers({ ids: ['bob'] }, 'model/a')),
  'nobody who may approve': asks('model/*', approvers({ roles: ['approver'] }, '**', ['model'])),
  'approvals of other subjects': asks('model/*', approvers({ roles: ['approver'] }, 'config/*')),
  'approvals of longer subjects': asks('deploy/*', approvers({ roles: ['approver'] }, 'deploy/*/**')),
  'foreign approvals': asks('model/*', approvers({ issuer: 'https://a.example' }, '**')),
};
const POSSIBLE: Record<string, PolicyBody> = {
  'a role': asks('model/*', approvers({ roles: ['approver'] }, 'model/*')),
  'another role, which the same people may hold': asks('model/*', approvers({ roles: ['staff'] }, '**')),
  'two ids': asks('model/*', approvers({ ids: ['bob', 'carol'] }, '**', ['*'])),
  'two ids in two rules': asks('model/*', approvers({ ids: ['bob'] }, 'model/a*'), approvers({ ids: ['carol'] }, 'model/*b')),
  'some of the subjects': asks('deploy/**', approvers({ roles: ['approver'] }, 'deploy/production/*')),
};

for (const [what, body] of Object.entries(DEADLOCKS)) {
  test(`a policy with ${what} is refused, proposed or not, and a check of the policy says the same`, async () => {
    const issuers = [{ issuer: 'https://a.example', keys: [grace.key] }];
    for (const threshold of [1, 2]) {
      const log = await governedLog([ada, grace], START, threshold);
      const { message } = await log.refuses(ada, policy({ ...body, issuers }), 'governance/locks-out', 'policy');
      assert.ok(explainPolicy({ ...body, issuers }).mistakes.includes(message));
    }
  });
}

for (const [what, body] of Object.entries(POSSIBLE)) {
  test(`a policy whose approvals come from ${what} is admitted`, async () => {
    const log = await governedLog([ada], START);
    await log.log(ada, policy(body), 'charter/administrators');
    assert.equal(
      explainPolicy(body).mistakes.filter((mistake) => /at most|anybody/.test(mistake)),
      [],
    );
  });
}

test.run();
