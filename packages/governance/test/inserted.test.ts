import type { PolicyBody } from '@treering/record';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Audit, type Candidate } from '../src/index.js';
import { approvalDraft, configDraft, deploymentDraft, modelDraft } from './drafts.js';
import { foreignOf } from './foreign-statement.js';
import { candidateOf, charterDraft, type Draft, enrolment, type HeaderChange, incident, NOW, party } from './governed-log.js';

// What an operator can write into a log who has nobody's keys, or the key of somebody who has left.

const [ada, eve, carol, supplier] = ['ada', 'eve', 'carol', 'supplier'].map((id, i) => party(id, 120 + i));
const SUPPLIER = 'https://supplier.example';
const POLICY: PolicyBody = {
  rules: [
    { name: 'all', who: { roles: ['administrator'] }, may: ['incident'], on: ['**'] },
    { name: 'engineers', who: { roles: ['engineer'] }, may: ['model', 'config', 'deployment'], on: ['**'] },
    { name: 'approvers', who: { roles: ['approver'] }, may: ['approval'], on: ['**'] },
    { name: 'supplier', who: { issuer: SUPPLIER }, may: ['foreign'], on: ['model/*'] },
  ],
  issuers: [{ issuer: SUPPLIER, keys: [supplier.key] }],
  approvals: [{ on: 'model/*', need: 1, roles: ['approver'], not_author: true }],
};

/** An audit of entries as they come. */
class Audited {
  readonly audit = new Audit();

  /** The rule that admits an entry, or the code of what is found against it. */
  async take({ statement }: Candidate): Promise<string> {
    const result = await this.audit.next(statement.entry);
    return result.admitted ? result.rule : result.finding.code;
  }

  /** Takes an entry that is admitted. */
  async log(by: typeof ada, draft: Draft, header?: HeaderChange): Promise<Candidate> {
    const candidate = await candidateOf(by, draft, header);
    assert.match(await this.take(candidate), /^(?:charter|policy@)/, draft.type);
    return candidate;
  }
}

async function staffed(policy: PolicyBody = POLICY): Promise<Audited> {
  const log = new Audited();
  await log.log(ada, charterDraft([ada], policy), { iat: NOW - 86_400 });
  await log.log(ada, enrolment(eve, ['engineer'], { valid_until: NOW + 60 }));
  await log.log(ada, enrolment(carol, ['approver']));
  return log;
}

test('an approval that was taken back is not made good by its old bytes', async () => {
  const log = await staffed();
  const model = await log.log(eve, modelDraft('score'));
  const config = await log.log(eve, configDraft('credit'));
  const approval = await log.log(carol, approvalDraft('model/score', model));
  await log.log(carol, approvalDraft('model/score', model, { decision: 'reject' }), { iat: NOW + 10 });
  assert.is(await log.take(approval), 'governance/logged-before');
  assert.is(
    await log.take(await candidateOf(eve, deploymentDraft(model, config), { iat: NOW + 20 })),
    'governance/not-approved',
  );
});

test('a key that has expired signs nothing for the time when it was valid', async () => {
  const log = await staffed();
  await log.log(ada, incident('system/a'), { iat: NOW + 86_400 });
  assert.is(await log.take(await candidateOf(eve, modelDraft('score'), { iat: NOW + 30 })), 'governance/clock');
});

test('two who are both within the widest skew of the log are admitted in either order, whatever the policy says then', async () => {
  for (const clock_skew of [undefined, 5, 300]) {
    const log = await staffed({ ...POLICY, limits: clock_skew === undefined ? {} : { clock_skew } });
    await log.log(ada, incident('system/a'), { iat: NOW + 300 });
    await log.log(ada, incident('system/a'), { iat: NOW - 300 });
    await log.log(ada, incident('system/a'), { iat: NOW + 300 });
    assert.is(await log.take(await candidateOf(ada, incident('system/a'), { iat: NOW - 301 })), 'governance/clock');
  }
});

test('what somebody outside signed may be old, and makes nothing of the log late', async () => {
  const log = await staffed();
  await log.log(ada, incident('system/a'), { iat: NOW + 86_400 });
  assert.is(await log.take(await foreignOf(supplier.signer, { iat: NOW - 86_400 })), 'policy@0/supplier');
  assert.is(await log.take(await foreignOf(supplier.signer, { iat: NOW + 999_999, sub: 'model/b' })), 'policy@0/supplier');
  await log.log(ada, incident('system/a'), { iat: NOW + 86_500 });
});

test.run();
