import type { PolicyBody } from '@treering/record';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { admit, type Candidate, GovernanceState } from '../src/index.js';
import {
  candidateOf,
  charterDraft,
  type Draft,
  enrolment,
  GovernedLog,
  governedLog,
  incident,
  NOW,
  ORIGIN,
  party,
  revocation,
} from './governed-log.js';

// What somebody could try who may do something, to be able to do more. The registrar may enrol and revoke anybody whom the
// policy leaves to it; the charter's administrators are not among them.

const ada = party('ada', 1);
const grace = party('grace', 2);
const registrar = party('registrar', 3);
const eve = party('eve', 4);
const mallory = party('mallory', 5);

const POLICY: PolicyBody = {
  rules: [
    { name: 'registrar', who: { roles: ['registrar'] }, may: ['identity'], on: ['identity/*'], grants: ['engineer'] },
    { name: 'contractors', who: { roles: ['host'] }, may: ['identity'], on: ['identity/guest-*'], grants: [] },
    { name: 'ada-alone', who: { ids: ['ada'] }, may: ['incident'], on: ['**'] },
    { name: 'engineers', who: { roles: ['engineer'] }, may: ['incident'], on: ['model/*'] },
    { name: 'freezers', who: { roles: ['freezer'] }, may: ['freeze'], on: ['freeze/team-a'] },
  ],
};

async function staffed(): Promise<GovernedLog> {
  const log = await governedLog([ada, grace], POLICY);
  await log.log(ada, enrolment(registrar, ['registrar']));
  await log.log(ada, enrolment(eve, ['engineer', 'host', 'freezer']));
  return log;
}

const refused = async (log: GovernedLog, by: typeof ada, draft: Draft, what: string, header = {}): Promise<void> => {
  const decision = await log.decide(by, draft, header);
  assert.not.ok(decision.admitted, `${what} was admitted under ${decision.rule}`);
};
const newPolicy: Draft = {
  type: 'policy',
  subject: 'policy',
  policy: { rules: [{ name: 'few', who: { ids: ['nobody'] }, may: ['incident'], on: ['model/*'] }] },
};

test('an ordinary identity enrols and revokes nobody, itself included', async () => {
  const log = await staffed();
  for (const roles of [['administrator'], ['registrar'], ['engineer'], []]) {
    await log.refuses(eve, enrolment(eve, roles), 'governance/not-allowed', 'default deny');
    await log.refuses(eve, enrolment(mallory, roles), 'governance/not-allowed', 'default deny');
    await log.refuses(eve, enrolment(ada, roles), 'governance/not-allowed', 'default deny');
  }
  for (const id of ['ada', 'grace', 'registrar', 'eve']) {
    await log.refuses(eve, revocation(id), 'governance/not-allowed', 'default deny');
  }
});

test('an identity record is about the identity that its subject names', async () => {
  const log = await staffed();
  for (const subject of ['identity/guest-1', 'identity/registrar', 'model/ada', 'identity/ada/x']) {
    const draft: Draft = { ...enrolment(mallory, ['administrator'], { id: 'ada' }), subject };
    const error = await candidateOf(eve, draft).catch((e: { code?: string }) => e);
    assert.is((error as { code?: string }).code, 'record/invalid', subject);
  }
  await log.refuses(eve, enrolment(mallory, []), 'governance/invalid-record', 'header', { sub: 'identity/guest-1' });
});

test('a rule about some identities is not one about others', async () => {
  const log = await staffed();
  await log.log(eve, enrolment(party('guest-1', 9), []), 'policy@0/contractors');
  await log.refuses(eve, enrolment(mallory, []), 'governance/not-allowed', 'default deny');
  await log.refuses(eve, revocation('registrar'), 'governance/not-allowed', 'default deny');
  await log.refuses(eve, enrolment(registrar, [], { id: 'guest-2' }), 'governance/key-taken', 'identity@1');
  await log.refuses(eve, enrolment(ada, [], { id: 'guest-2' }), 'governance/key-taken', 'identity@0');
  await log.refuses(eve, revocation('guest-1', ada.key), 'governance/key-taken', 'identity@0');
});

test('a rule gives the roles that it grants, and one that grants none enrols nobody without a token', async () => {
  const log = await staffed();
  await log.log(registrar, enrolment(mallory, ['engineer']), 'policy@0/registrar');
  await log.log(registrar, enrolment(mallory, ['engineer'], { valid_until: NOW + 60 }), 'policy@0/registrar');
  for (const roles of [['host'], ['engineer', 'registrar'], ['freezer']]) {
    await log.refuses(registrar, enrolment(mallory, roles), 'governance/not-allowed', 'policy@0/registrar');
  }
  await log.refuses(eve, enrolment(party('guest-1', 9), ['engineer']), 'governance/not-allowed', 'policy@0/contractors');
  const { grants: _grants, ...silent } = POLICY.rules[0];
  await log.log(ada, { type: 'policy', subject: 'policy', policy: { rules: [silent] } });
  for (const roles of [['engineer'], []]) {
    await log.refuses(registrar, enrolment(mallory, roles), 'governance/not-allowed', 'policy@5/registrar');
  }
  await log.log(registrar, revocation('mallory'), 'policy@5/registrar');
});

test('of two rules that a registrar has, the one that grants the roles allows, in whatever order they stand', async () => {
  const { grants: _grants, ...tokens } = { ...POLICY.rules[0], name: 'tokens' };
  const rules = [tokens, POLICY.rules[0]];
  for (const policy of [{ rules: [...rules].reverse() }, { rules }]) {
    const log = await staffed();
    await log.log(ada, { type: 'policy', subject: 'policy', policy });
    await log.log(registrar, enrolment(mallory, ['engineer']), 'policy@3/registrar');
  }
});

test('only an administrator gives the role of that name, and it makes nobody an administrator of the charter', async () => {
  const log = await staffed();
  for (const roles of [['administrator'], ['engineer', 'administrator']]) {
    await log.refuses(registrar, enrolment(mallory, roles), 'governance/not-allowed', 'charter/administrators');
    await log.refuses(registrar, enrolment(registrar, roles), 'governance/not-allowed', 'charter/administrators');
  }
  await log.log(ada, enrolment(mallory, ['administrator']));
  await log.refuses(mallory, newPolicy, 'governance/not-allowed', 'charter/administrators');
  await log.refuses(mallory, enrolment(eve, ['registrar']), 'governance/not-allowed', 'default deny');
  await log.refuses(mallory, revocation('ada'), 'governance/not-allowed', 'default deny');
});

test('a further key of an administrator is no administrator', async () => {
  const log = await staffed();
  await log.log(ada, enrolment(party('ada', 8), ['administrator']));
  await log.refuses(party('ada', 8), newPolicy, 'governance/not-allowed', 'charter/administrators');
});

test('who may enrol does not revoke an administrator', async () => {
  const log = await staffed();
  await refused(log, registrar, revocation('ada'), 'revoking all keys of an administrator');
  await refused(log, registrar, revocation('ada', ada.key), 'revoking the key of an administrator');
});

test('who may enrol does not write over the entry of an administrator', async () => {
  const log = await staffed();
  await refused(log, registrar, enrolment(ada, []), 'taking the roles of an administrator');
  await refused(log, registrar, enrolment(ada, ['administrator', 'registrar']), 'giving roles to an administrator');
  await refused(
    log,
    registrar,
    enrolment(ada, ['administrator'], { valid_until: NOW - 1 }),
    'ending the key of an administrator',
  );
  await refused(log, registrar, enrolment(ada, ['administrator'], { kind: 'workload' }), 'making an administrator a workload');
});

test('who may enrol does not add a key of its own to an administrator', async () => {
  const log = await staffed();
  await refused(log, registrar, enrolment(mallory, [], { id: 'ada' }), 'a second key for an administrator');
});

test('what only one id may is not had by enrolling a key under it', async () => {
  const log = await staffed();
  const fake = party('ada', 5);
  const enrol = await candidateOf(registrar, enrolment(fake, []));
  if (admit(log.state, enrol).admitted) log.state.apply(log.size++, enrol);
  await refused(log, fake, incident('system/credit'), 'a record in the name of an administrator');
});

test('who may enrol does not enrol an id that a rule of the policy is about', async () => {
  const log = await staffed();
  const policy: PolicyBody = { rules: [...POLICY.rules, { ...POLICY.rules[2], name: 'robot', who: { ids: ['guest-9'] } }] };
  await log.log(registrar, enrolment(party('guest-9', 9), []), 'policy@0/registrar');
  await log.log(ada, { type: 'policy', subject: 'policy', policy });
  for (const fill of [9, 10]) {
    await log.refuses(registrar, enrolment(party('guest-9', fill), []), 'governance/not-allowed', 'policy@4/registrar');
    await log.refuses(eve, enrolment(party('guest-9', fill), []), 'governance/not-allowed', 'policy@4/contractors');
  }
  await log.log(ada, enrolment(party('guest-9', 10), []));
});

test('who may enrol adds no key to whom it did not enrol', async () => {
  const log = await staffed();
  const [further, again] = [10, 11].map((fill) => party('guest-1', fill));
  await log.refuses(registrar, enrolment(party('eve', 9), []), 'governance/not-allowed', 'policy@0/registrar');
  await log.log(eve, enrolment(party('guest-1', 9), []), 'policy@0/contractors');
  await log.refuses(registrar, enrolment(further, ['engineer']), 'governance/not-allowed', 'policy@0/registrar');
  await log.log(eve, enrolment(further, []), 'policy@0/contractors');
  await log.log(ada, enrolment(again, []));
  await log.refuses(eve, enrolment(party('guest-1', 12), []), 'governance/not-allowed', 'policy@0/contractors');
});

test('of two rules that one has, the one that enrolled somebody gives further keys', async () => {
  const log = await staffed();
  await log.log(eve, enrolment(party('guest-1', 9), []), 'policy@0/contractors');
  await log.log(ada, enrolment(registrar, ['registrar', 'host']));
  await log.log(registrar, enrolment(party('guest-1', 10), []), 'policy@0/contractors');
  await log.log(registrar, enrolment(party('guest-2', 11), []), 'policy@0/registrar');
});

test('who may enrol changes neither roles nor kind of a key, and extends it', async () => {
  const log = await staffed();
  const code = 'governance/not-allowed';
  await log.log(registrar, enrolment(mallory, ['engineer']));
  await log.refuses(registrar, enrolment(mallory, []), code, 'policy@0/registrar');
  await log.refuses(registrar, enrolment(mallory, ['engineer'], { kind: 'workload' }), code, 'policy@0/registrar');
  await log.refuses(registrar, enrolment(eve, ['engineer']), code, 'policy@0/registrar');
  await log.log(registrar, enrolment(mallory, ['engineer'], { valid_until: NOW + 63_072_000 }));
  await log.log(ada, enrolment(mallory, [], { kind: 'workload' }));
  await log.refuses(registrar, enrolment(mallory, [], { kind: 'workload' }), code, 'policy@0/registrar');
});

test('an id of a person is no mail address, and one of a workload may be what it likes', async () => {
  const log = await staffed();
  const [person, job] = [party('eve@example.org', 90), party('job@runner', 91)];
  for (const by of [ada, registrar])
    await log.refuses(by, enrolment(person, ['engineer']), 'governance/invalid-record', 'identity');
  await log.log(ada, enrolment(job, ['engineer'], { kind: 'workload' }));
  await log.log(ada, revocation('job@runner'));
  const administrators = [ada, person].map(({ id, key }) => ({ id, key, roles: [] }));
  await log.refuses(ada, { type: 'amendment', subject: 'charter', administrators }, 'governance/invalid-record', 'charter');
  const charter = charterDraft([ada, person], { rules: [] });
  await new GovernedLog().refuses(ada, charter, 'governance/bad-charter', 'charter');
});

test('administrators enrol, extend and revoke each other', async () => {
  const log = await staffed();
  await log.log(ada, enrolment(grace, ['administrator', 'approver']), 'charter/administrators');
  await log.log(grace, newPolicy, 'charter/administrators');
  await log.refuses(grace, revocation('ada'), 'governance/locks-out', 'charter/administrators');
  const administrators = [ada, grace].map(({ id, key }) => ({ id, key, roles: ['administrator'] }));
  await log.log(grace, { type: 'amendment', subject: 'charter', administrators }, 'charter/administrators');
  await log.log(grace, revocation('ada'), 'charter/administrators');
  await log.refuses(ada, newPolicy, 'governance/revoked-key', 'identity@6');
  await log.refuses(grace, enrolment(ada, ['administrator']), 'governance/revoked-key', 'identity@6');
});

test('a revoked administrator does nothing any more', async () => {
  const log = await staffed();
  await log.log(grace, revocation('ada'));
  for (const draft of [newPolicy, enrolment(mallory, []), revocation('grace'), enrolment(ada, []), incident('model/wink')]) {
    await log.refuses(ada, draft, 'governance/revoked-key', 'identity@3');
  }
});

test('the charter of this log or of another one is not taken again', async () => {
  const log = await staffed();
  const draft = charterDraft([mallory], POLICY);
  await log.refuses(mallory, draft, 'governance/charter-exists', 'charter');
  await log.refuses(ada, charterDraft([ada, mallory], POLICY), 'governance/charter-exists', 'charter');
  await log.refuses(ada, { ...charterDraft([ada], POLICY), origin: 'other.example' }, 'governance/charter-exists', 'charter');
});

test('a statement of another log with the same key is not taken', async () => {
  const log = await staffed();
  await log.refuses(eve, incident('model/wink'), 'governance/wrong-issuer', 'header', { iss: 'other.example/identity/eve' });
  await log.refuses(ada, newPolicy, 'governance/wrong-issuer', 'header', { iss: 'other.example/identity/ada' });
});

/** A charter is admitted and taken in, or refused: never admitted and then impossible. */
async function refusesCharter(draft: Draft, what: string): Promise<void> {
  const candidate: Candidate = await candidateOf(ada, draft);
  const decision = admit(new GovernanceState(), candidate);
  assert.not.ok(decision.admitted, `${what} was admitted`);
  assert.is(!decision.admitted && decision.code, 'governance/bad-charter', what);
}

test('a charter with a key that is no key is refused, wherever it stands', async () => {
  const good = { id: 'ada', key: ada.key, roles: [] };
  const bad = { id: 'bad', key: Uint8Array.of(1, 2, 3), roles: [] };
  for (const administrators of [
    [bad, good],
    [good, bad],
  ]) {
    const draft = { ...charterDraft([ada], POLICY), administrators };
    await refusesCharter(draft, `a charter with the bad key at ${administrators.indexOf(bad)}`);
  }
});

test('a charter in which two administrators share a key is refused', async () => {
  const twice = [ada, { ...ada, id: 'grace' }];
  await refusesCharter(charterDraft(twice, POLICY, 2), 'one key under two names');
});

test('whoever may freeze some subjects cannot lock the governance of the log', async () => {
  for (const on of ['**', 'identity/**', 'policy', '*']) {
    const log = await staffed();
    const freeze = await candidateOf(eve, { type: 'freeze', subject: 'freeze/team-a', on });
    if (admit(log.state, freeze).admitted) log.state.apply(log.size++, freeze);
    for (const draft of [revocation('eve'), newPolicy]) {
      const decision = await log.decide(ada, draft);
      assert.ok(
        decision.admitted,
        `after eve froze ${on}, an administrator's ${draft.type} record is refused: ${decision.rule}`,
      );
    }
  }
});

test('whoever may freeze under one name does not freeze what no rule leaves to it', async () => {
  const log = await staffed();
  await refused(log, eve, { type: 'freeze', subject: 'freeze/team-a', on: '**' }, 'a freeze of everything');
});

test('records about governance that do not govern change no rights', async () => {
  const log = await staffed();
  await log.log(ada, incident('policy'), 'policy@0/ada-alone');
  await log.log(ada, incident('identity/eve'), 'policy@0/ada-alone');
  await log.log(ada, incident('charter'), 'policy@0/ada-alone');
  assert.equal(log.state.policy, POLICY);
  assert.is(log.state.identities().length, 4);
  await log.log(eve, incident('model/wink'), 'policy@0/engineers');
  assert.is(log.state.charter?.origin, ORIGIN);
});

test.run();
