import type { ChangeRecord } from '@treering/record';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { admission, dated } from '../src/rules/entry-rules.js';
import {
  type HeadView,
  hidden,
  paced,
  points,
  rollback,
  stale,
  uncompared,
  unwitnessed,
  withheld,
} from '../src/rules/head-rules.js';
import { breakGlass, emptyMemory, followedUp, undeployed, verification } from '../src/rules/record-rules.js';
import { afterRecord } from './fixture.js';

const NONE = emptyMemory();

const WELL: HeadView = {
  now: 10_000,
  served: { size: 100, met: true, missing: '' },
  largest: { size: 100 },
  smaller: 0,
  signedLater: false,
  signedAt: 9_990,
  since: 0,
  hidden: undefined,
  hiding: 0,
  read: { size: 100, advanced: 0, lag: 0 },
  uncompared: undefined,
  staleAfter: 600,
};

test('heads that are as they should be are no reason for anything', () => {
  for (const rule of [rollback, stale, withheld, uncompared, hidden, unwitnessed]) assert.is(rule(WELL), undefined);
});

test('rollback: a smaller head counts when it is given out twice in a row or is signed later, and only while it is smaller', () => {
  const smaller: HeadView = { ...WELL, served: { size: 90, met: true, missing: '' } };
  assert.is(rollback({ ...smaller, smaller: 3 }), undefined);
  assert.is(rollback({ ...smaller, smaller: 6 })?.kind, 'rollback');
  assert.is(rollback({ ...smaller, signedLater: true })?.kind, 'rollback');
  assert.is(rollback({ ...WELL, smaller: 6, signedLater: true }), undefined);
  assert.is(rollback({ ...smaller, smaller: 6, largest: undefined }), undefined);
  assert.is(rollback({ ...smaller, smaller: 6, served: undefined }), undefined);
});

test('points: one head that is as it should be does not hide that every second one is not', () => {
  const after = (polls: readonly boolean[]): number => polls.reduce(points, 0);
  assert.ok(after([true, true]) >= 6);
  assert.ok(after([true, false, true, false, true]) >= 6);
  assert.ok(after([true, false, false, false, true, false, false, false, true]) < 6, 'a slow cache now and then');
  assert.is(after([...Array(50).fill(true), ...Array(12).fill(false)]), 0, 'it ends');
});

test('stale: the time since the newest signature decides, whether the log can be read or not', () => {
  assert.is(stale({ ...WELL, signedAt: 9_400 }), undefined);
  assert.is(stale({ ...WELL, signedAt: 9_399 })?.about, 'old');
  assert.is(stale({ ...WELL, signedAt: 9_399, served: undefined })?.about, 'old');
  assert.is(stale({ ...WELL, signedAt: undefined, since: 9_400 }), undefined);
  assert.match(stale({ ...WELL, signedAt: undefined, since: 9_399, served: undefined })?.message ?? '', /cannot be read/);
});

test('withheld: entries that are promised have to come', () => {
  const behind: HeadView = { ...WELL, read: { size: 99, advanced: 9_399, lag: 0 } };
  assert.is(withheld(behind)?.about, 'entries');
  assert.is(withheld({ ...behind, read: { size: 99, advanced: 9_400, lag: 0 } }), undefined);
  assert.is(withheld({ ...behind, read: { size: 100, advanced: 0, lag: 0 } }), undefined);
  assert.is(withheld({ ...behind, read: undefined }), undefined);
  assert.is(withheld({ ...behind, served: undefined }), undefined);
});

test('withheld: so do those that come too slowly', () => {
  const slow: HeadView = { ...WELL, read: { size: 99, advanced: 10_000, lag: 2401 } };
  assert.match(withheld(slow)?.message ?? '', 'for 2401 seconds');
  assert.is(withheld({ ...slow, read: { size: 99, advanced: 10_000, lag: 2400 } }), undefined);
  assert.is(withheld({ ...slow, read: { size: 100, advanced: 10_000, lag: 2401 } }), undefined);
});

test('paced: what a poll costs depends on who ended it, and on whether less is left than ever', () => {
  const after = (polls: readonly (readonly [left: number, broken: boolean, again?: boolean])[]) =>
    polls.reduce((pace, [left, broken, again = false]) => paced(pace, { left, broken, again, passed: 10 }), {
      lag: 0,
      least: null,
    } as { lag: number; least: number | null });
  assert.equal(
    after([
      [9000, true],
      [6000, true],
      [3000, true],
    ]),
    { lag: 0, least: 3000 },
    'a large log',
  );
  assert.equal(
    after([
      [9000, false],
      [6000, false],
      [3000, false],
    ]),
    { lag: 20, least: 3000 },
    'the log ends each poll',
  );
  assert.equal(
    after([
      [9000, true],
      [8745, true],
      [8744, true],
    ]),
    { lag: 20, least: 8744 },
    'less than a bundle in each',
  );
  assert.equal(
    after([
      [9000, true],
      [12_000, false],
      [9000, true],
    ]),
    { lag: 20, least: 9000 },
    'it grows meanwhile',
  );
  assert.equal(
    after([
      [9000, true],
      [6000, false],
      [0, false],
    ]),
    { lag: 0, least: null },
    'all are read',
  );
  assert.equal(
    after([
      [9000, true],
      [20_000, true, true],
      [15_000, true],
    ]),
    { lag: 0, least: 15_000 },
    'read once more',
  );
  assert.equal(
    paced({ lag: 5, least: 9000 }, { left: 9000, broken: false, again: false, passed: -60 }).lag,
    5,
    'a clock goes back',
  );
});

test('uncompared: a head that others show has to become comparable', () => {
  const waiting: HeadView = { ...WELL, uncompared: { size: 50, source: 'a visitor', since: 9_399 } };
  assert.is(uncompared(waiting)?.about, 'compare');
  assert.is(uncompared({ ...waiting, served: undefined })?.about, 'compare');
  assert.is(uncompared({ ...waiting, uncompared: { size: 50, source: 'a visitor', since: 9_400 } }), undefined);
});

test('hidden: a newer head that others show counts when the log gives out less twice in a row', () => {
  const newer: HeadView = { ...WELL, hidden: { size: 101, source: 'witness w' } };
  assert.is(hidden({ ...newer, hiding: 3 }), undefined);
  assert.is(hidden({ ...newer, hiding: 6 })?.about, 'hidden');
  assert.is(hidden({ ...newer, hiding: 6, served: { size: 101, met: true, missing: '' } }), undefined);
  assert.is(hidden({ ...newer, hiding: 6, served: undefined }), undefined);
});

test('unwitnessed: the quorum decides', () => {
  const finding = unwitnessed({ ...WELL, served: { size: 100, met: false, missing: 'w1, w2' } });
  assert.is(finding?.kind, 'unwitnessed');
  assert.match(finding?.message ?? '', 'w1, w2');
});

test('an entry against the rules is unauthorised, one that cannot be read is a bad entry', () => {
  const finding = { index: 7, code: 'x', message: 'why' };
  assert.is(admission(7, { admitted: false, finding: { ...finding, rule: 'default deny' } })?.kind, 'unauthorised');
  assert.is(admission(7, { admitted: false, finding: { ...finding, rule: 'format' } })?.kind, 'bad-entry');
  assert.is(admission(7, { admitted: true, candidate: undefined as never, rule: 'r' }), undefined);
});

test('an entry is dated between the heads around it, give or take the skew', () => {
  const window = { after: 1000, before: 2000, skew: 300 };
  for (const iat of [700, 1000, 2000, 2300]) assert.is(dated(1, iat, window), undefined, `${iat}`);
  for (const iat of [0, 699, 2301, 9999]) assert.is(dated(1, iat, window)?.kind, 'unauthorised', `${iat}`);
  assert.is(dated(1, 0, { ...window, after: undefined }), undefined);
});

const deploy = (phase: 'intent' | 'active' | 'ended', more: object = {}): ChangeRecord =>
  ({ type: 'deployment', subject: 'deploy/prod/x', phase, ...more }) as unknown as ChangeRecord;
const check = (verdict: string): ChangeRecord =>
  ({ type: 'verification', subject: 'deploy/prod/x', verdict }) as unknown as ChangeRecord;

test('mismatch and drift are raised by a verification and cleared by one that matches', () => {
  for (const verdict of ['mismatch', 'drift']) {
    const { raise, clear } = verification({ index: 3, record: check(verdict), iat: 1 }, NONE);
    assert.equal(
      raise.map(({ kind, about }) => [kind, about]),
      [[verdict, 'deploy/prod/x']],
    );
    assert.equal(clear, []);
  }
  const { raise, clear } = verification({ index: 4, record: check('match'), iat: 1 }, NONE);
  assert.equal(raise, []);
  assert.equal(
    clear.map(({ kind }) => kind),
    ['mismatch', 'drift'],
  );
  assert.equal(verification({ index: 5, record: deploy('intent'), iat: 1 }, NONE).raise, []);
});

test('a verification that matches ends only what it looked at, and one without a result ends nothing', () => {
  const ended = (more: object): unknown[] =>
    verification({ index: 4, record: { ...check('match'), ...more } as ChangeRecord, iat: 1 }, NONE).clear.map((c) => c.kind);
  assert.equal(ended({ about: 'state' }), ['mismatch']);
  assert.equal(ended({ about: 'behaviour' }), ['drift']);
  const nothing = verification({ index: 5, record: check('inconclusive'), iat: 1 }, NONE);
  assert.equal(nothing, { raise: [], clear: [] });
});

test('break-glass is raised by a deployment that says so, each time', () => {
  const { raise } = breakGlass({ index: 9, record: deploy('active', { break_glass: true }), iat: 1 }, NONE);
  assert.equal(
    raise.map(({ kind, about }) => [kind, about]),
    [['break-glass', '9']],
  );
  assert.equal(breakGlass({ index: 9, record: deploy('active'), iat: 1 }, NONE).raise, []);
});

test('an announced deployment is undeployed after its time, and not when something followed', () => {
  const announced = afterRecord(NONE, { index: 5, record: deploy('intent'), iat: 1000 });
  assert.equal([...undeployed(announced.intents, 1600, 600)], []);
  const [finding] = undeployed(announced.intents, 1601, 600);
  assert.is(finding.about, 'deploy/prod/x@5');
  assert.is(finding.index, 5);
  for (const phase of ['active', 'ended'] as const) {
    const seen = { index: 6, record: deploy(phase), iat: 1100 };
    assert.equal([...undeployed(afterRecord(announced, seen).intents, 9999, 600)], []);
    assert.equal(followedUp(seen, announced).clear, [{ kind: 'undeployed', about: finding.about }]);
  }
  // A second announcement takes the place of the first.
  const again = { index: 7, record: deploy('intent'), iat: 1500 };
  assert.equal(
    [...undeployed(afterRecord(announced, again).intents, 9999, 600)].map(({ index }) => index),
    [7],
  );
  assert.equal(followedUp(again, announced).clear, [{ kind: 'undeployed', about: finding.about }]);
  assert.equal(followedUp({ index: 8, record: check('match'), iat: 1 }, announced).clear, []);
});

test.run();
