import type { PolicyBody, PolicyRule } from '@treering/record';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { EXAMPLES } from '../../record/test/examples.js';
import { explainPolicy } from '../src/index.js';

// What a policy says to people before it is signed, and what is wrong with it.

const ENGINEERS: PolicyRule = { name: 'engineers', who: { roles: ['engineer'] }, may: ['model'], on: ['model/*'] };
const [CI] = EXAMPLES.policy.full.policy.oidc ?? [];
const read = (rules: PolicyRule[], change: Partial<PolicyBody> = {}) => explainPolicy({ rules, ...change });

test('whoever may record everything is remarked upon, administrators not', () => {
  assert.match(read([{ ...ENGINEERS, may: ['*'] }]).remarks.join(), 'the rule engineers lets record everything');
  const named = { ...ENGINEERS, may: ['*' as const], who: { roles: ['administrator'] } };
  assert.equal(read([named], { approvals: [] }).remarks, ['nothing has to be approved before it is deployed']);
  for (const who of [{ roles: ['administrator', 'engineer'] }, { ids: ['ada'] }])
    assert.match(read([{ ...named, who }]).remarks.join(), 'lets record everything');
});

test('everything is everything but identity, unless the rule says which roles it gives', () => {
  assert.match(read([{ ...ENGINEERS, may: ['*'] }]).sentences[0], 'may record everything but identity on model/*.');
  const giving = { ...ENGINEERS, may: ['*' as const], grants: ['engineer'] };
  assert.match(read([giving]).sentences[0], 'may record everything on model/*, and gives the roles engineer.');
});

test('a gate is read out whole, and somebody must be able to record what it asks for', () => {
  const gates = EXAMPLES.policy.full.policy.gates as NonNullable<PolicyBody['gates']>;
  const { sentences, mistakes } = read([ENGINEERS], { gates });
  assert.is(
    sentences[1],
    'Before deploy/production/* is deployed, an evaluation of credit regression must pass, none older than 7 days, by somebody other than its authors, with auc of under 25 at least 0.8 at most 1; model and configuration must be assessed as no substantial change, or as conforming again; no incident of high severity or worse that affects it may be open.',
  );
  assert.equal(
    mistakes.map((mistake) => mistake.replace(/.* needs an (\w+),.*/, '$1')),
    ['evaluation', 'assessment'],
  );
  const evaluators: PolicyRule = { ...ENGINEERS, name: 'evaluators', may: ['evaluation', 'assessment'], on: ['model/*'] };
  assert.equal(read([ENGINEERS, evaluators], { gates }).mistakes, []);
});

test('identity providers need a rule that takes their tokens', () => {
  const registrars: PolicyRule = { ...ENGINEERS, name: 'registrars', may: ['identity'], on: ['identity/*'] };
  const oidc = { oidc: [CI] };
  assert.equal(read([registrars], oidc).mistakes, []);
  assert.match(read([registrars], oidc).sentences[0], 'enrols what a token of an identity provider proves');
  for (const rule of [ENGINEERS, { ...ENGINEERS, may: ['*' as const] }, { ...registrars, grants: ['engineer'] }])
    assert.match(read([rule], oidc).mistakes.join(), 'no rule lets a registrar');
  assert.match(read([registrars]).remarks.join(), 'it enrols nobody');
});

test('a rule about a pseudonym is remarked upon: it ends enrolments by token', () => {
  const rules = (id: string): PolicyRule[] => [{ ...ENGINEERS, who: { ids: [id] } }];
  assert.match(read(rules(`ci-${'a'.repeat(26)}`), { oidc: [CI] }).remarks.join(), 'no token does any more');
  assert.not.match(read(rules('cid'), { oidc: [CI] }).remarks.join(), 'no token');
});

test('who approves must be let approve wherever approvals are asked for', () => {
  const approving = (...on: string[]): PolicyRule => ({ ...ENGINEERS, who: { roles: ['approver'] }, may: ['approval'], on });
  const mistakes = (on: string, rule: PolicyRule): readonly string[] =>
    read([rule], { approvals: [{ on, need: 1, roles: ['approver'], not_author: true }] }).mistakes;
  const good = [
    ['model/*', approving('model/*')],
    ['model/x', approving('config/*', 'model/*')],
    ['deploy/production/**', approving('deploy/**')],
    ['**', approving('model/*', 'config/*', 'deploy/**')],
    ['**', approving('**')],
  ] as const;
  for (const [on, rule] of good) assert.equal(mistakes(on, rule), [], on);
  const bad: readonly (readonly [string, PolicyRule])[] = [
    ['model/*', approving('model/x')],
    ['model/**', approving('model/*')],
    ['deploy/**', approving('deploy/production/**')],
    ['**', approving('model/*', 'config/*')],
    ['model/*', { ...approving('model/*'), may: ['model'] }],
  ];
  for (const [on, rule] of bad)
    assert.match(mistakes(on, rule).join(), /something could not be deployed|nothing could be deployed/, on);
});

test('limits that nobody could log in under are mistakes, and approvals that are old at once are remarked upon', () => {
  const registrars: PolicyRule = { ...ENGINEERS, may: ['identity'], on: ['identity/*'] };
  for (const limits of [{ attachments: 0 }, { attachment_bytes: 100 }, { attachment_quota: 16_383 }]) {
    assert.match(read([registrars], { oidc: [CI], limits }).mistakes.join(), 'nobody could log in');
    assert.equal(read([ENGINEERS], { limits }).mistakes, []);
  }
  assert.equal(read([registrars], { oidc: [CI], limits: { attachments: 1, attachment_bytes: 16_384 } }).mistakes, []);
  const approvals = [{ on: 'model/*', need: 1, roles: ['approver'], not_author: true, within: 1 }];
  assert.match(read([ENGINEERS], { approvals }).remarks.join(), 'too old after 1 seconds');
});

test('a pattern of approvals that reads as more than it fits is remarked upon', () => {
  const remarks = (on: string): string =>
    read([ENGINEERS], { approvals: [{ on, need: 1, roles: ['approver'], not_author: true }] }).remarks.join();
  assert.match(remarks('deploy/**/api'), 'stands for one segment');
  for (const on of ['deploy/**', '**', 'deploy/*/api']) assert.not.match(remarks(on), 'stands for one segment');
});

test.run();
