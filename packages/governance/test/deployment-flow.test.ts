import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ada, begun, bob, bot, carol, eve, MODEL, need, refusesUnchanged, rule, SUBJECT } from './approved-log.js';
import { approvalDraft, deploymentDraft, type Entry, modelDraft } from './drafts.js';
import { enrolment, type GovernedLog, NOW, party, revocation } from './governed-log.js';

const carries = (name: Entry, config: Entry, phase: 'active' | 'ended') => deploymentDraft(name, config, { phase });

test('rules on the model, the configuration and the deployment all hold', async () => {
  const { log, model, config } = await begun(need('config/**', 1), need('model/**', 1));
  const draft = deploymentDraft(model, config);
  await refusesUnchanged(log, eve, draft, 'governance/not-approved', rule('model/**'));
  await log.log(carol, approvalDraft(MODEL, model));
  await refusesUnchanged(log, eve, draft, 'governance/not-approved', rule('config/**'));
  await log.log(carol, approvalDraft('config/credit', config));
  await log.log(eve, draft);
});

test('where models are approved, what is deployed is the newest record of a model', async () => {
  const { log, model, config } = await begun(need('model/score', 1));
  await log.log(carol, approvalDraft(MODEL, model));
  for (const wrong of [config, { leaf: new Uint8Array(32) }])
    await refusesUnchanged(log, eve, deploymentDraft(wrong, config), 'governance/not-approved', rule('model/score'));
  const other = await log.log(eve, modelDraft('other'));
  await log.log(eve, deploymentDraft(other, config));
});

test('what goes live has an approved intent with the same model, configuration and state', async () => {
  const { log, model, config } = await begun(need('deploy/**', 1));
  const active = carries(model, config, 'active');
  await refusesUnchanged(log, eve, active, 'governance/not-approved', rule('deploy/**'));
  const intent = await log.log(eve, deploymentDraft(model, config));
  await refusesUnchanged(log, eve, active, 'governance/not-approved', rule('deploy/**'));
  await log.log(carol, approvalDraft(SUBJECT, intent));
  const other = await log.log(eve, modelDraft('other'));
  const change = { phase: 'active' as const, image: new Uint8Array(32).fill(7) };
  for (const draft of [carries(other, config, 'active'), deploymentDraft(model, config, change)])
    await refusesUnchanged(log, eve, draft, 'governance/not-approved', rule('deploy/**'));
  await log.log(bot, active, 'policy@0/all');
  await log.log(bot, active);
});

test('an approved intent that another one follows is void', async () => {
  const { log, model, config } = await begun(need('deploy/**', 1));
  const first = await log.log(eve, deploymentDraft(model, config));
  const { leaf: prev } = await log.log(carol, approvalDraft(SUBJECT, first));
  await log.log(eve, deploymentDraft(model, config, { replicas: 2, prev }));
  const active = carries(model, config, 'active');
  await refusesUnchanged(log, eve, active, 'governance/not-approved', rule('deploy/**'));
});

test('an open intent is followed by another one only when that knows of it', async () => {
  const { log, model, config } = await begun();
  const first = await log.log(eve, deploymentDraft(model, config));
  const second = deploymentDraft(model, config, { replicas: 2 });
  assert.match(await refusesUnchanged(log, bob, second, 'governance/prev-conflict', 'prev'), /to take its place/);
  const ended = await log.log(eve, carries(model, config, 'ended'));
  assert.ok((await log.decide(bob, second)).admitted, 'nothing is open');
  assert.not((await log.decide(bob, { ...second, prev: first.leaf })).admitted);
  await log.log(bob, { ...second, prev: ended.leaf });
});

test('what is active is carried on after a new version of the model, and begins anew after its end', async () => {
  const { log, model, config } = await begun(need('model/**', 1));
  await log.log(carol, approvalDraft(MODEL, model));
  await log.log(eve, deploymentDraft(model, config));
  await log.log(eve, carries(model, config, 'active'));
  await log.log(eve, modelDraft('score', 2));
  await log.log(eve, carries(model, config, 'active'));
  await log.log(eve, carries(model, config, 'ended'));
  await refusesUnchanged(log, eve, carries(model, config, 'active'), 'governance/not-approved', rule('model/**'));
});

/** What happens between an intent and its first active record. */
const meanwhile: readonly [string, (log: GovernedLog, model: Entry) => Promise<unknown>][] = [
  [
    'whoever approved the model rejects it',
    (log, model) => log.log(carol, approvalDraft(MODEL, model, { decision: 'reject' })),
  ],
  ['somebody else rejects the model', (log, model) => log.log(bob, approvalDraft(MODEL, model, { decision: 'reject' }))],
  ['the key of whoever approved the model is revoked', (log) => log.log(ada, revocation('carol'))],
  ['a new version of the model is recorded', (log) => log.log(eve, modelDraft('score', 2))],
];

for (const [what, happens] of meanwhile) {
  test(`an intent does not go live when ${what}`, async () => {
    const { log, model, config } = await begun(need('model/*', 1), need('deploy/**', 1, { roles: ['auditor'] }));
    await log.log(carol, approvalDraft(MODEL, model));
    const intent = await log.log(eve, deploymentDraft(model, config));
    const other = party('olga', 20);
    await log.log(ada, enrolment(other, ['auditor']));
    await log.log(other, approvalDraft(SUBJECT, intent, { role: 'auditor' }));
    const active = carries(model, config, 'active');
    assert.ok((await log.decide(eve, active)).admitted);
    await happens(log, model);
    await refusesUnchanged(log, eve, active, 'governance/not-approved', rule('model/*'));
  });
}

test('an intent does not go live after its approvals, and those of its model, have expired or are no longer fresh', async () => {
  const active = (model: Entry, config: Entry) => carries(model, config, 'active');
  const { log, model, config } = await begun(need('model/*', 1, { within: 600 }));
  await log.log(carol, approvalDraft(MODEL, model, { expires: (NOW + 60) * 1000 }));
  await log.log(bob, approvalDraft(MODEL, model), undefined, { iat: NOW - 540 });
  await log.log(eve, deploymentDraft(model, config));
  assert.ok((await log.decide(eve, active(model, config), { iat: NOW + 59 })).admitted);
  const late = { iat: NOW + 61 };
  await refusesUnchanged(log, eve, active(model, config), 'governance/not-approved', rule('model/*'), late);
  await log.log(carol, approvalDraft(MODEL, model), undefined, late);
  await log.log(eve, active(model, config), undefined, late);
  await log.log(eve, active(model, config), undefined, { iat: NOW + 28_000_000 });
});

test('what was rejected while it was active is not carried on', async () => {
  const { log, model, config } = await begun(need('deploy/**', 1));
  const intent = await log.log(eve, deploymentDraft(model, config));
  await log.log(carol, approvalDraft(SUBJECT, intent));
  const live = await log.log(eve, carries(model, config, 'active'));
  await log.log(carol, approvalDraft(SUBJECT, live, { decision: 'reject' }));
  await refusesUnchanged(log, eve, carries(model, config, 'active'), 'governance/not-approved', rule('deploy/**'));
  await log.log(carol, approvalDraft(SUBJECT, live));
  await log.log(eve, carries(model, config, 'active'));
});

test('an end needs no approval', async () => {
  const { log, model, config } = await begun(need('**', 3));
  await log.log(eve, carries(model, config, 'ended'));
});

test('break-glass goes without approvals, and what follows without it needs them', async () => {
  const { log, model, config } = await begun(need('model/**', 1), need('deploy/**', 1));
  const broken = (phase: 'intent' | 'active') => deploymentDraft(model, config, { phase, break_glass: true });
  await log.log(eve, broken('active'));
  await log.log(eve, broken('intent'));
  const active = carries(model, config, 'active');
  await refusesUnchanged(log, eve, active, 'governance/not-approved', rule('model/**'));
  const fake = deploymentDraft(model, config, { break_glass: true, approvals: [new Uint8Array(32)] });
  await refusesUnchanged(log, eve, fake, 'governance/not-approved', 'approval');
});

test('what began by break-glass is not carried on without approvals', async () => {
  for (const phase of ['intent', 'active'] as const) {
    const { log, model, config } = await begun(need('model/**', 1));
    await log.log(eve, deploymentDraft(model, config, { phase, break_glass: true }));
    const active = carries(model, config, 'active');
    await refusesUnchanged(log, eve, active, 'governance/not-approved', rule('model/**'));
  }
});

test('approvals that a deployment names are approvals of what it names', async () => {
  const { log, model, config } = await begun();
  const yes = await log.log(carol, approvalDraft(MODEL, model));
  const no = await log.log(carol, approvalDraft('config/credit', config, { decision: 'reject' }));
  const other = await log.log(eve, modelDraft('other'));
  const elsewhere = await log.log(carol, approvalDraft('model/other', other));
  for (const wrong of [no, elsewhere, model, { leaf: new Uint8Array(32) }]) {
    const draft = deploymentDraft(model, config, { approvals: [yes.leaf, wrong.leaf] });
    await refusesUnchanged(log, eve, draft, 'governance/not-approved', 'approval');
  }
  const intent = await log.log(eve, deploymentDraft(model, config, { approvals: [yes.leaf] }));
  const go = await log.log(carol, approvalDraft(SUBJECT, intent));
  const active = deploymentDraft(model, config, { phase: 'active', approvals: [yes.leaf, go.leaf] });
  await log.log(eve, active);
});

test.run();
