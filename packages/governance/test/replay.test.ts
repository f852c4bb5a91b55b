import type { PolicyBody } from '@treering/record';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { admit, type Candidate, GovernanceState, keyFor, type Undo } from '../src/index.js';
import { candidateOf, charterDraft, type Draft, enrolment, incident, NOW, party, revocation } from './governed-log.js';

const ada = party('ada', 1);
const grace = party('grace', 2);
const eve = party('eve', 3);
const bob = party('bob', 4);
const eveAgain = party('eve', 5);

const open = (name: string): PolicyBody => ({
  rules: [{ name, who: { roles: ['engineer', 'administrator'] }, may: ['*'], on: ['**'] }],
});
const closed: PolicyBody = {
  rules: [{ name: 'nobody', who: { ids: ['nobody'] }, may: ['incident'], on: ['**'] }],
  limits: { clock_skew: 5 },
};

const charter = await candidateOf(ada, charterDraft([ada, grace], open('start')));

/** Statements that change the state in every way that there is, some of which are refused in some states. */
const drafts: readonly [typeof ada, Draft, { iat?: number }?][] = [
  [ada, charterDraft([ada], closed)],
  [ada, enrolment(eve, ['engineer'])],
  [ada, enrolment(eve, [], { valid_until: NOW + 10 })],
  [ada, enrolment(eveAgain, ['engineer'])],
  [grace, enrolment(bob, ['engineer'], { kind: 'workload' })],
  [eve, enrolment(bob, [])],
  [ada, enrolment(ada, ['administrator'], { valid_until: NOW + 10 })],
  [ada, revocation('eve')],
  [ada, revocation('eve', eveAgain.key)],
  [grace, revocation('bob')],
  [grace, revocation('ada')],
  [grace, revocation('nobody')],
  [ada, { type: 'policy', subject: 'policy', policy: closed }],
  [grace, { type: 'policy', subject: 'policy', policy: open('later') }],
  [grace, { type: 'policy', subject: 'policy', policy: closed }, { iat: NOW + 1 }],
  [eve, { type: 'freeze', subject: 'freeze/a', on: 'model/wink', until: NOW + 5 }],
  [bob, { type: 'freeze', subject: 'freeze/b', on: 'model/wonk' }],
  [ada, { type: 'freeze', subject: 'freeze/a', on: 'system/**' }],
  [eve, incident('model/wink')],
  [eve, incident('model/wink'), { iat: NOW + 20 }],
  [ada, incident('model/wonk'), { iat: NOW + 20 }],
  [eveAgain, incident('model/wonk')],
  [bob, incident('model/wonk')],
  [bob, incident('policy')],
  [ada, incident('identity/eve')],
  [eve, incident('system/credit', { prev: charter.leaf })],
];
const pool: readonly Candidate[] = await Promise.all(drafts.map(([by, draft, header]) => candidateOf(by, draft, header)));
/** The key ids of everybody. */
const kids = (await Promise.all([ada, grace, eve, bob, eveAgain].map((p) => candidateOf(p, incident('x'))))).map(
  (c) => c.statement.kid,
);
const subjects = [...new Set([charter, ...pool].map(({ statement }) => statement.sub))];

/** Everything that can be seen of a state. */
function visible(state: GovernanceState) {
  return structuredClone({
    charter: state.charter,
    policy: state.policy,
    policyIndex: state.policyIndex,
    identities: state.identities(),
    keys: kids.map((kid) => state.identity(kid)),
    freezes: state.freezes(),
    latest: subjects.map((subject) => [subject, state.latest(subject)]),
  });
}

function begun(): GovernanceState {
  const state = new GovernanceState();
  state.apply(0, charter);
  return state;
}

/** The policy, freezes and newest records, read off the list of entries without any state. */
function readOff(entries: readonly Candidate[]) {
  const at = entries.map((candidate, index) => ({ ...candidate, index }));
  const policy = at.filter(({ record }) => record?.type === 'policy' || record?.type === 'charter').at(-1);
  return {
    policy: policy?.record?.type === 'policy' || policy?.record?.type === 'charter' ? policy.record.policy : undefined,
    policyIndex: policy?.index,
    freezes: at.flatMap(({ record, index }) =>
      record?.type === 'freeze' ? [{ on: record.on, until: record.until, index }] : [],
    ),
    latest: subjects.map((subject) => {
      const last = at.filter(({ statement }) => statement.sub === subject).at(-1);
      return [subject, last && { index: last.index, leaf: last.leaf }];
    }),
  };
}

const choices = fc.array(fc.nat({ max: pool.length - 1 }), { maxLength: 25 });

/** The entries of a log to which these were submitted. */
function admitted(picks: readonly number[]): Candidate[] {
  const state = begun();
  const entries = [charter];
  for (const pick of picks) {
    if (!admit(state, pool[pick]).admitted) continue;
    state.apply(entries.length, pool[pick]);
    entries.push(pool[pick]);
  }
  return entries;
}

test('the statements of the pool are admitted and refused in many ways', () => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(choices, (picks) => {
      const state = begun();
      let size = 1;
      for (const pick of picks) {
        const decision = admit(state, pool[pick]);
        const name = decision.admitted ? `${pool[pick].record?.type}` : decision.code;
        seen.set(name, (seen.get(name) ?? 0) + 1);
        if (decision.admitted) state.apply(size++, pool[pick]);
      }
    }),
    { seed: 42, numRuns: 1500 },
  );
  const wanted = ['identity', 'policy', 'freeze', 'incident'];
  const codes = ['charter-exists', 'unknown-key', 'revoked-key', 'expired-key', 'frozen', 'not-allowed', 'prev-conflict'];
  for (const name of [...wanted, ...codes.map((code) => `governance/${code}`)])
    assert.ok((seen.get(name) ?? 0) > 2, `${name}: ${seen.get(name)}`);
});

test('admitting looks at the state and leaves it as it is', () => {
  fc.assert(
    fc.property(choices, (picks) => {
      const state = begun();
      for (const [i, entry] of admitted(picks).entries()) if (i > 0) state.apply(i, entry);
      const before = visible(state);
      const decisions = pool.map((candidate) => admit(state, candidate));
      pool.map((candidate) => keyFor(state, candidate));
      assert.equal(visible(state), before);
      assert.equal(
        pool.map((candidate) => admit(state, candidate)),
        decisions,
      );
    }),
    { seed: 42, numRuns: 100 },
  );
});

test('the charter comes and goes without a trace', () => {
  const state = new GovernanceState();
  const before = visible(state);
  state.apply(0, charter)();
  assert.equal(visible(state), before);
  assert.ok(admit(state, charter).admitted);
});

test('taking back, last in first out, restores exactly what was', () => {
  fc.assert(
    fc.property(choices, fc.boolean(), (picks, anything) => {
      const state = begun();
      const stack: { undo: Undo; before: ReturnType<typeof visible> }[] = [];
      for (const pick of picks) {
        // What is applied need not have been admitted, but a second charter is refused by apply itself.
        if (anything ? pool[pick].record?.type === 'charter' : !admit(state, pool[pick]).admitted) continue;
        const before = visible(state);
        stack.push({ undo: state.apply(stack.length + 1, pool[pick]), before });
      }
      for (const { undo, before } of stack.reverse()) {
        undo();
        assert.equal(visible(state), before);
      }
    }),
    { seed: 42, numRuns: 150 },
  );
});

test('with entries taken back in between, the state is that of the entries that stayed', () => {
  const step = fc.oneof({ arbitrary: fc.nat({ max: pool.length - 1 }), weight: 3 }, { arbitrary: fc.constant(-1), weight: 1 });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const state = begun();
      const stack: { undo: Undo; candidate: Candidate }[] = [];
      for (const pick of steps) {
        if (pick < 0) stack.pop()?.undo();
        else if (admit(state, pool[pick]).admitted) {
          stack.push({ undo: state.apply(stack.length + 1, pool[pick]), candidate: pool[pick] });
        }
      }
      const replayed = begun();
      for (const [i, { candidate }] of stack.entries()) {
        assert.ok(admit(replayed, candidate).admitted);
        replayed.apply(i + 1, candidate);
      }
      assert.equal(visible(state), visible(replayed));
    }),
    { seed: 42, numRuns: 150 },
  );
});

test('replayed in pieces, a log comes to the same as replayed whole, and to what its entries say', () => {
  fc.assert(
    fc.property(choices, fc.nat({ max: 25 }), (picks, cut) => {
      const entries = admitted(picks);
      const whole = new GovernanceState();
      for (const [i, entry] of entries.entries()) whole.apply(i, entry);

      const pieces = new GovernanceState();
      const first = entries.slice(0, cut);
      for (const [i, entry] of first.entries()) pieces.apply(i, entry);
      const undos = entries.slice(first.length).map((entry, i) => pieces.apply(first.length + i, entry));
      for (const undo of undos.reverse()) undo();
      for (const [i, entry] of entries.entries()) {
        if (i < first.length) continue;
        assert.ok(admit(pieces, entry).admitted);
        pieces.apply(i, entry);
      }
      assert.equal(visible(pieces), visible(whole));

      const { policy, policyIndex, freezes, latest } = visible(whole);
      assert.equal({ policy, policyIndex, freezes, latest }, readOff(entries));
    }),
    { seed: 42, numRuns: 150 },
  );
});

test('an entry that cannot be applied leaves nothing behind', async () => {
  const state = begun();
  const before = visible(state);
  assert.throws(
    () => state.apply(1, charter),
    (error: { code?: string }) => error.code === 'governance/charter-exists',
  );
  assert.equal(visible(state), before);
  const badKey = await candidateOf(ada, enrolment(bob, [], { key: Uint8Array.of(1) }));
  assert.throws(() => state.apply(1, badKey));
  assert.equal(visible(state), before);
  const draft = charterDraft([ada], closed);
  const badCharter = await candidateOf(ada, {
    ...draft,
    administrators: [...draft.administrators, { id: 'x', key: Uint8Array.of(1), roles: [] }],
  });
  const empty = new GovernanceState();
  assert.throws(() => empty.apply(0, badCharter));
  assert.equal(visible(empty), visible(new GovernanceState()));
});

test.run();
