import { test } from 'uvu';
import { begun, bot, carol, eve, MODEL, need, refusesUnchanged, rule, SUBJECT } from './approved-log.js';
import { approvalDraft, deploymentDraft, type Entry, modelDraft } from './drafts.js';

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
  for (const draft of [
    carries(other, config, 'active'),
    { ...active, state: new Uint8Array(32) },
    deploymentDraft(model, config, change),
  ])
    await refusesUnchanged(log, eve, draft, 'governance/not-approved', rule('deploy/**'));
  await log.log(bot, active, 'policy@0/all');
  await log.log(bot, active);
});

test('an approved intent that another one follows is void', async () => {
  const { log, model, config } = await begun(need('deploy/**', 1));
  const first = await log.log(eve, deploymentDraft(model, config));
  await log.log(carol, approvalDraft(SUBJECT, first));
  await log.log(eve, deploymentDraft(model, config, { replicas: 2 }));
  const active = carries(model, config, 'active');
  await refusesUnchanged(log, eve, active, 'governance/not-approved', rule('deploy/**'));
});

test('what was begun is carried on after a new version of the model, and begins anew after its end', async () => {
  const { log, model, config } = await begun(need('model/**', 1));
  await log.log(carol, approvalDraft(MODEL, model));
  await log.log(eve, deploymentDraft(model, config));
  await log.log(eve, modelDraft('score', 2));
  await log.log(eve, carries(model, config, 'active'));
  await log.log(eve, carries(model, config, 'ended'));
  await refusesUnchanged(log, eve, carries(model, config, 'active'), 'governance/not-approved', rule('model/**'));
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
