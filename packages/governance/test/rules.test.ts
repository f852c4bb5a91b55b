import type { PolicyBody, PolicyRule } from '@treering/record';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { EXAMPLES, RECORD_TYPES } from '../../record/test/examples.js';
import { admit } from '../src/index.js';
import { candidateOf, charterDraft, type Draft, enrolment, GovernedLog, governedLog, incident, party } from './governed-log.js';

const ada = party('ada', 1);
const eve = party('eve', 33);
const bob = party('bob', 34);
const carol = party('carol', 35);

const ADMINISTRATORS = 'charter/administrators';
/** Types that no rule opens. */
const RESERVED: readonly string[] = ['charter', 'policy', 'amendment', 'map-head'];

const draftOf = (type: (typeof RECORD_TYPES)[number]): Draft => {
  const { v: _v, ...draft } = EXAMPLES[type].minimal;
  return draft as Draft;
};

const policyOf = (rules: readonly Partial<PolicyRule>[]): PolicyBody => ({
  rules: rules.map((rule, i) => ({ name: `rule-${i}`, who: { roles: ['engineer'] }, may: ['*'], on: ['**'], ...rule })),
});

/** A log with these rules, where eve is engineer and tester, bob an approver and carol nothing. */
async function ruled(...rules: Partial<PolicyRule>[]): Promise<GovernedLog> {
  return staffed(policyOf(rules));
}

async function staffed(policy: PolicyBody): Promise<GovernedLog> {
  const log = await governedLog([ada], policy);
  await log.log(ada, enrolment(eve, ['engineer', 'tester']));
  await log.log(ada, enrolment(bob, ['approver']));
  await log.log(ada, enrolment(carol, []));
  return log;
}

/** A log with one rule for eve, and an example of each type that is valid there: an approval and a correction are about something. */
async function withExamples(may: PolicyRule['may']): Promise<{ log: GovernedLog; example: (type: string) => Draft }> {
  const plans: Partial<PolicyRule> = { who: { ids: ['ada'] }, may: ['change-plan'], on: ['system/target'] };
  const log = await ruled({ may, grants: [] }, plans);
  const subject = 'system/target';
  const { leaf: target } = await log.log(ada, { ...draftOf('change-plan'), subject } as Draft);
  const approval: Draft = { type: 'approval', subject, target, decision: 'approve', role: 'engineer' };
  const about: Record<string, Draft> = { approval, correction: { type: 'correction', subject, supersedes: target } };
  return { log, example: (type) => about[type] ?? draftOf(type as keyof typeof EXAMPLES) };
}

for (const type of RECORD_TYPES) {
  test(`without a rule nobody records ${type}`, async () => {
    const log = await ruled();
    const rule =
      { charter: 'charter', policy: ADMINISTRATORS, amendment: ADMINISTRATORS, 'map-head': 'charter' }[type as string] ??
      'default deny';
    const code = type === 'charter' ? 'governance/charter-exists' : 'governance/not-allowed';
    for (const by of [eve, bob, carol]) await log.refuses(by, draftOf(type), code, rule);
    if (!['identity', 'policy', 'amendment'].includes(type)) await log.refuses(ada, draftOf(type), code, rule);
  });

  test(`a rule about ${type} allows ${type} and nothing else`, async () => {
    const { log, example } = await withExamples([type]);
    for (const other of RECORD_TYPES) {
      const decision = await log.decide(eve, example(other));
      assert.is(decision.admitted, other === type && !RESERVED.includes(type), other);
    }
  });
}

test('"*" allows every type but those that no rule can open', async () => {
  const { log, example } = await withExamples(['*']);
  for (const type of RECORD_TYPES) {
    const decision = await log.decide(eve, example(type));
    assert.is(decision.admitted, !RESERVED.includes(type), type);
  }
});

test('not even an administrator writes a map head', async () => {
  const log = await governedLog([ada], { rules: [{ name: 'all', who: { ids: ['ada'] }, may: ['*', 'map-head'], on: ['**'] }] });
  await log.refuses(ada, draftOf('map-head'), 'governance/not-allowed', 'charter');
});

test('an administrator has no rights besides identities and policy', async () => {
  const log = await ruled({ may: ['*'] });
  await log.refuses(ada, incident('model/wink'), 'governance/not-allowed', 'default deny');
});

test('roles: one of them is enough', async () => {
  const log = await ruled({ who: { roles: ['approver', 'tester'] } });
  await log.log(eve, incident('model/wink'), 'policy@0/rule-0');
  await log.log(bob, incident('model/wink'), 'policy@0/rule-0');
  await log.refuses(carol, incident('model/wink'), 'governance/not-allowed', 'default deny');
});

test('ids: exactly these', async () => {
  const log = await ruled({ who: { ids: ['carol', 'ev'] } });
  await log.log(carol, incident('model/wink'), 'policy@0/rule-0');
  for (const by of [eve, bob]) await log.refuses(by, incident('model/wink'), 'governance/not-allowed', 'default deny');
});

test('roles and ids together must both fit', async () => {
  const log = await ruled({ who: { roles: ['engineer'], ids: ['eve', 'carol'] } });
  await log.log(eve, incident('model/wink'), 'policy@0/rule-0');
  for (const by of [bob, carol]) await log.refuses(by, incident('model/wink'), 'governance/not-allowed', 'default deny');
});

test('a rule about an issuer or claims never fits an enrolled key', async () => {
  for (const issuer of ['eve', 'identity/eve', '*', '**', 'log.example/ai']) {
    const who = [{ issuer }, { issuer, roles: ['engineer'] }, { issuer, ids: ['eve'] }, { issuer, claims: {} }];
    const policy = policyOf(who.map((w) => ({ who: w })));
    const log = await staffed({ ...policy, issuers: [{ issuer, keys: [eve.key] }] });
    await log.refuses(eve, incident('model/wink'), 'governance/not-allowed', 'default deny');
  }
});

test('an issuer of a rule is one of the policy, and no name within the log', async () => {
  const supplier = { name: 'suppliers', who: { issuer: 'https://supplier.example' }, may: ['foreign' as const], on: ['**'] };
  const unknown: Draft = { type: 'policy', subject: 'policy', policy: { rules: [supplier] } };
  const known: PolicyBody = { rules: [supplier], issuers: [{ issuer: supplier.who.issuer, keys: [eve.key] }] };
  const log = await ruled();
  await log.refuses(ada, unknown, 'governance/invalid-record', 'policy');
  const issuer = 'log.example/ai/identity/eve';
  for (const issuers of [
    [{ issuer, keys: [eve.key] }],
    [{ issuer: supplier.who.issuer, keys: [Uint8Array.of(1)] }],
    [{ issuer: `${supplier.who.issuer}/`, keys: [eve.key] }],
  ]) {
    await log.refuses(ada, { ...unknown, policy: { ...known, issuers } }, 'governance/invalid-record', 'policy');
    await new GovernedLog().refuses(ada, charterDraft([ada], { ...known, issuers }), 'governance/bad-charter', 'charter');
  }
  assert.equal(log.state.policy, { rules: [] });
  await log.log(ada, { ...unknown, policy: known }, ADMINISTRATORS);
});

test('on: the subject of the record fits one of the patterns', async () => {
  const log = await ruled({ on: ['model/w*', 'deploy/**'] });
  for (const subject of ['model/wink', 'model/w', 'deploy/a', 'deploy/a/b/c']) {
    await log.log(eve, incident(subject), 'policy@0/rule-0');
  }
  for (const subject of ['model/other', 'model/wink/x', 'model', 'deploy', 'xmodel/wink', 'policy', 'identity/eve']) {
    await log.refuses(eve, incident(subject), 'governance/not-allowed', 'default deny');
  }
});

test('the first rule that fits is named', async () => {
  const log = await ruled({ name: 'no', on: ['other/*'] }, { name: 'first' }, { name: 'second' });
  await log.log(eve, incident('model/wink'), 'policy@0/first');
});

test('a refusal says who wanted what', async () => {
  const log = await ruled();
  const { message } = await log.refuses(eve, incident('model/wink'), 'governance/not-allowed', 'default deny');
  assert.match(message, /eve \(engineer, tester\).*incident on model\/wink/);
  const none = await log.refuses(carol, incident('model/wink'), 'governance/not-allowed', 'default deny');
  assert.match(none.message, /carol \(no role\)/);
});

test('roles are those of the key that signs, as last enrolled', async () => {
  const second = party('eve', 36);
  const log = await ruled({});
  await log.log(ada, enrolment(second, ['approver']));
  await log.refuses(second, incident('model/wink'), 'governance/not-allowed', 'default deny');
  await log.log(eve, incident('model/wink'));
  await log.log(ada, enrolment(eve, ['approver']));
  await log.refuses(eve, incident('model/wink'), 'governance/not-allowed', 'default deny');
});

test('any rules decide as a plain reading of them does', async () => {
  const roles = ['engineer', 'approver', 'tester'];
  const types = ['incident', 'change-plan', 'assessment'] as const;
  const subjects = ['model/wink', 'model/wonk', 'system/credit'];
  const some = <T>(...values: T[]) => fc.subarray(values, { minLength: 1 });
  const rule = fc.record(
    {
      roles: some(...roles),
      ids: some('eve', 'bob', 'carol'),
      may: some<string>(...types, '*', 'foreign'),
      on: some('model/*', 'model/wink', 'system/**', '**', 'model'),
    },
    { requiredKeys: ['may', 'on'], noNullPrototype: true },
  );
  const log = await ruled();
  const candidates = await Promise.all(
    [eve, bob, carol].flatMap((by) =>
      types.flatMap((type) =>
        subjects.map(async (subject) => ({
          by,
          type,
          subject,
          candidate: await candidateOf(by, { ...draftOf(type), subject } as Draft),
        })),
      ),
    ),
  );
  const holds: Readonly<Record<string, readonly string[]>> = { eve: ['engineer', 'tester'], bob: ['approver'], carol: [] };
  const fits: Readonly<Record<string, readonly string[]>> = {
    'model/*': ['model/wink', 'model/wonk'],
    'model/wink': ['model/wink'],
    'system/**': ['system/credit'],
    '**': subjects,
    model: [],
  };
  let [yes, no] = [0, 0];
  const decided = fc.asyncProperty(
    fc.array(rule, { maxLength: 3 }),
    fc.constantFrom(...candidates),
    async (rules, { by, type, subject, candidate }) => {
      const named = rules.filter((r) => r.roles !== undefined || r.ids !== undefined);
      const policy: PolicyBody = {
        rules: named.map(({ may, on, ...who }, i) => ({ name: `r${i}`, who, may: may as PolicyRule['may'], on })),
      };
      const undo = log.state.apply(9, await candidateOf(ada, { type: 'policy', subject: 'policy', policy }));
      const expected = named.findIndex(
        (r) =>
          (r.roles?.some((role) => holds[by.id].includes(role)) ?? true) &&
          (r.ids?.includes(by.id) ?? true) &&
          (r.may.includes(type) || r.may.includes('*')) &&
          r.on.some((glob) => fits[glob].includes(subject)),
      );
      const decision = admit(log.state, candidate);
      undo();
      assert.equal(
        [decision.admitted, decision.rule],
        [expected >= 0, expected >= 0 ? `policy@9/r${expected}` : 'default deny'],
      );
      if (expected >= 0) yes++;
      else no++;
    },
  );
  await fc.assert(decided, { seed: 42, numRuns: 800 });
  assert.ok(yes > 100 && no > 100, `${yes} admitted, ${no} refused`);
});

test.run();
