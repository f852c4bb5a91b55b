import type { OidcProvider, PolicyBody, RecordOf } from '@treering/record';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { rolesFor, saveState } from '../src/index.js';
import { candidateOf, enrolment, type GovernedLog, governedLog, incident, NOW, party, revocation } from './governed-log.js';

const ada = party('ada', 1);
const clerk = party('clerk', 2);
const ID = `ci.x-${'a2'.repeat(13)}`;
const job = party(ID, 3);
const token = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);
const stored = {
  name: 'evidence.json',
  media_type: 'application/json',
  size: 9,
  digest: token(9),
  access: 'restricted' as const,
};

const CI: OidcProvider = {
  name: 'ci',
  issuer: 'https://ci.example',
  audience: 'log.example/ai',
  kind: 'workload',
  prefix: 'ci.x',
  binding: 'audience',
  grants: [
    { claims: { ref: 'main' }, roles: ['machine'] },
    { claims: { ref: '*' }, roles: ['tester'] },
  ],
  valid_for: 3600,
};
const STAFF: OidcProvider = {
  ...CI,
  name: 'staff',
  kind: 'person',
  prefix: 'p',
  grants: [{ claims: {}, roles: ['engineer'] }],
};

const POLICY: PolicyBody = {
  rules: [
    { name: 'exchange', who: { roles: ['registrar'] }, may: ['identity'], on: ['identity/*'] },
    { name: 'machines', who: { roles: ['machine'] }, may: ['incident'], on: ['model/*'] },
  ],
  oidc: [CI, STAFF],
};

/** An enrolment of the job by a token. */
function byToken(change: Partial<RecordOf<'identity'>> = {}, who = job) {
  return enrolment(who, ['machine'], {
    kind: 'workload',
    valid_until: NOW + 3600,
    evidence: { digest: token(9), access: 'restricted' },
    attachments: [stored],
    oidc: { provider: 'ci', token: token(1) },
    ...change,
  });
}

/** A log whose clerk exchanges tokens for enrolments. */
async function exchanging(policy: PolicyBody = POLICY): Promise<GovernedLog> {
  const log = await governedLog([ada], policy);
  await log.log(ada, enrolment(clerk, ['registrar']));
  return log;
}

async function refuses(log: GovernedLog, ...args: Parameters<GovernedLog['refuses']>): Promise<void> {
  const before = saveState(log.state);
  await log.refuses(...args);
  assert.equal(saveState(log.state), before);
}

const refusedBy = async (change: Partial<RecordOf<'identity'>>, provider = 'ci'): Promise<void> => {
  for (const by of [clerk, ada])
    await refuses(await exchanging(), by, byToken(change), 'governance/not-allowed', `policy@0/oidc/${provider}`);
};

test('a token enrols a key by a rule that grants no roles itself', async () => {
  const log = await exchanging();
  await log.log(clerk, byToken(), 'policy@0/exchange');
  await log.log(job, incident('model/wink'), 'policy@0/machines');
  const enrolled = log.state.identity((await log.log(job, incident('model/wink'))).statement.kid);
  assert.equal([enrolled?.kind, enrolled?.roles, enrolled?.validUntil], ['workload', ['machine'], NOW + 3600]);
  await log.refuses(job, incident('model/wink'), 'governance/expired-key', 'identity@2', { iat: NOW + 3601 });
});

test('who may not record identities does not with a token either', async () => {
  const log = await exchanging();
  await log.log(clerk, byToken());
  const other = party(`ci.x-${'b3'.repeat(13)}`, 4);
  await refuses(
    log,
    job,
    byToken({ oidc: { provider: 'ci', token: token(2) } }, other),
    'governance/not-allowed',
    'default deny',
  );
});

test('the provider is one of the policy in force', async () => {
  await refusedBy({ oidc: { provider: 'other', token: token(1) } }, 'other');
  await refusedBy({ oidc: { provider: 'constructor', token: token(1) } }, 'constructor');
  await refuses(await exchanging({ rules: POLICY.rules }), clerk, byToken(), 'governance/not-allowed', 'policy@0/oidc/ci');
  const log = await exchanging();
  await log.log(ada, { type: 'policy', subject: 'policy', policy: { ...POLICY, oidc: [STAFF] } });
  await refuses(log, clerk, byToken(), 'governance/not-allowed', 'policy@2/oidc/ci');
});

test('what the provider enrols is of its kind', async () => {
  await refusedBy({ kind: 'person' });
});

test('an id is the prefix of the provider and 26 characters of base32', async () => {
  const good = ID.slice(5);
  const wrong = [
    `ci.x-${good.slice(1)}`,
    `ci.x-${good}a`,
    `ci.x${good}`,
    `ciyx-${good}`,
    `p-${good}`,
    `ci.x-${'a1'.repeat(13)}`,
    `ci.x-ci.x-${good}`,
    good,
    'ada',
  ];
  for (const id of wrong.slice(0, -1)) await refusedBy({ id, subject: `identity/${id}` });
  const asAda = byToken({ id: 'ada', subject: 'identity/ada' });
  await refuses(await exchanging(), clerk, asAda, 'governance/not-allowed', 'charter/administrators');
});

test('roles are some of those that the provider grants', async () => {
  for (const roles of [['engineer'], ['machine', 'registrar'], ['constructor']]) await refusedBy({ roles });
  const log = await exchanging();
  const asAdministrator = byToken({ roles: ['administrator'] });
  await refuses(log, clerk, asAdministrator, 'governance/not-allowed', 'charter/administrators');
  await refuses(log, ada, asAdministrator, 'governance/not-allowed', 'policy@0/oidc/ci');
  await log.log(clerk, byToken({ roles: ['tester', 'machine'] }));
});

test('an enrolment lasts no longer than the provider says, to the second', async () => {
  await refusedBy({ valid_until: NOW + 3601 });
  await refusedBy({ valid_until: Number.MAX_SAFE_INTEGER });
  const log = await exchanging();
  const late = { valid_until: NOW + 3700 };
  await log.log(clerk, byToken(late), undefined, { iat: NOW + 100 });
});

test('an enrolment by token names its evidence, and is no revocation', async () => {
  const { evidence: _evidence, ...bare } = byToken();
  for (const by of [clerk, ada]) {
    await refuses(await exchanging(), by, bare, 'governance/not-allowed', 'policy@0/oidc/ci');
    const log = await exchanging();
    await log.log(clerk, byToken());
    const { oidc, evidence } = byToken();
    const revoking = { ...revocation(ID), oidc, evidence };
    const { message } = await log.refuses(by, revoking, 'governance/not-allowed', 'policy@0/oidc/ci');
    assert.match(message, 'revokes none');
  }
});

test('the evidence is stored with the enrolment, and only for those who are enrolled', async () => {
  await refusedBy({ attachments: undefined });
  await refusedBy({ attachments: [] });
  await refusedBy({ attachments: [{ ...stored, digest: token(8) }] });
  for (const access of ['public', 'withheld'] as const) {
    await refusedBy({ attachments: [{ ...stored, access }] });
    await refusedBy({ evidence: { digest: stored.digest, access } });
  }
  const log = await exchanging();
  await log.log(clerk, byToken({ attachments: [{ ...stored, name: 'other', digest: token(8), access: 'public' }, stored] }));
});

const invented = byToken({ oidc: { provider: 'ci', token: token(77) } });

test('a rule that grants roles takes no tokens, so that nobody goes beyond it by inventing one', async () => {
  const granting = { name: 'onboarding', who: { roles: ['host'] }, may: ['identity' as const], on: ['identity/**'] };
  const log = await exchanging({ ...POLICY, rules: [{ ...granting, grants: ['viewer'] }, ...POLICY.rules] });
  const host = party('host', 5);
  await log.log(ada, enrolment(host, ['host']));
  await refuses(log, host, enrolment(party('guest', 6), ['machine']), 'governance/not-allowed', 'policy@0/onboarding');
  await refuses(log, host, invented, 'governance/not-allowed', 'policy@0/onboarding');
  await log.log(ada, enrolment(host, ['host', 'registrar']));
  await log.log(host, invented, 'policy@0/exchange');
});

test('a rule that lets record everything makes nobody a registrar', async () => {
  const rules = [{ name: 'engineers', who: { roles: ['engineer'] }, may: ['*' as const], on: ['**'] }];
  const log = await exchanging({ ...POLICY, rules });
  const eve = party('eve', 5);
  await log.log(ada, enrolment(eve, ['engineer']));
  for (const draft of [invented, revocation('clerk')]) await refuses(log, eve, draft, 'governance/not-allowed', 'default deny');
  const granting = [{ ...rules[0], grants: ['machine'] }];
  await log.log(ada, { type: 'policy', subject: 'policy', policy: { ...POLICY, rules: granting } });
  await refuses(log, eve, invented, 'governance/not-allowed', 'policy@3/engineers');
});

test('whoever logged in before does so again, with another key and what the token says then', async () => {
  const log = await exchanging();
  await log.log(clerk, byToken());
  await log.log(clerk, byToken({ roles: ['tester'], oidc: { provider: 'ci', token: token(2) } }));
  const next = party(ID, 7);
  await log.log(clerk, byToken({ oidc: { provider: 'ci', token: token(3) } }, next));
  await log.log(ada, byToken({ oidc: { provider: 'ci', token: token(4) } }, party(ID, 8)));
  const renamed = [{ ...CI, name: 'build' }];
  await log.log(ada, { type: 'policy', subject: 'policy', policy: { ...POLICY, oidc: renamed } });
  await log.log(clerk, byToken({ oidc: { provider: 'build', token: token(5) } }, party(ID, 9)));
});

test('a pseudonym belongs to tokens, unless an administrator or another rule gave it away before', async () => {
  const granting = { ...POLICY.rules[0], name: 'hosts', who: { roles: ['host'] }, grants: ['machine'] };
  const log = await exchanging({ ...POLICY, rules: [...POLICY.rules, granting] });
  const host = party('host', 5);
  await log.log(ada, enrolment(host, ['host']));
  await log.log(clerk, byToken());
  await refuses(log, host, enrolment(party(ID, 6), ['machine']), 'governance/not-allowed', 'policy@0/hosts');
  const other = party(`ci.x-${'b3'.repeat(13)}`, 7);
  await log.log(host, enrolment(other, ['machine']), 'policy@0/hosts');
  const later = byToken({ oidc: { provider: 'ci', token: token(2) } }, other);
  await refuses(log, clerk, later, 'governance/not-allowed', 'policy@0/exchange');
});

test('a token does not enrol an id that a rule of the policy is about', async () => {
  const rules = [...POLICY.rules, { name: 'chief', who: { ids: [ID] }, may: ['system' as const], on: ['**'] }];
  const log = await exchanging({ ...POLICY, rules });
  await refuses(log, clerk, byToken(), 'governance/not-allowed', 'policy@0/exchange');
  await log.log(ada, byToken());
});

test('evidence counts towards the quota of whom it enrols, not of the registrar', async () => {
  const log = await exchanging({ ...POLICY, limits: { attachment_quota: 20 } });
  const logIn = (n: number, who = job) => byToken({ oidc: { provider: 'ci', token: token(n) } }, who);
  await log.log(clerk, logIn(1));
  await log.log(clerk, logIn(2, party(ID, 4)));
  await refuses(log, clerk, logIn(3, party(ID, 5)), 'governance/limit', 'policy@0/limits');
  await log.log(clerk, logIn(4, party(`ci.x-${'b3'.repeat(13)}`, 6)));
  await log.log(clerk, logIn(5), undefined, { iat: NOW + 86_400 });
});

test('a token counts once, for whatever key and whoever hands it in', async () => {
  const log = await exchanging();
  await log.log(clerk, byToken());
  const other = party(`ci.x-${'b3'.repeat(13)}`, 4);
  for (const draft of [byToken(), byToken({}, other), byToken({ roles: ['tester'] })]) {
    await refuses(log, clerk, draft, 'governance/token-used', 'identity@2');
    await refuses(log, ada, draft, 'governance/token-used', 'identity@2');
  }
  await log.log(clerk, byToken({ oidc: { provider: 'ci', token: token(2) }, valid_until: NOW + 60 }));
});

test('a token stays used after a revocation and a change of policy, and is free again when its entry is taken back', async () => {
  const log = await exchanging();
  await log.log(clerk, byToken());
  await log.log(ada, revocation(ID));
  await log.log(ada, { type: 'policy', subject: 'policy', policy: POLICY });
  const other = party(`ci.x-${'b3'.repeat(13)}`, 4);
  await refuses(log, clerk, byToken({}, other), 'governance/token-used', 'identity@2');

  const fresh = await exchanging();
  const before = saveState(fresh.state);
  const candidate = await candidateOf(clerk, byToken());
  fresh.state.apply(2, candidate)();
  assert.equal(saveState(fresh.state), before);
  await fresh.log(clerk, byToken());
});

test('a token moves no key from one id to another', async () => {
  const log = await exchanging();
  await refuses(log, clerk, byToken({ key: clerk.key }), 'governance/key-taken', 'identity@1');
  await refuses(log, clerk, byToken({ key: ada.key }), 'governance/key-taken', 'identity@0');
  await refuses(log, clerk, byToken({ key: Uint8Array.of(1) }), 'governance/invalid-record', 'identity');
});

const granting = (...grants: OidcProvider['grants']): OidcProvider => ({ ...CI, grants });
const fits = (claims: Record<string, string>, token: Record<string, unknown>): boolean =>
  rolesFor(granting({ claims, roles: ['yes'] }), token).length > 0;

test('all grants that fit count, each role once and in order', () => {
  const provider = granting(
    { claims: { ref: 'main' }, roles: ['tester', 'machine'] },
    { claims: { ref: 'ma*' }, roles: ['machine', 'engineer'] },
    { claims: { ref: 'other' }, roles: ['never'] },
  );
  assert.equal(rolesFor(provider, { ref: 'main' }), ['engineer', 'machine', 'tester']);
  assert.equal(rolesFor(provider, { ref: 'mail' }), ['engineer', 'machine']);
  assert.equal(rolesFor(provider, { ref: 'x' }), []);
  assert.equal(rolesFor(provider, {}), []);
});

test('all claims of a grant fit', () => {
  const claims = { repository: 'example/models', ref: 'main' };
  assert.ok(fits(claims, { ...claims, more: 'x' }));
  assert.not.ok(fits(claims, { ...claims, ref: 'mainx' }));
  assert.not.ok(fits(claims, { ref: 'main' }));
});

test('a path leads through groups of claims, and a name with slashes is tried first', () => {
  assert.ok(fits({ 'realm/access/role': 'dev' }, { realm: { access: { role: 'dev' } } }));
  assert.not.ok(fits({ 'realm/access/role': 'dev' }, { realm: { access: 'dev' } }));
  assert.not.ok(fits({ 'realm/access': 'dev' }, { realm: { access: { role: 'dev' } } }));
  assert.not.ok(fits({ 'realm/0': 'dev' }, { realm: ['dev'] }));
  assert.not.ok(fits({ 'realm/length': '3' }, { realm: 'dev' }));
  const url = 'https://example.com/groups';
  assert.ok(fits({ [url]: 'dev' }, { [url]: 'dev' }));
  assert.not.ok(fits({ [url]: 'dev' }, { [url]: 'ops', 'https:': { '': { 'example.com': { groups: 'dev' } } } }));
});

test('of a list each text is tried, and what is no text, number or truth value never fits', () => {
  assert.ok(fits({ groups: 'dev' }, { groups: ['ops', 'dev'] }));
  assert.not.ok(fits({ groups: 'dev' }, { groups: ['ops', 'develop', ['dev'], { dev: 'dev' }] }));
  assert.not.ok(fits({ groups: '*' }, { groups: [] }));
  for (const value of [null, undefined, {}, [null], [[]], [{}]]) assert.not.ok(fits({ x: '*' }, { x: value }));
  for (const [pattern, value] of [
    ['7', 7],
    ['true', true],
    ['false', [false]],
  ] as const)
    assert.ok(fits({ x: pattern }, { x: value }));
});

test('"*" stands for any characters, "/" too, and everything else for itself', () => {
  const ref = (pattern: string, value: string): boolean => fits({ ref: pattern }, { ref: value });
  for (const [pattern, value] of [
    ['*', ''],
    ['*', 'a/b/c'],
    ['refs/*/main', 'refs/heads/x/main'],
    ['a*b*c', 'a-b-b-c'],
    ['**', 'x'],
    ['a.c', 'a.c'],
  ])
    assert.ok(ref(pattern, value), `${pattern} ${value}`);
  for (const [pattern, value] of [
    ['main', 'Main'],
    ['main', 'main\n'],
    ['a.c', 'abc'],
    ['refs/*/main', 'refs/main'],
    ['a*', 'ba'],
    ['[a-z]', 'a'],
    ['?', 'a'],
  ])
    assert.not.ok(ref(pattern, value), `${pattern} ${value}`);
});

test('names that every object has are no claims', () => {
  for (const name of [
    'constructor',
    'toString',
    '__proto__',
    'hasOwnProperty',
    'constructor/name',
    '__proto__/x',
    'x/constructor/name',
  ])
    assert.not.ok(fits({ [name]: '*' }, { x: { y: 'z' } }), name);
  const own = JSON.parse('{"__proto__":{"x":"yes"},"constructor":"yes"}');
  assert.ok(fits({ constructor: 'yes' }, own));
  const inherited = Object.create({ ref: 'main' });
  assert.not.ok(fits({ ref: 'main' }, inherited));
});

test.run();
