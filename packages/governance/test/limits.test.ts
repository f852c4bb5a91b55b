import type { PolicyBody } from '@treering/record';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { EXAMPLES } from '../../record/test/examples.js';
import { admit, checkClock, DEFAULT_CLOCK_SKEW, GovernanceState, saveState } from '../src/index.js';
import {
  candidateOf,
  charterDraft,
  type Draft,
  enrolment,
  expectRefusal,
  GovernedLog,
  governedLog,
  incident,
  NOW,
  party,
  revocation,
} from './governed-log.js';

const ada = party('ada', 1);
const grace = party('grace', 2);
const eve = party('eve', 3);
const NO_RULES: PolicyBody = { rules: [] };
const ENGINEERS: PolicyBody = {
  rules: [
    {
      name: 'engineers',
      who: { roles: ['engineer'] },
      may: ['incident', 'deployment', 'freeze'],
      on: ['model/*', 'deploy/**', 'freeze/*'],
    },
  ],
};

const deployment = (change: object = {}): Draft => {
  const { v: _v, reason: _reason, ...rest } = EXAMPLES.deployment.minimal;
  return { ...rest, ...change };
};

/** A log where eve is an engineer. */
async function engineered(policy: PolicyBody = ENGINEERS): Promise<GovernedLog> {
  const log = await governedLog([ada], policy);
  await log.log(ada, enrolment(eve, ['engineer']), 'charter/administrators');
  return log;
}

test('prev names the newest record of the subject, or the record is refused with the newest one', async () => {
  const log = await engineered();
  const nothing = await log.refuses(
    eve,
    incident('model/wink', { prev: new Uint8Array(32) }),
    'governance/prev-conflict',
    'prev',
  );
  assert.is(nothing.current, undefined);
  const first = await log.log(eve, incident('model/wink'));
  const second = await log.log(eve, incident('model/wink', { prev: first.leaf }));
  const stale = await log.refuses(eve, incident('model/wink', { prev: first.leaf }), 'governance/prev-conflict', 'prev');
  assert.equal(stale.current, { index: 3, leaf: second.leaf });
  await log.refuses(eve, incident('model/wonk', { prev: second.leaf }), 'governance/prev-conflict', 'prev');
  await log.log(eve, incident('model/wink'));
  await log.refuses(eve, incident('model/wink', { prev: second.leaf }), 'governance/prev-conflict', 'prev');
});

test('a charter has nothing before it that prev could name', async () => {
  const charter = { ...charterDraft([ada], NO_RULES), prev: new Uint8Array(32).fill(9) };
  await new GovernedLog().refuses(ada, charter, 'governance/prev-conflict', 'prev');
});

test('what is frozen takes no more records, until its end or for ever', async () => {
  const log = await engineered();
  await log.log(eve, { type: 'freeze', subject: 'freeze/models', on: 'model/w*', until: NOW + 100 });
  await log.refuses(eve, incident('model/wink'), 'governance/frozen', 'freeze@2');
  await log.refuses(eve, incident('model/wink'), 'governance/frozen', 'freeze@2', { iat: NOW + 99 });
  await log.log(eve, incident('model/wink'), undefined, { iat: NOW + 100 });
  await log.log(eve, incident('model/other'));
  await log.log(eve, { type: 'freeze', subject: 'freeze/live', on: 'deploy/production/**' });
  await log.refuses(eve, deployment(), 'governance/frozen', 'freeze@5', { iat: NOW + 30_000_000 });
  await log.log(eve, { type: 'freeze', subject: 'freeze/models', on: 'model/w*', until: NOW + 10 });
  await log.refuses(eve, incident('model/wink'), 'governance/frozen', 'freeze@2', { iat: NOW + 50 });
});

test('limits of the policy hold for every record', async () => {
  const limits = { entry_bytes: 700, attachments: 1 };
  const log = await engineered({ ...ENGINEERS, limits });
  await log.log(eve, incident('model/wink'));
  const long = await candidateOf(eve, { ...incident('model/wink'), reason: 'x'.repeat(1000) });
  expectRefusal(admit(log.state, long), 'governance/limit', 'policy@0/limits');
  const room = 700 - (await candidateOf(eve, { ...incident('model/wink'), reason: 'x'.repeat(300) })).statement.entry.length;
  const exact = await candidateOf(eve, { ...incident('model/wink'), reason: 'x'.repeat(300 + room) });
  assert.is(exact.statement.entry.length, 700);
  assert.ok(admit(log.state, exact).admitted);
  const more = await candidateOf(eve, { ...incident('model/wink'), reason: 'x'.repeat(301 + room) });
  expectRefusal(admit(log.state, more), 'governance/limit', 'policy@0/limits');

  const attachments = ['a', 'b'].map((name) => ({
    name,
    media_type: 'text/plain',
    size: 1,
    digest: new Uint8Array(32),
    access: 'public' as const,
  }));
  await log.log(eve, incident('model/wink', { attachments: attachments.slice(1) }));
  await log.refuses(eve, incident('model/wink', { attachments }), 'governance/limit', 'policy@0/limits');
});

test('limits never stop the administrators from governing', async () => {
  const log = await engineered({ ...ENGINEERS, limits: { entry_bytes: 512, attachments: 0 } });
  const reason = 'x'.repeat(1000);
  await log.refuses(eve, { ...incident('model/wink'), reason }, 'governance/limit', 'policy@0/limits');
  const attachments = [{ ...document, name: 'order' }];
  await log.log(ada, { ...enrolment(eve, ['engineer']), reason, attachments }, 'charter/administrators');
  await log.log(ada, { ...revocation('eve'), reason }, 'charter/administrators');
});

test('a break-glass deployment needs a policy that allows it', async () => {
  const closed = await engineered();
  await closed.log(eve, deployment());
  await closed.refuses(eve, deployment({ break_glass: true }), 'governance/limit', 'policy@0/limits');
  const open = await engineered({ ...ENGINEERS, limits: { break_glass: true } });
  await open.log(eve, deployment({ break_glass: true }), 'policy@0/engineers');
  const off = await engineered({ ...ENGINEERS, limits: { break_glass: false } });
  await off.refuses(eve, deployment({ break_glass: true }), 'governance/limit', 'policy@0/limits');
});

test('an administrator changes the policy, which counts from the next entry on', async () => {
  const log = await engineered();
  const change = (policy: PolicyBody): Draft => ({ type: 'policy', subject: 'policy', policy });
  const others: PolicyBody = { rules: [{ ...ENGINEERS.rules[0], who: { ids: ['somebody'] } }] };
  await log.refuses(eve, change(others), 'governance/not-allowed', 'charter/administrators');
  await log.log(eve, incident('model/wink'), 'policy@0/engineers');
  await log.log(ada, change(others), 'charter/administrators');
  await log.refuses(eve, incident('model/wink'), 'governance/not-allowed', 'default deny');
  await log.log(ada, change(ENGINEERS));
  await log.log(eve, incident('model/wink'), 'policy@4/engineers');
});

test('a policy that needs two administrators is only proposed by one', async () => {
  const log = await governedLog([ada, grace], NO_RULES, 2);
  const change: Draft = { type: 'policy', subject: 'policy', policy: ENGINEERS };
  for (const by of [ada, grace]) {
    await log.log(by, change, 'charter/administrators');
    assert.equal(log.state.policy, NO_RULES);
    assert.is(log.state.policyIndex, 0);
  }
});

test('iat lies within five minutes of the clock, or of what the policy narrows it to', async () => {
  assert.is(DEFAULT_CLOCK_SKEW, 300);
  const log = await governedLog([ada], NO_RULES);
  const narrow = await governedLog([ada], { rules: [], limits: { clock_skew: 10 } });
  const signedAt = (iat: number) => candidateOf(ada, incident('model/wink'), { iat });
  for (const [state, skew] of [
    [new GovernanceState(), 300],
    [log.state, 300],
    [narrow.state, 10],
  ] as const) {
    for (const off of [0, 1, -1, skew, -skew]) {
      assert.equal(checkClock(state, await signedAt(NOW + off), NOW), { admitted: true, rule: 'clock' }, `${off} of ${skew}`);
    }
    for (const off of [skew + 1, -skew - 1, 1e9, -NOW]) {
      const { message } = expectRefusal(checkClock(state, await signedAt(NOW + off), NOW), 'governance/clock', 'clock');
      assert.match(message, off > 0 ? 'early' : 'old');
      assert.match(message, String(skew));
    }
    expectRefusal(checkClock(state, await signedAt(NOW), Number.NaN), 'governance/clock', 'clock');
  }
});

const document = { name: 'a', media_type: 'text/plain', size: 60, digest: new Uint8Array(32), access: 'public' as const };

test('attachments are bounded one by one and by the day, withheld ones not', async () => {
  const limits = { attachment_bytes: 60, attachment_quota: 150 };
  const log = await engineered({ ...ENGINEERS, limits });
  const [day, rule] = [86_400, 'policy@0/limits'];
  const midnight = NOW - (NOW % day) + day;
  const attaching = (...sizes: number[]) =>
    incident('model/wink', { attachments: sizes.map((size, i) => ({ ...document, size, name: `${i}` })) });
  await log.refuses(eve, attaching(61), 'governance/limit', rule);
  await log.refuses(eve, attaching(60, 60, 31), 'governance/limit', rule);
  const withheld = incident('model/wink', { attachments: [{ ...document, size: 1000, access: 'withheld' }] });
  await log.log(eve, withheld);
  // Around midnight the clocks of those who sign may disagree about the day.
  await log.log(eve, attaching(60, 60), undefined, { iat: midnight - 1 });
  await log.refuses(eve, attaching(31), 'governance/limit', rule, { iat: midnight - 1 });
  await log.log(eve, attaching(30), undefined, { iat: midnight - 1 });
  await log.log(eve, withheld, undefined, { iat: midnight - 1 });
  await log.refuses(eve, attaching(1), 'governance/limit', rule, { iat: midnight - 1 });
  await log.log(eve, attaching(60), undefined, { iat: midnight });
  await log.log(eve, attaching(60), undefined, { iat: midnight - 1 });
  await log.refuses(eve, attaching(31), 'governance/limit', rule, { iat: midnight });
  await log.log(eve, attaching(30), undefined, { iat: midnight });
  await log.refuses(eve, attaching(1), 'governance/limit', rule, { iat: midnight - 1 });
  await log.refuses(eve, attaching(1), 'governance/limit', rule, { iat: midnight });
});

test('any record that is admitted can be saved', async () => {
  const log = await engineered();
  const huge = { ...document, size: Number.MAX_SAFE_INTEGER };
  const candidate = await candidateOf(eve, incident('model/wink', { attachments: [huge, { ...huge, name: 'b' }] }));
  if (admit(log.state, candidate).admitted) log.state.apply(2, candidate);
  assert.instance(saveState(log.state), Uint8Array);
});

test('whatever the times in records, there is a decision', async () => {
  const log = await engineered();
  const forever = await candidateOf(ada, enrolment(eve, ['engineer'], { valid_until: Number.MAX_SAFE_INTEGER - 1 }));
  if (admit(log.state, forever).admitted) log.state.apply(2, forever);
  assert.not.ok((await log.decide(eve, incident('model/wink'), { iat: Number.MAX_SAFE_INTEGER })).admitted);
});

test.run();
