import type { ApprovalRule } from '@treering/record';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { admit, rulesFor, tallyApprovals } from '../src/index.js';
import { ada, begun, bob, bot, carol, eve, MODEL, need, refusesUnchanged, rule, SUBJECT } from './approved-log.js';
import { approvalDraft, configDraft, deploymentDraft, modelDraft } from './drafts.js';
import { enrolment, type GovernedLog, NOW, party, revocation } from './governed-log.js';

test('who made a change does not approve it where the policy says so, and may reject it', async () => {
  const { log, model } = await begun(need('model/**', 1));
  await refusesUnchanged(log, eve, approvalDraft(MODEL, model), 'governance/own-change', rule('model/**'));
  await log.log(eve, approvalDraft(MODEL, model, { decision: 'reject' }));
  await log.log(bob, approvalDraft(MODEL, model));
  const lax = await begun(need('model/**', 1, { not_author: false }));
  await lax.log.log(eve, approvalDraft(MODEL, lax.model));
  await lax.log.log(bob, deploymentDraft(lax.model, lax.config));
});

test('a second key of the author is the author', async () => {
  const { log, model } = await begun(need('model/**', 1));
  const second = party('eve', 12);
  await log.log(ada, enrolment(second, ['approver']));
  await refusesUnchanged(log, second, approvalDraft(MODEL, model), 'governance/own-change', rule('model/**'));
});

test('authors of an intent are its own and those of the model and the configuration that it names', async () => {
  const { log, model, config } = await begun(need('deploy/**', 1));
  const dave = party('dave', 13);
  await log.log(ada, enrolment(dave, ['engineer', 'approver']));
  const intent = await log.log(dave, deploymentDraft(model, config));
  assert.equal(log.state.version('deployment', SUBJECT)?.authors, ['dave', 'eve', 'bob']);
  for (const by of [dave, eve, bob])
    await refusesUnchanged(log, by, approvalDraft(SUBJECT, intent), 'governance/own-change', rule('deploy/**'));
  await log.log(carol, approvalDraft(SUBJECT, intent));
});

test('the author of a model is an author of an intent that names it, also when there is a newer version', async () => {
  const { log, model, config } = await begun(need('deploy/**', 1));
  await log.log(bob, modelDraft('score', 2));
  const intent = await log.log(bob, deploymentDraft(model, config));
  await refusesUnchanged(log, eve, approvalDraft(SUBJECT, intent), 'governance/own-change', rule('deploy/**'));
});

test('whoever made a model or a configuration is its author also when somebody else records the same once more', async () => {
  const { log } = await begun(need('**', 1));
  for (const name of ['score', 'renamed']) {
    const again = await log.log(bob, modelDraft(name));
    assert.equal(log.state.version('model', `model/${name}`)?.authors.slice().sort(), ['bob', 'eve']);
    for (const by of [eve, bob])
      await refusesUnchanged(log, by, approvalDraft(`model/${name}`, again), 'governance/own-change', rule('**'));
  }
  const other = await log.log(eve, configDraft('renamed', '2'));
  await refusesUnchanged(log, bob, approvalDraft('config/renamed', other), 'governance/own-change', rule('**'));
  const changed = await log.log(bob, modelDraft('score', 2));
  await log.log(eve, approvalDraft(MODEL, changed));
});

test('people decide, in a role that they hold', async () => {
  const { log, model } = await begun(need('model/**', 1));
  for (const decision of ['approve', 'reject'] as const) {
    await refusesUnchanged(log, bot, approvalDraft(MODEL, model, { decision }), 'governance/not-allowed', 'approval');
    const change = { decision, role: 'auditor' };
    await refusesUnchanged(log, bob, approvalDraft(MODEL, model, change), 'governance/not-allowed', 'approval');
  }
  await log.log(carol, approvalDraft(MODEL, model, { role: 'auditor' }));
});

test('only the roles of the rule count', async () => {
  const { log, model, config } = await begun(need('model/**', 1));
  await log.log(carol, approvalDraft(MODEL, model, { role: 'auditor' }));
  await refusesUnchanged(log, bob, deploymentDraft(model, config), 'governance/not-approved', rule('model/**'));
  await log.log(carol, approvalDraft(MODEL, model));
  await log.log(bob, deploymentDraft(model, config));
});

test('distinct people count, not approvals and not keys', async () => {
  const { log, model, config } = await begun(need('model/**', 2));
  const second = party('carol', 14);
  await log.log(ada, enrolment(second, ['approver']));
  for (const by of [carol, carol, second]) {
    await log.log(by, approvalDraft(MODEL, model));
    const message = await refusesUnchanged(
      log,
      bob,
      deploymentDraft(model, config),
      'governance/not-approved',
      rule('model/**'),
    );
    assert.match(message, /needs 2 approvals.*has 1$/);
  }
  await log.log(bob, approvalDraft(MODEL, model));
  await log.log(bob, deploymentDraft(model, config), 'policy@0/all');
});

test('an approval is about the newest record of its type on its own subject', async () => {
  const { log, model, config } = await begun();
  const code = 'governance/approval-target';
  await refusesUnchanged(log, carol, approvalDraft('model/other', model), code, 'approval');
  await refusesUnchanged(log, carol, approvalDraft(MODEL, config), code, 'approval');
  await refusesUnchanged(log, carol, approvalDraft(MODEL, { leaf: new Uint8Array(32) }), code, 'approval');
  const given = await log.log(carol, approvalDraft(MODEL, model));
  await refusesUnchanged(log, bob, approvalDraft(MODEL, given), code, 'approval');
  await log.log(eve, modelDraft('score', 2));
  await refusesUnchanged(log, carol, approvalDraft(MODEL, model), code, 'approval');
});

test('a later version voids what the earlier one was approved for, and another subject does not', async () => {
  const { log, model, config } = await begun(need('model/**', 1));
  await log.log(carol, approvalDraft(MODEL, model));
  await log.log(eve, modelDraft('other', 3));
  assert.ok((await log.decide(bob, deploymentDraft(model, config))).admitted);
  const next = await log.log(eve, modelDraft('score', 2));
  for (const named of [model, next])
    await refusesUnchanged(log, bob, deploymentDraft(named, config), 'governance/not-approved', rule('model/**'));
  await log.log(carol, approvalDraft(MODEL, next));
  await log.log(bob, deploymentDraft(next, config));
});

test('the same version logged again, by a new statement, is a new one', async () => {
  const { log, model, config } = await begun(need('model/**', 1));
  await log.log(carol, approvalDraft(MODEL, model));
  await log.log(eve, modelDraft('score'), undefined, { iat: NOW + 1 });
  await refusesUnchanged(log, bob, deploymentDraft(model, config), 'governance/not-approved', rule('model/**'));
});

test('a version that comes back comes back without its approvals, and never as the same statement', async () => {
  const { log, model, config } = await begun(need('model/**', 1));
  await log.log(carol, approvalDraft(MODEL, model));
  await log.log(eve, modelDraft('score', 2));
  assert.is(admit(log.state, model).admitted, false);
  const back = await log.log(eve, modelDraft('score'));
  for (const named of [model, back])
    await refusesUnchanged(log, bob, deploymentDraft(named, config), 'governance/not-approved', rule('model/**'));
});

test('an approval is fresh for as long as the rule says, to the second', async () => {
  const { log, model, config } = await begun(need('model/**', 1, { within: 100 }));
  await log.log(carol, approvalDraft(MODEL, model));
  const draft = deploymentDraft(model, config);
  assert.ok((await log.decide(bob, draft, { iat: NOW + 100 })).admitted);
  const late = { iat: NOW + 101 };
  await refusesUnchanged(log, bob, draft, 'governance/not-approved', rule('model/**'), late);
  await log.log(carol, approvalDraft(MODEL, model), undefined, late);
  await log.log(bob, draft, undefined, late);
});

test('an approval ends when it says, and is not signed after that', async () => {
  const { log, model, config } = await begun(need('model/**', 1));
  const expires = NOW * 1000 + 5000;
  for (const past of [0, NOW * 1000]) {
    const draft = approvalDraft(MODEL, model, { expires: past });
    await refusesUnchanged(log, carol, draft, 'governance/invalid-record', 'approval');
  }
  await log.log(carol, approvalDraft(MODEL, model, { expires }));
  const draft = deploymentDraft(model, config);
  assert.ok((await log.decide(bob, draft, { iat: NOW + 4 })).admitted);
  await refusesUnchanged(log, bob, draft, 'governance/not-approved', rule('model/**'), { iat: NOW + 5 });
});

test('one rejection blocks, until whoever gave it approves or a new version comes', async () => {
  const { log, model, config } = await begun(need('model/**', 1));
  await log.log(bob, approvalDraft(MODEL, model));
  await log.log(carol, approvalDraft(MODEL, model, { decision: 'reject' }));
  const message = await refusesUnchanged(log, bob, deploymentDraft(model, config), 'governance/not-approved', rule('model/**'));
  assert.match(message, /rejected by carol/);
  await log.log(carol, approvalDraft(MODEL, model));
  assert.ok((await log.decide(bob, deploymentDraft(model, config))).admitted);
  await log.log(carol, approvalDraft(MODEL, model, { decision: 'reject' }));
  const next = await log.log(eve, modelDraft('score', 2));
  await log.log(bob, approvalDraft(MODEL, next));
  await log.log(bob, deploymentDraft(next, config));
});

test('what a revoked key approved counts no more', async () => {
  const { log, model, config } = await begun(need('model/**', 1));
  await log.log(carol, approvalDraft(MODEL, model));
  assert.ok((await log.decide(eve, deploymentDraft(model, config))).admitted);
  await log.log(ada, revocation('carol'));
  await refusesUnchanged(log, eve, deploymentDraft(model, config), 'governance/not-approved', rule('model/**'));
});

/** What happens after a rejection, and must not lift it. */
const AFTERWARDS: Record<string, (log: GovernedLog) => Promise<unknown>> = {
  'time passes': async () => undefined,
  'its key is revoked': (log) => log.log(ada, revocation('carol')),
  'its key loses the role': (log) => log.log(ada, enrolment(carol, ['reader'])),
  'its key expires': (log) => log.log(ada, enrolment(carol, ['approver'], { valid_until: NOW + 1 })),
};

for (const [what, happens] of Object.entries(AFTERWARDS)) {
  test(`a rejection blocks when ${what}, until the same person approves or a new version comes`, async () => {
    const { log, model, config } = await begun(need('model/**', 1, { within: 50 }));
    const expires = (NOW + 10) * 1000;
    await log.log(carol, approvalDraft(MODEL, model, { decision: 'reject', expires }));
    await happens(log);
    const late = { iat: NOW + 60 };
    await log.log(bob, approvalDraft(MODEL, model), undefined, late);
    const draft = deploymentDraft(model, config);
    const message = await refusesUnchanged(log, eve, draft, 'governance/not-approved', rule('model/**'), late);
    assert.match(message, /rejected by carol/);
    const again = party('carol', 77);
    await log.log(ada, enrolment(again, ['approver']));
    const other = await log.log(eve, modelDraft('score', 2), undefined, late);
    await log.log(bob, approvalDraft(MODEL, other), undefined, late);
    assert.ok((await log.decide(eve, deploymentDraft(other, config), late)).admitted);
    await log.log(again, approvalDraft(MODEL, other, { decision: 'reject' }), undefined, late);
    await refusesUnchanged(log, eve, deploymentDraft(other, config), 'governance/not-approved', rule('model/**'), late);
    await log.log(again, approvalDraft(MODEL, other), undefined, late);
    await log.log(eve, deploymentDraft(other, config), undefined, late);
  });
}

test('a new key of the same person lifts what the old one rejected', async () => {
  const { log, model, config } = await begun(need('model/**', 1));
  await log.log(carol, approvalDraft(MODEL, model, { decision: 'reject' }));
  await log.log(ada, revocation('carol'));
  const again = party('carol', 77);
  await log.log(ada, enrolment(again, ['approver']));
  await refusesUnchanged(log, eve, deploymentDraft(model, config), 'governance/not-approved', rule('model/**'));
  await log.log(again, approvalDraft(MODEL, model));
  await log.log(eve, deploymentDraft(model, config));
});

test('a tally says who approved and who rejected', async () => {
  const { log, model } = await begun(need('model/**', 2, { not_author: false }));
  await log.log(eve, approvalDraft(MODEL, model));
  await log.log(bob, approvalDraft(MODEL, model));
  await log.log(carol, approvalDraft(MODEL, model, { decision: 'reject' }));
  const [lax] = rulesFor(log.state, MODEL);
  const version = log.state.version('model', MODEL);
  assert.ok(version);
  if (version === undefined) return;
  const names = (r: ApprovalRule) => {
    const { approved, rejected } = tallyApprovals(log.state, version, r, NOW);
    return [approved.map(({ id }) => id), rejected.map(({ id }) => id)];
  };
  assert.equal(names(lax), [['eve', 'bob'], ['carol']]);
  assert.equal(names({ ...lax, not_author: true }), [['bob'], ['carol']]);
  assert.equal(names({ ...lax, roles: ['auditor'] }), [[], []]);
  assert.equal(rulesFor(log.state, 'config/credit'), []);
});

test.run();
