import { configDigest, type RecordOf, stateDigest } from '@treering/record';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { begun, bob, carol, eve, MODEL, need, refusesUnchanged, rule, SUBJECT } from './approved-log.js';
import { approvalDraft, configDraft, deploymentDraft, modelDraft } from './drafts.js';

// A deployment says by its state digest what runs. It is the one of the model, the configuration and the image that it names.

const zeros = new Uint8Array(32);
const image = new Uint8Array(32).fill(7);
const OTHER = { leaf: new Uint8Array(32).fill(0xee) };

test('the state is that of the digests of the model and the configuration, and of the image', async () => {
  const { log, model, config } = await begun();
  const { digest } = model.record as RecordOf<'model'>;
  const state = stateDigest(digest, configDigest(config.record as RecordOf<'config'>), image);
  const draft = deploymentDraft(model, config, { image, state });
  for (const wrong of [zeros, stateDigest(model.leaf, config.leaf, image), stateDigest(digest, config.leaf, image)])
    await refusesUnchanged(log, eve, { ...draft, state: wrong }, 'governance/invalid-record', 'deployment');
  await refusesUnchanged(log, eve, deploymentDraft(model, config, { state }), 'governance/invalid-record', 'deployment');
  const swapped = { ...draft, model: config.leaf, config: model.leaf, state: zeros };
  assert.ok((await log.decide(eve, swapped)).admitted, 'no rule asks what is no model');
  const broken = { ...draft, state: zeros, break_glass: true as const };
  await refusesUnchanged(log, eve, broken, 'governance/invalid-record', 'deployment');
  const message = await refusesUnchanged(log, eve, { ...draft, state: zeros }, 'governance/invalid-record', 'deployment');
  assert.match(message, Buffer.from(state).toString('hex'));
  await log.log(eve, draft);
  await log.log(eve, { ...draft, phase: 'active' });
});

test('what was approved is not deployed as something else', async () => {
  const { log, model, config } = await begun(need('model/*', 1), need('deploy/**', 1, { not_author: false }));
  await log.log(carol, approvalDraft(MODEL, model));
  const forged = deploymentDraft(model, config, { state: OTHER.leaf });
  await refusesUnchanged(log, eve, forged, 'governance/invalid-record', 'deployment');
  const intent = await log.log(eve, deploymentDraft(model, config));
  await log.log(bob, approvalDraft(SUBJECT, intent, {}));
  await refusesUnchanged(log, eve, { ...forged, phase: 'active' }, 'governance/invalid-record', 'deployment');
});

test('where approvals are asked for, the log has what is deployed', async () => {
  for (const on of ['config/*', 'model/*', 'deploy/**']) {
    const { log, model, config } = await begun(need(on, 1, { not_author: false }));
    await log.log(carol, approvalDraft(MODEL, model));
    await log.log(carol, approvalDraft('config/credit', config));
    for (const draft of [deploymentDraft(model, OTHER), deploymentDraft(OTHER, config), deploymentDraft(config, model)]) {
      await refusesUnchanged(log, eve, draft, 'governance/not-approved', rule(on));
      assert.ok((await log.decide(eve, { ...draft, break_glass: true })).admitted, 'an emergency');
      assert.ok((await log.decide(eve, { ...draft, phase: 'ended' })).admitted, 'an end');
    }
    await log.log(eve, deploymentDraft(model, config));
  }
  const { log, model } = await begun(need('system/*', 1));
  await log.log(eve, deploymentDraft(model, OTHER));
});

test('an earlier version that is deployed is known too', async () => {
  const { log, model, config } = await begun();
  await log.log(eve, modelDraft('score', 2));
  await log.log(eve, configDraft('credit', '2'));
  await log.log(eve, deploymentDraft(model, config));
  const wrong = deploymentDraft(model, config, { state: zeros });
  await refusesUnchanged(log, eve, wrong, 'governance/invalid-record', 'deployment');
});

test.run();
