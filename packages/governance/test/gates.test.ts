import type { GateRule, RecordOf, RecordType } from '@treering/record';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Candidate, restoreState, saveState } from '../src/index.js';
import { ada, begun, bob, carol, eve, refusesUnchanged, SUBJECT } from './approved-log.js';
import { configDraft, deploymentDraft, modelDraft } from './drafts.js';
import { candidateOf, type Draft, type GovernedLog, incident, NOW } from './governed-log.js';

// What a policy asks to be in the log, besides approvals, before something is deployed.

const GATE = `policy@0/gates/${SUBJECT}`;

/** A log with a model by eve and a configuration by bob, with one gate. */
async function gated(gate: Omit<GateRule, 'on'>): Promise<{ log: GovernedLog; model: Candidate; config: Candidate }> {
  return begun({ gates: [{ on: SUBJECT, ...gate }] });
}

type Change<T extends RecordType> = Partial<RecordOf<T>>;

function evaluation(model: Candidate, config: Candidate, change: Change<'evaluation'> = {}): Draft {
  return {
    type: 'evaluation',
    subject: 'model/score',
    model: model.leaf,
    config: config.leaf,
    suite: 'regression',
    dataset: new Uint8Array(32).fill(9),
    metrics: [{ name: 'accuracy', value: '0.91' }],
    verdict: 'pass',
    tolerances: [{ metric: 'accuracy', min: '0.9' }],
    ...change,
  };
}

/** A configuration with other files. */
function otherConfig(): Draft {
  return { ...configDraft('credit', '2'), files: [{ path: 'other.txt', digest: new Uint8Array(32).fill(0xcc) }] };
}

function assessment(target: Candidate, change: Change<'assessment'> = {}): Draft {
  return { type: 'assessment', subject: 'model/score', target: target.leaf, result: 'not-substantial', ...change };
}

const refuses = (log: GovernedLog, model: Candidate, config: Candidate, change: Change<'deployment'> = {}): Promise<string> =>
  refusesUnchanged(log, eve, deploymentDraft(model, config, change), 'governance/gate', GATE);

test('without an evaluation of this very model and configuration nothing is deployed', async () => {
  const { log, model, config } = await gated({ evaluation: {} });
  assert.match(await refuses(log, model, config), /an evaluation of this model in this configuration is missing/);
  const other = await log.log(bob, otherConfig());
  await log.log(bob, evaluation(model, other));
  assert.match(await refuses(log, model, config), /missing/);
  await log.log(bob, evaluation(model, config));
  await log.log(eve, deploymentDraft(model, config));
});

test('a subject that the gate is not about, an end, and an emergency go through', async () => {
  const { log, model, config } = await gated({ evaluation: {} });
  const elsewhere = deploymentDraft(model, config, { subject: 'deploy/test/credit', environment: 'test' });
  assert.ok((await log.decide(eve, elsewhere)).admitted);
  assert.ok((await log.decide(eve, deploymentDraft(model, config, { phase: 'ended' }))).admitted);
  assert.ok((await log.decide(eve, deploymentDraft(model, config, { break_glass: true }))).admitted);
});

test('an evaluation that failed stands until the same person evaluates the same suite again', async () => {
  const { log, model, config } = await gated({ evaluation: { within: 10 } });
  await log.log(bob, evaluation(model, config, { verdict: 'fail' }));
  await log.log(carol, evaluation(model, config));
  await log.log(bob, evaluation(model, config, { suite: 'another' }));
  assert.match(await refuses(log, model, config), /the evaluation regression \(entry \d+\) failed/);
  await log.log(bob, evaluation(model, config));
  await log.log(eve, deploymentDraft(model, config));
});

test('what was measured is compared with its own tolerances, and with those of the gate', async () => {
  const table: readonly [string, object, object, RegExp | undefined][] = [
    ['its own', { metrics: [{ name: 'accuracy', value: '0.89' }] }, {}, /measured accuracy 0.89, and it must be at least 0.9/],
    ['not measured', { metrics: [{ name: 'recall', value: '1' }] }, {}, /does not measure accuracy/],
    ['the gate: least', {}, { min: '0.92' }, /measured accuracy 0.91, and it must be at least 0.92/],
    ['the gate: most', {}, { max: '0.9' }, /measured accuracy 0.91, and it must be at most 0.9/],
    ['the gate: bounds are good', {}, { min: '0.91', max: '0.910' }, undefined],
    ['the gate: another slice', {}, { slice: 'under 25', min: '0' }, /that measures accuracy of under 25 is missing/],
    ['negative', { metrics: [{ name: 'accuracy', value: '-0.5' }], tolerances: [] }, { min: '-0.4' }, /at least -0.4/],
    ['beyond floats', { tolerances: [] }, { min: '0.9100000000000000000000001' }, /at least/],
  ];
  for (const [name, change, bound, expected] of table) {
    const tolerances = Object.keys(bound).length === 0 ? [] : [{ metric: 'accuracy', ...bound }];
    const { log, model, config } = await gated({ evaluation: { tolerances } });
    await log.log(bob, evaluation(model, config, change));
    if (expected === undefined) await log.log(eve, deploymentDraft(model, config));
    else assert.match(await refuses(log, model, config), expected, name);
  }
});

test('an evaluation must be fresh, of the suite, and by somebody else, where the gate says so', async () => {
  const { log, model, config } = await gated({ evaluation: { suite: 'reg*', within: 100, not_author: true } });
  await log.log(carol, evaluation(model, config, { suite: 'smoke' }));
  await log.log(bob, evaluation(model, config));
  assert.match(
    await refuses(log, model, config),
    /of reg\* .* by somebody other than its authors, not older than 100 seconds is missing/,
  );
  await log.log(carol, evaluation(model, config));
  assert.ok((await log.decide(eve, deploymentDraft(model, config), { iat: NOW + 100 })).admitted);
  assert.not((await log.decide(eve, deploymentDraft(model, config), { iat: NOW + 101 })).admitted);
});

test('the rules are asked again when an intent becomes active, and no more while it is carried on', async () => {
  const { log, model, config } = await gated({ evaluation: {} });
  await log.log(bob, evaluation(model, config));
  await log.log(eve, deploymentDraft(model, config));
  await log.log(bob, evaluation(model, config, { verdict: 'fail' }));
  await refuses(log, model, config, { phase: 'active' });
  await log.log(bob, evaluation(model, config));
  await log.log(eve, deploymentDraft(model, config, { phase: 'active' }));
  await log.log(bob, evaluation(model, config, { verdict: 'fail' }));
  await log.log(eve, deploymentDraft(model, config, { phase: 'active', replicas: 3 }));
});

test('model and configuration are assessed, and a substantial change conforms again', async () => {
  const { log, model, config } = await gated({ assessment: true });
  assert.match(await refuses(log, model, config), /an assessment of the model [0-9a-f]{64} is missing/);
  await log.log(bob, assessment(model));
  assert.match(await refuses(log, model, config), /an assessment of the config/);
  await log.log(bob, assessment(config, { result: 'substantial' }));
  assert.match(await refuses(log, model, config), /names no new conformity assessment/);
  await log.log(bob, assessment(config, { result: 'substantial', conformity: new Uint8Array(32) }));
  await log.log(eve, deploymentDraft(model, config));
});

test('within a plan means within the newest one, and good enough by it', async () => {
  const { log, model, config } = await gated({ assessment: true });
  const plan = (value: string): Draft => ({
    type: 'change-plan',
    subject: 'model/plan',
    modifications: ['Training on newer data of the same kind.'],
    acceptance: [{ metric: 'accuracy', min: value }],
  });
  await log.log(bob, assessment(config));
  await log.log(bob, assessment(model, { result: 'within-plan' }));
  assert.match(await refuses(log, model, config), /names none/);
  const first = await log.log(bob, plan('0.5'));
  await log.log(bob, assessment(model, { result: 'within-plan', plan: first.leaf }));
  assert.match(await refuses(log, model, config), /no evaluation measures accuracy/);
  await log.log(bob, evaluation(model, config));
  assert.ok((await log.decide(eve, deploymentDraft(model, config))).admitted);
  const second = await log.log(bob, plan('0.95'));
  assert.match(await refuses(log, model, config), /not the newest of its subject/);
  await log.log(bob, assessment(model, { result: 'within-plan', plan: second.leaf }));
  assert.match(await refuses(log, model, config), /measured accuracy 0.91, and it must be at least 0.95/);
  await log.log(bob, assessment(model, { result: 'within-plan', plan: model.leaf }));
  assert.match(await refuses(log, model, config), /not the newest/);
});

test('an open incident stops what it affects, whatever it is called, until it is closed', async () => {
  const { log, model, config } = await gated({ incidents: 'high' });
  const open = (change: Change<'incident'>): Draft => incident('config/incident-1', { severity: 'high', ...change });
  await log.log(bob, open({ severity: 'medium', affected: [model.leaf] }));
  assert.ok((await log.decide(eve, deploymentDraft(model, config))).admitted, 'not bad enough');
  await log.log(bob, open({ affected: [new Uint8Array(32)] }));
  assert.ok((await log.decide(eve, deploymentDraft(model, config))).admitted, 'something else');
  await log.log(bob, open({ severity: 'critical', affected: [model.leaf] }));
  assert.match(await refuses(log, model, config), /config\/incident-1 \(entry \d+, critical\) is open and affects the model/);
  const again = await log.log(eve, modelDraft('score'));
  assert.match(await refuses(log, again, config), /affects the model/);
  const next = await log.log(eve, modelDraft('score', 2));
  assert.ok((await log.decide(eve, deploymentDraft(next, config))).admitted, 'another model');
  await log.log(bob, open({ status: 'closed', affected: [] }));
  await log.log(eve, modelDraft('score'));
  assert.ok((await log.decide(eve, deploymentDraft(again, config))).admitted);
});

test('a service with an open incident takes only what replaces the affected deployment', async () => {
  const { log, model, config } = await gated({ incidents: 'high' });
  const deployed = await log.log(eve, deploymentDraft(model, config, { phase: 'active' }));
  await log.log(bob, incident('config/incident-1', { severity: 'high', affected: [deployed.leaf] }));
  const next = await log.log(bob, otherConfig());
  assert.match(await refuses(log, model, next), /only a deployment that replaces the affected one/);
  await refuses(log, model, next, { replaces: model.leaf });
  await refuses(log, model, config, { replaces: deployed.leaf });
  await log.log(eve, deploymentDraft(model, next, { replaces: deployed.leaf }));
});

test('what was found of a model stays with it, whatever it is recorded as', async () => {
  const { log, model, config } = await gated({ evaluation: {}, assessment: true });
  await log.log(bob, evaluation(model, config, { verdict: 'fail' }));
  await log.log(bob, assessment(model, { result: 'substantial' }));
  const again = await log.log(eve, modelDraft('score'));
  await log.log(carol, evaluation(again, config));
  assert.match(await refuses(log, again, config), /failed/);
  await log.log(bob, evaluation(again, config));
  await log.log(carol, assessment(again));
  await log.log(carol, assessment(config));
  assert.match(await refuses(log, again, config), /substantial change/, 'somebody else does not take it back');
  await log.log(bob, assessment(again));
  await log.log(eve, deploymentDraft(again, config));
});

test('an evaluation on a subject that is about something else opens nothing', async () => {
  const { log, model, config } = await gated({ evaluation: {} });
  for (const subject of ['model/sandbox', 'config/other', 'deploy/test/credit'])
    await log.log(bob, evaluation(model, config, { subject }));
  assert.match(await refuses(log, model, config), /is missing/);
  await log.log(bob, evaluation(model, config, { subject: 'config/credit' }));
  await log.log(eve, deploymentDraft(model, config));
});

test('authors do not assess their own change, where the gate says so', async () => {
  const { log, model, config } = await gated({ assessment: { not_author: true } });
  await log.log(eve, assessment(model));
  await log.log(carol, assessment(config));
  assert.match(
    await refuses(log, model, config),
    /an assessment of the model .* by somebody other than its authors is missing/,
  );
  await log.log(carol, assessment(model));
  await log.log(eve, deploymentDraft(model, config));
});

test('a state that is saved and read again decides alike, and an entry is taken back whole', async () => {
  const { log, model, config } = await gated({ evaluation: {}, assessment: true, incidents: 'low' });
  const steps: Draft[] = [
    evaluation(model, config),
    evaluation(model, config, {
      suite: 'another',
      metrics: [{ name: 'f1', value: '1', slice: 'all', unit: 'share' }],
      tolerances: [],
    }),
    assessment(model),
    assessment(config, { result: 'substantial', conformity: new Uint8Array(32) }),
    { type: 'change-plan', subject: 'model/plan', modifications: ['Newer data.'], acceptance: [{ metric: 'a', max: '1' }] },
    incident('config/incident-1', { severity: 'high', affected: [model.leaf] }),
    incident('config/incident-1', { severity: 'high', affected: [], status: 'closed' }),
  ];
  for (const draft of steps) {
    const before = saveState(log.state);
    const undo = log.state.apply(1000, await candidateOf(bob, draft));
    assert.not.equal(saveState(log.state), before, draft.type);
    undo();
    assert.equal(saveState(log.state), before, draft.type);
    await log.log(bob, draft);
    assert.equal(saveState(restoreState(saveState(log.state))), saveState(log.state));
  }
  assert.ok((await log.decide(eve, deploymentDraft(model, config))).admitted);
  assert.ok(log.state.administrators().some(({ id }) => id === ada.id));
});

test.run();
