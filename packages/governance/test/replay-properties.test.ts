import { equalBytes } from '@treering/merkle';
import type { PolicyBody } from '@treering/record';
import { type CborInput, decodeCbor, encodeCbor } from '@treering/statement';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  admit,
  authenticate,
  type Candidate,
  GovernanceState,
  restoreState,
  restoreStateInParts,
  saveState,
  saveStateInParts,
  type Undo,
} from '../src/index.js';
import { approvalDraft, configDraft, deploymentDraft, modelDraft } from './drafts.js';
import { foreignOf } from './foreign-statement.js';
import { candidateOf, charterDraft, type Draft, enrolment, incident, NOW, ORIGIN, party, revocation } from './governed-log.js';

// Random histories of a log with charters of every threshold. Statements are signed once; a history picks among them, and what
// the state refuses is no part of it.

const [ada, grace, edsger] = ['ada', 'grace', 'edsger'].map((id, i) => party(id, 41 + i));
const eve = party('eve', 44);
const bob = party('bob', 45);
const eveAgain = party('eve', 46);
const supplier = party('supplier', 47);
const SUPPLIER = 'https://supplier.example';
const CI_ID = `ci-${'a'.repeat(26)}`;
const job = party(CI_ID, 48);

const policyOf = (name: string, change: Partial<PolicyBody> = {}): PolicyBody => ({
  rules: [
    { name, who: { roles: ['engineer', 'approver'] }, may: ['*'], on: ['**'], grants: ['approver'] },
    { name: 'supplier', who: { issuer: SUPPLIER }, may: ['foreign'], on: ['model/*'] },
  ],
  issuers: [{ issuer: SUPPLIER, keys: [supplier.key] }],
  approvals: [{ on: 'model/**', need: 1, roles: ['approver'], not_author: true, within: 50 }],
  oidc: [
    {
      name: 'ci',
      issuer: 'https://ci.example',
      audience: 'log',
      kind: 'workload',
      prefix: 'ci',
      binding: 'audience',
      grants: [{ claims: { ref: 'main' }, roles: ['engineer'] }],
      valid_for: 3600,
    },
  ],
  limits: { break_glass: true, attachment_quota: 100 },
  ...change,
});
const closed: PolicyBody = {
  rules: [{ name: 'nobody', who: { ids: ['nobody'] }, may: ['incident'], on: ['**'] }],
  limits: { clock_skew: 5 },
};
const gated = policyOf('gated', { approvals: [], gates: [{ on: 'deploy/**', evaluation: { within: 30 }, incidents: 'low' }] });
const lax = policyOf('lax', { approvals: [{ on: 'deploy/**', need: 2, roles: ['approver'], not_author: false }], limits: {} });

const charters = await Promise.all(
  [1, 2, 3].map((threshold) => candidateOf(ada, charterDraft([ada, grace, edsger], policyOf('start'), threshold))),
);

type Signed = readonly [typeof ada, Draft, { iat?: number }?];
const sign = (list: readonly Signed[]): Promise<Candidate[]> => Promise.all(list.map((one) => candidateOf(...one)));
const listOf = (...parties: (typeof ada)[]) => parties.map(({ id, key }) => ({ id, key, roles: ['administrator'] }));
const amendment = (change: object): Draft => ({ type: 'amendment', subject: 'charter', ...change });
const policy = (body: PolicyBody): Draft => ({ type: 'policy', subject: 'policy', policy: body });
const attachment = { name: 'a', media_type: 'text/plain', size: 60, digest: new Uint8Array(32), access: 'public' as const };
const token = { provider: 'ci', token: new Uint8Array(32).fill(1) };
const evidence = { digest: new Uint8Array(32), access: 'restricted' as const };
const attachments = [{ ...attachment, ...evidence }];

const staff = await sign([
  [ada, enrolment(eve, ['engineer'])],
  [grace, enrolment(bob, ['approver'])],
  [ada, enrolment(eve, ['approver'], { valid_until: NOW + 10 })],
  [bob, enrolment(eveAgain, ['approver'])],
  [ada, enrolment(eveAgain, ['approver'])],
  [ada, enrolment(job, ['engineer'], { kind: 'workload', valid_until: NOW + 60, oidc: token, evidence, attachments })],
  [grace, enrolment(job, ['engineer'], { kind: 'workload', valid_until: NOW + 60, oidc: token, evidence, attachments })],
  [ada, revocation('eve', eve.key)],
  [grace, revocation('bob')],
  [grace, revocation('grace')],
  [ada, revocation('edsger')],
]);
const proposals = await sign([
  [ada, policy(closed)],
  [grace, policy(lax)],
  [edsger, policy(policyOf('again'))],
  [edsger, policy(gated)],
  [ada, amendment({ threshold: 1, witnesses: ['w'] })],
  [edsger, amendment({ administrators: listOf(ada, eve), threshold: 2 })],
  [grace, amendment({ threshold: 3 })],
  [ada, { type: 'freeze', subject: 'freeze/all', on: '**' }],
  [edsger, { type: 'freeze', subject: 'freeze/none', on: '**', until: 0 }],
]);
const versions = await sign([
  [eve, modelDraft('score', 1)],
  [eve, modelDraft('score', 2)],
  [job, modelDraft('other', 3)],
  [bob, configDraft('credit')],
]);
const [first, second, other, config] = versions;
const evaluated = (verdict: 'pass' | 'fail'): Draft => ({
  type: 'evaluation',
  subject: 'model/score',
  model: second.leaf,
  config: config.leaf,
  suite: 'regression',
  dataset: new Uint8Array(32),
  metrics: [{ name: 'accuracy', value: '0.9' }],
  verdict,
  tolerances: [],
});
const deployments = await sign(
  [first, second, other].flatMap((model): Signed[] => [
    [eve, deploymentDraft(model, config)],
    [eve, deploymentDraft(model, config, { phase: 'active' }), { iat: NOW + 60 }],
    [bob, deploymentDraft(model, config, { phase: 'active', break_glass: true })],
    [bob, deploymentDraft(model, config, { phase: 'ended' })],
  ]),
);
/** For each proposal, the agreement of each administrator. */
const agreements = await Promise.all(
  proposals.map(({ leaf, statement: { sub } }) =>
    sign([ada, grace, edsger].map((by): Signed => [by, approvalDraft(sub, { leaf }, { role: 'administrator' })])),
  ),
);
const decisions = await sign([
  ...proposals.map(({ leaf, statement: { sub } }): Signed => {
    return [edsger, approvalDraft(sub, { leaf }, { role: 'administrator', decision: 'reject' })];
  }),
  ...[...versions, ...deployments].flatMap(({ leaf, statement: { sub } }): Signed[] => [
    [bob, approvalDraft(sub, { leaf }), { iat: NOW + 1 }],
    [eveAgain, approvalDraft(sub, { leaf }, { expires: (NOW + 40) * 1000 })],
  ]),
  [bob, approvalDraft('model/score', first, { decision: 'reject' })],
]);
const freezes = await sign([
  [eve, { type: 'freeze', subject: 'freeze/a', on: 'model/other', until: NOW + 30 }],
  [bob, { type: 'freeze', subject: 'freeze/b', on: 'system/**' }],
  [eve, { type: 'freeze', subject: 'freeze/a', on: 'model/score', until: NOW + 30 }],
]);
const others = await sign([
  [eve, incident('system/credit', { attachments: [attachment] })],
  [eve, incident('model/score', { attachments: [attachment] }), { iat: NOW + 86_400 }],
  [eve, incident('model/score', { attachments: [attachment, { ...attachment, name: 'b' }] })],
  [bob, incident('model/score', { prev: first.leaf })],
  [bob, incident('model/other'), { iat: NOW + 20 }],
  [bob, incident('system/credit')],
  [bob, incident('system/one', { affected: [first.leaf], severity: 'high' })],
  [bob, incident('system/one', { affected: [first.leaf], status: 'closed' })],
  [eve, evaluated('pass'), { iat: NOW + 3 }],
  [bob, evaluated('fail'), { iat: NOW + 4 }],
  [bob, evaluated('pass'), { iat: NOW + 50 }],
  [eve, { type: 'change-plan', subject: 'system/plan', modifications: ['Newer data.'], acceptance: [] }],
  [eve, { type: 'assessment', subject: 'model/score', target: second.leaf, result: 'not-substantial' }],
  [bob, { type: 'assessment', subject: 'config/credit', target: config.leaf, result: 'substantial' }],
  [ada, charterDraft([ada], closed)],
]);
const foreign = await Promise.all([
  foreignOf(supplier.signer),
  foreignOf(supplier.signer, { iat: null, sub: 'model/other' }),
  foreignOf(supplier.signer, { sub: 'system/x' }),
  foreignOf(eve.signer, { iss: `${ORIGIN}/identity/eve`, sub: 'model/other' }),
]);
/** Signatures are checked once, under a log that knows everybody: deciding is what these tests are about. */
const known = new GovernanceState();
for (const [i, entry] of [charters[0], staff[0]].entries()) known.apply(i, entry);
const checked = await Promise.all(
  foreign.map(async (candidate) => {
    const outcome = await authenticate(known, candidate);
    return outcome.held ? outcome.candidate : candidate;
  }),
);

const anyOf = (list: readonly Candidate[]) => fc.constantFrom(...list);
const groups = [staff, proposals, agreements.flat(), versions, deployments, decisions, freezes, others, checked];
const pool = groups.flat();
/** What may be approved, with the decisions about it. */
const approvable = [...versions, ...deployments].map((entry) => [
  entry,
  ...decisions.filter(({ record }) => record?.type === 'approval' && equalBytes(record.target, entry.leaf)),
]);
/** One statement, a proposal with some who agree, or a change with those who decide about it. */
const step = fc.oneof(
  ...groups.map((group) => anyOf(group).map((candidate) => [candidate])),
  fc.nat({ max: proposals.length - 1 }).chain((i) => fc.shuffledSubarray(agreements[i]).map((some) => [proposals[i], ...some])),
  fc.constantFrom(...approvable),
);
/** Everybody enrolled to begin with, so that histories go somewhere, and then anything. */
const history = fc.record({
  charter: anyOf(charters),
  begin: fc.subarray([staff[0], staff[1], staff[3], staff[4]], { minLength: 2 }),
  rest: fc.array(step, { maxLength: 30 }).map((steps) => steps.flat()),
});
type History = typeof history extends fc.Arbitrary<infer H> ? H : never;

function begun(charter: Candidate): GovernanceState {
  const state = new GovernanceState();
  state.apply(0, charter);
  return state;
}

/** The entries of a log to which these were submitted. */
function entriesOf({ charter, begin, rest }: History): Candidate[] {
  const state = begun(charter);
  const entries = [charter];
  for (const candidate of [...begin, ...rest]) {
    if (!admit(state, candidate).admitted) continue;
    state.apply(entries.length, candidate);
    entries.push(candidate);
  }
  return entries;
}

const budget = { seed: 42, numRuns: 120, interruptAfterTimeLimit: 1200 };

test('the histories hold everything that there is', () => {
  const seen = new Map<string, number>();
  const count = (name: string): void => void seen.set(name, (seen.get(name) ?? 0) + 1);
  fc.assert(
    fc.property(history, ({ charter, begin, rest }) => {
      const state = begun(charter);
      let size = 1;
      for (const candidate of [...begin, ...rest]) {
        const { threshold, policyIndex } = state;
        const decision = admit(state, candidate);
        count(decision.admitted ? (candidate.record?.type ?? 'foreign') : decision.code);
        if (!decision.admitted) continue;
        state.apply(size++, candidate);
        const agreed = candidate.record?.type === 'approval';
        if (agreed && (state.threshold !== threshold || state.policyIndex !== policyIndex)) count('agreed');
      }
    }),
    { seed: 42, numRuns: 500 },
  );
  const types = [
    'identity',
    'policy',
    'amendment',
    'model',
    'config',
    'deployment',
    'approval',
    'freeze',
    'incident',
    'foreign',
  ];
  const codes = [
    'logged-before',
    'clock',
    'unknown-key',
    'revoked-key',
    'expired-key',
    'frozen',
    'not-allowed',
    'limit',
    'token-used',
    'prev-conflict',
  ];
  const more = ['approval-target', 'own-change', 'not-approved', 'locks-out', 'foreign', 'charter-exists'];
  for (const name of ['agreed', ...types, ...[...codes, ...more].map((code) => `governance/${code}`)])
    assert.ok(seen.has(name), name);
});

test('replayed whole or in pieces through snapshots, a log comes to the same bytes and the same next decisions', () => {
  fc.assert(
    fc.property(history, fc.infiniteStream(fc.boolean()), fc.array(anyOf(pool), { maxLength: 8 }), (log, cuts, next) => {
      const entries = entriesOf(log);
      const whole = new GovernanceState();
      let pieces = new GovernanceState();
      for (const [i, entry] of entries.entries()) {
        whole.apply(i, entry);
        if (cuts.next().value) pieces = restoreState(saveState(pieces));
        assert.equal(admit(pieces, entry).admitted, true, 'what was admitted once is admitted again');
        pieces.apply(i, entry);
      }
      const bytes = saveState(whole);
      assert.equal(saveState(pieces), bytes);
      assert.equal(saveState(restoreState(bytes)), bytes);
      assert.equal(saveState(restoreStateInParts(saveStateInParts(whole))), bytes);
      for (const candidate of next) assert.equal(admit(pieces, candidate), admit(whole, candidate));
      assert.equal(restoreState(bytes).identities(), whole.identities());
    }),
    budget,
  );
});

test('taken back in reverse, every step restores the bytes before it, also after a snapshot', () => {
  fc.assert(
    fc.property(history, fc.boolean(), (log, restored) => {
      const entries = entriesOf(log);
      let state = new GovernanceState();
      if (restored) state = restoreState(saveState(state));
      const stack: { undo: Undo; before: Uint8Array }[] = [];
      for (const [i, entry] of entries.entries()) {
        const before = saveState(state);
        stack.push({ before, undo: state.apply(i, entry) });
      }
      for (const { undo, before } of stack.reverse()) {
        undo();
        assert.equal(saveState(state), before);
      }
      for (const [i, entry] of entries.entries()) {
        assert.ok(admit(state, entry).admitted);
        state.apply(i, entry);
      }
      assert.equal(saveState(state), saveState(replayed(entries)));
    }),
    budget,
  );
});

function replayed(entries: readonly Candidate[]): GovernanceState {
  const state = new GovernanceState();
  for (const [i, entry] of entries.entries()) state.apply(i, entry);
  return state;
}

test('what is in a log is not admitted again, nor what an enrolled key signed long before', () => {
  fc.assert(
    fc.property(history, fc.array(anyOf(pool), { minLength: 20, maxLength: 20 }), (log, asked) => {
      const entries = entriesOf(log);
      const state = replayed(entries);
      for (const [i, entry] of entries.entries()) {
        const decision = admit(state, entry);
        assert.equal([decision.admitted, decision.rule], [false, `entry@${i}`]);
      }
      const times = entries
        .slice(1)
        .flatMap(({ statement, verified }) => (verified?.enrolled === false ? [] : [statement.iat]));
      const newest = Math.max(0, ...times.map((iat) => iat as number));
      assert.is(state.newestTime, newest);
      for (const candidate of asked) {
        const { statement, verified } = candidate;
        const old = verified?.enrolled !== false && (statement.iat as number) < newest - 600;
        if (old) assert.is(admit(state, candidate).admitted, false);
      }
    }),
    budget,
  );
});

test('what is refused, or only asked about, leaves no trace', () => {
  fc.assert(
    fc.property(history, fc.array(anyOf(pool), { maxLength: 12 }), (log, asked) => {
      const state = replayed(entriesOf(log));
      const before = saveState(state);
      const decided = asked.map((candidate) => admit(state, candidate));
      assert.equal(saveState(state), before);
      assert.equal(
        asked.map((candidate) => admit(state, candidate)),
        decided,
      );
    }),
    budget,
  );
});

test('a snapshot of another form, or a part of one, is no state', () => {
  const bytes = saveState(replayed([charters[1], staff[0]]));
  for (const length of [0, 1, 40, bytes.length - 1]) assert.throws(() => restoreState(bytes.subarray(0, length)));
  const saved = decodeCbor(bytes, { tags: [] }) as Map<string, CborInput>;
  for (const form of [0, (saved.get('form') as number) - 1, '2'])
    assert.throws(() => restoreState(encodeCbor(new Map([...saved, ['form', form]]))), /form/);
  for (const name of saved.keys())
    assert.throws(() => restoreState(encodeCbor(new Map([...saved].filter(([key]) => key !== name)))), new RegExp(name));
});

test.run();
