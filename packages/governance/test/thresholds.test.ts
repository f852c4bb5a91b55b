import { createVerifierKey, formatVerifierKey } from '@treering/note';
import type { PolicyBody, RecordOf } from '@treering/record';
import { coseKeyThumbprint } from '@treering/statement';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { saveState } from '../src/index.js';
import { approvalDraft, type Entry } from './drafts.js';
import {
  type Draft,
  enrolment,
  type GovernedLog,
  governedLog,
  incident,
  NOW,
  ORIGIN,
  party,
  revocation,
} from './governed-log.js';

const [ada, grace, edsger] = ['ada', 'grace', 'edsger'].map((id, i) => party(id, 61 + i));
const eve = party('eve', 64);
const RULE = 'charter/administrators';

const policyOf = (name: string): PolicyBody => ({
  rules: [{ name, who: { roles: ['engineer', 'administrator'] }, may: ['incident', 'approval'], on: ['**'] }],
});
const START = policyOf('start');
const NEXT = policyOf('next');

const policy = (body: PolicyBody): Draft => ({ type: 'policy', subject: 'policy', policy: body });
const amendment = (change: Partial<RecordOf<'amendment'>>): Draft => ({ type: 'amendment', subject: 'charter', ...change });
const listOf = (...parties: (typeof ada)[]) => parties.map(({ id, key }) => ({ id, key, roles: ['administrator'] }));
const agree = (subject: string, target: Entry, change: Partial<RecordOf<'approval'>> = {}): Draft =>
  approvalDraft(subject, target, { role: 'administrator', ...change });
const vkey = (name: string): string => formatVerifierKey(createVerifierKey(name, 1, ada.signer.key.x));

/** A log of three administrators, of whom `threshold` must agree, and of eve, an engineer. */
async function triple(threshold: number): Promise<GovernedLog> {
  const log = await governedLog([ada, grace, edsger], START, threshold);
  await log.log(ada, enrolment(eve, ['engineer', 'administrator-of-nothing']));
  return log;
}

/** Fails unless a refusal leaves the state as it was. */
async function refusesUnchanged(log: GovernedLog, ...args: Parameters<GovernedLog['refuses']>): Promise<void> {
  const before = saveState(log.state);
  await log.refuses(...args);
  assert.equal(saveState(log.state), before);
}

for (const threshold of [1, 2, 3]) {
  test(`a policy is in force once ${threshold} of three administrators agree, and not before`, async () => {
    const log = await triple(threshold);
    const proposed = await log.log(ada, policy(NEXT), RULE);
    for (const [i, by] of [grace, edsger].entries()) {
      if (i + 1 >= threshold) break;
      assert.equal(log.state.policy, START);
      assert.ok(log.state.proposal('policy'));
      await log.log(by, agree('policy', proposed), RULE);
    }
    assert.equal(log.state.policy, NEXT);
    assert.is(log.state.policyIndex, 2);
    assert.is(log.state.proposal('policy'), undefined);
    await log.log(eve, incident('model/wink'), 'policy@2/next');
  });

  test(`an amendment is in force once ${threshold} of three administrators agree, and not before`, async () => {
    const log = await triple(threshold);
    const change = { threshold: 1, log_keys: [vkey(ORIGIN)], witnesses: [vkey('witness.example')] };
    const proposed = await log.log(edsger, amendment(change), RULE);
    for (const [i, by] of [grace, ada].entries()) {
      if (i + 1 >= threshold) break;
      assert.is(log.state.threshold, threshold);
      assert.equal(log.state.witnesses, []);
      await log.log(by, agree('charter', proposed), RULE);
    }
    const { logKeys, witnesses } = log.state;
    assert.equal({ threshold: log.state.threshold, log_keys: logKeys, witnesses }, change);
    assert.is(log.state.proposal('charter'), undefined);
    assert.is(log.state.charter?.threshold, threshold, 'the charter itself stays what it was');
  });
}

test('whoever agrees twice, or proposed it, counts once', async () => {
  const log = await triple(3);
  const proposed = await log.log(ada, policy(NEXT));
  for (const by of [ada, ada, grace, grace, ada]) await log.log(by, agree('policy', proposed), RULE);
  assert.equal(log.state.policy, START);
  await log.log(edsger, agree('policy', proposed));
  assert.equal(log.state.policy, NEXT);
});

test('only administrators propose and decide on proposals, as administrators', async () => {
  const log = await triple(2);
  await log.log(ada, enrolment(eve, ['engineer', 'administrator']));
  await log.log(grace, enrolment(party('grace', 70), ['administrator']));
  for (const draft of [policy(NEXT), amendment({ threshold: 1 })])
    await refusesUnchanged(log, eve, draft, 'governance/not-allowed', RULE);
  const proposed = await log.log(ada, policy(NEXT));
  for (const decision of ['approve', 'reject'] as const) {
    for (const by of [eve, party('grace', 70)])
      await refusesUnchanged(log, by, agree('policy', proposed, { decision }), 'governance/not-allowed', RULE);
    const engineer = agree('policy', proposed, { decision, role: 'engineer' });
    await refusesUnchanged(log, grace, engineer, 'governance/invalid-record', RULE);
  }
  assert.equal(log.state.policy, START);
});

test('an agreement is about the proposal that waits, on its own subject', async () => {
  const log = await triple(2);
  const proposed = await log.log(ada, policy(NEXT));
  const amended = await log.log(ada, amendment({ threshold: 3 }));
  for (const draft of [agree('charter', proposed), agree('policy', amended), agree('policy', { leaf: new Uint8Array(32) })])
    assert.not.ok((await log.decide(grace, draft)).admitted);
  await log.log(grace, agree('charter', amended));
  assert.equal([log.state.threshold, log.state.policy], [3, START]);
  await log.log(grace, agree('policy', proposed));
  assert.equal(log.state.policy, START, 'the threshold in force counts');
  await log.log(edsger, agree('policy', proposed));
  assert.equal(log.state.policy, NEXT);
});

test('one rejection ends a proposal, also by its author', async () => {
  for (const by of [ada, edsger]) {
    const log = await triple(2);
    const proposed = await log.log(ada, policy(NEXT));
    await log.log(by, agree('policy', proposed, { decision: 'reject' }), RULE);
    assert.is(log.state.proposal('policy'), undefined);
    const late = await log.decide(grace, agree('policy', proposed));
    if (late.admitted) await log.log(grace, agree('policy', proposed));
    assert.equal(log.state.policy, START);
  }
});

test('a newer proposal replaces an older one, with all who agreed on it', async () => {
  const log = await triple(3);
  const first = await log.log(ada, policy(NEXT));
  await log.log(grace, agree('policy', first));
  const second = await log.log(edsger, policy(policyOf('other')));
  const old = await log.decide(edsger, agree('policy', first));
  assert.not.ok(old.admitted);
  await log.log(ada, agree('policy', second));
  assert.equal(log.state.policy, START);
  await log.log(grace, agree('policy', second));
  assert.equal(log.state.policy, policyOf('other'));
});

test('a policy that is in force at once leaves no older proposal waiting', async () => {
  const log = await triple(2);
  const waiting = await log.log(ada, policy(policyOf('other')));
  const amended = await log.log(ada, amendment({ threshold: 1 }));
  await log.log(grace, agree('charter', amended));
  await log.log(grace, policy(NEXT));
  assert.is(log.state.proposal('policy'), undefined);
  assert.not.ok((await log.decide(grace, agree('policy', waiting))).admitted);
  assert.equal(log.state.policy, NEXT);
});

test('an administrator revoked meanwhile agrees no more', async () => {
  const log = await triple(2);
  const proposed = await log.log(ada, policy(NEXT));
  await log.log(ada, revocation('ada'), RULE);
  await log.log(grace, agree('policy', proposed));
  assert.equal(log.state.policy, START);
  await log.log(edsger, agree('policy', proposed));
  assert.equal(log.state.policy, NEXT);
});

test('an administrator whom an amendment removed agrees no more', async () => {
  const log = await triple(2);
  const proposed = await log.log(ada, policy(NEXT));
  const amended = await log.log(grace, amendment({ administrators: listOf(grace, edsger, eve) }));
  await log.log(edsger, agree('charter', amended));
  assert.equal(
    log.state.administrators().map(({ id }) => id),
    ['grace', 'edsger', 'eve'],
  );
  await refusesUnchanged(log, ada, agree('policy', proposed), 'governance/revoked-key', 'identity@4');
  await log.log(eve, agree('policy', proposed));
  assert.equal(log.state.policy, START);
  await log.log(grace, agree('policy', proposed));
  assert.equal(log.state.policy, NEXT);
  await log.refuses(ada, enrolment(party('new', 71), []), 'governance/revoked-key', 'identity@4');
});

test('an amendment that replaces the key of an administrator ends the old one, once it is in force', async () => {
  const log = await triple(2);
  const fresh = party('ada', 73);
  const amended = await log.log(grace, amendment({ administrators: listOf(fresh, grace, edsger) }));
  await log.log(ada, incident('model/wink'), 'policy@0/start');
  await log.log(edsger, agree('charter', amended));
  for (const draft of [incident('model/wink'), policy(NEXT), enrolment(party('x', 74), []), revocation('eve')])
    await refusesUnchanged(log, ada, draft, 'governance/revoked-key', 'identity@4');
  await log.log(fresh, incident('model/wink'), 'policy@0/start');
  const back = amendment({ administrators: listOf(ada, grace, edsger) });
  await refusesUnchanged(log, grace, back, 'governance/revoked-key', 'identity@4');
});

test('whoever is no administrator any more holds the role with no other key either, and may be enrolled for other things', async () => {
  const log = await triple(1);
  const [second, helper] = [party('ada', 73), party('helper', 74)];
  await log.log(ada, enrolment(second, ['administrator', 'engineer']));
  await log.log(ada, enrolment(helper, ['administrator']));
  await log.log(grace, amendment({ administrators: listOf(grace) }));
  const rolesOf = ({ signer }: typeof ada) => log.state.identity(coseKeyThumbprint(signer.key))?.roles;
  assert.equal([rolesOf(second), rolesOf(helper)], [['engineer'], ['administrator']]);
  await log.log(grace, revocation('ada'), RULE);
  await refusesUnchanged(log, second, incident('model/wink'), 'governance/revoked-key', 'identity@5');
  await log.log(grace, enrolment(party('ada', 75), ['engineer']));
});

test('with a threshold, any administrator ends a key of another one that is no administrator', async () => {
  const log = await triple(2);
  const [thief, other] = [party('ada', 73), party('ada', 74)];
  await log.log(ada, enrolment(thief, ['engineer']));
  await log.log(ada, enrolment(other, ['engineer']));
  await refusesUnchanged(log, eve, revocation('ada', thief.key), 'governance/not-allowed', 'default deny');
  await log.log(grace, revocation('ada', thief.key), RULE);
  await refusesUnchanged(log, thief, incident('model/wink'), 'governance/revoked-key', 'identity@4');
  await log.log(other, incident('model/wink'));
  for (const draft of [revocation('ada'), revocation('ada', ada.key)])
    await refusesUnchanged(log, grace, draft, 'governance/not-allowed', RULE);
});

test('a proposal that has become a mistake is not agreed on', async () => {
  const log = await triple(2);
  const third = party('barbara', 72);
  const amended = await log.log(ada, amendment({ administrators: listOf(ada, third), threshold: 2 }));
  await log.log(ada, enrolment(third, []));
  await log.log(ada, revocation('barbara'));
  await refusesUnchanged(log, grace, agree('charter', amended), 'governance/revoked-key', 'identity@4');
  assert.is(log.state.administrators().length, 3);
  await log.log(grace, agree('charter', amended, { decision: 'reject' }));
});

test('an amendment that would lock everybody out is refused', async () => {
  const log = await triple(2);
  for (const change of [
    { threshold: 4 },
    { administrators: listOf(ada) },
    { administrators: listOf(ada, grace), threshold: 3 },
  ])
    await refusesUnchanged(log, ada, amendment(change), 'governance/locks-out', RULE);
  await log.log(ada, amendment({ administrators: listOf(ada), threshold: 1 }));
});

test('an amendment names keys that can be used, of nobody else, and of this log', async () => {
  const log = await triple(1);
  const twice = listOf(ada, { ...ada, id: 'grace' });
  const bad = [...listOf(ada), { id: 'x', key: Uint8Array.of(1), roles: [] }];
  for (const administrators of [twice, bad])
    await refusesUnchanged(log, ada, amendment({ administrators }), 'governance/invalid-record', 'charter');
  const stolen = listOf(ada, { ...eve, id: 'other' });
  await refusesUnchanged(log, ada, amendment({ administrators: stolen }), 'governance/key-taken', 'identity@1');
  for (const key of [vkey('other.example'), `${ORIGIN}+0f1e2d3c+AQIDBA`, 'none'])
    await refusesUnchanged(log, ada, amendment({ log_keys: [key] }), 'governance/invalid-record', 'charter');
  await log.log(ada, revocation('eve'));
  await refusesUnchanged(log, ada, amendment({ administrators: listOf(ada, eve) }), 'governance/revoked-key', 'identity@2');
});

test('with a threshold, one administrator takes no other one away', async () => {
  const log = await triple(2);
  for (const draft of [revocation('grace'), revocation('grace', grace.key)])
    await refusesUnchanged(log, ada, draft, 'governance/not-allowed', RULE);
  await log.log(ada, revocation('ada'));
  await refusesUnchanged(log, grace, revocation('grace'), 'governance/locks-out', RULE);
});

test('with a threshold, one administrator does not end the key of another one by enrolling it again', async () => {
  const log = await triple(2);
  const drafts = [
    enrolment(grace, ['administrator'], { valid_until: NOW - 1 }),
    enrolment(grace, [], { kind: 'workload' }),
    enrolment(grace, []),
  ];
  for (const draft of drafts) {
    const decision = await log.decide(ada, draft);
    const what = `valid until ${draft.valid_until}, ${draft.kind}, roles ${draft.roles}`;
    assert.not.ok(decision.admitted, `an enrolment of grace by ada was admitted: ${what}`);
  }
});

test('with a threshold of one, an administrator revokes another one, and the last one stays', async () => {
  const log = await triple(1);
  await log.log(ada, revocation('grace'), RULE);
  await log.log(ada, revocation('edsger'), RULE);
  await refusesUnchanged(log, ada, revocation('ada'), 'governance/locks-out', RULE);
});

test('the last administrator does not end its own key by enrolling it again', async () => {
  const log = await governedLog([ada], START);
  for (const valid_until of [0, NOW - 1, NOW + 1, NOW + 31_536_000]) {
    const draft = enrolment(ada, ['administrator'], { valid_until });
    await refusesUnchanged(log, ada, draft, 'governance/locks-out', RULE);
  }
});

test('as many administrators as must agree have keys that do not expire', async () => {
  const log = await triple(1);
  await log.log(grace, enrolment(grace, ['administrator'], { valid_until: NOW + 1 }), RULE);
  await log.log(edsger, enrolment(edsger, ['administrator'], { valid_until: NOW + 1000 }), RULE);
  await refusesUnchanged(log, ada, revocation('ada'), 'governance/locks-out', RULE);
  await refusesUnchanged(log, ada, enrolment(ada, ['administrator']), 'governance/locks-out', RULE);
  const later = { iat: NOW + 100 };
  const refusal = await log.refuses(ada, amendment({ threshold: 2 }), 'governance/locks-out', RULE, later);
  assert.match(refusal.message, /only 1 would have keys that do not expire/);
  // Named by the charter again, grace has a key that lasts.
  await log.log(ada, amendment({ administrators: listOf(ada, grace), threshold: 2 }), RULE, later);
  const proposed = await log.log(ada, policy(NEXT), RULE, later);
  await log.log(grace, agree('policy', proposed), RULE, later);
  assert.equal(log.state.policy, NEXT);
});

test('proposals and agreements name the newest record of their subject, if any', async () => {
  const log = await triple(2);
  const prev = new Uint8Array(32);
  await refusesUnchanged(log, ada, { ...policy(NEXT), prev }, 'governance/prev-conflict', 'prev');
  const proposed = await log.log(ada, policy(NEXT));
  await refusesUnchanged(log, grace, agree('policy', proposed, { prev }), 'governance/prev-conflict', 'prev');
  await log.log(grace, agree('policy', proposed, { prev: proposed.leaf }));
  assert.equal(log.state.policy, NEXT);
});

test.run();
