import type { ChangeRecord } from '@treering/record';
import { encodeCbor } from '@treering/statement';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeRemembered, encodeRemembered } from '../src/remembered.js';
import { incidentsDue, settled } from '../src/rules/incident-rules.js';
import { emptyMemory, recordRules } from '../src/rules/record-rules.js';
import { afterRecord } from './fixture.js';

const DUE = Date.UTC(2028, 0, 18, 10) / 1000;
const DAY = 86_400;
const incident = (more: object = {}): ChangeRecord =>
  ({ type: 'incident', subject: 'incident/x', due_at: DUE * 1000, ...more }) as unknown as ChangeRecord;
const seen = (index: number, record: ChangeRecord) => ({ index, record, iat: 1 });

const opened = afterRecord(emptyMemory(), seen(5, incident()));
const at = (now: number, remembered = opened, ahead = 2 * DAY) => [...incidentsDue(remembered.deadlines, now, ahead)];

test('a report is a reason from two days before it is due, and another one from then on', () => {
  assert.equal(at(DUE - 2 * DAY - 1), []);
  const [soon] = at(DUE - 2 * DAY);
  assert.is(soon.kind, 'incident-due');
  assert.is(soon.index, 5);
  assert.is(soon.about, 'incident/x@2028-01-18T10:00:00Z');
  assert.is(soon.message, 'the report on incident/x is due at 2028-01-18T10:00:00Z, in 2 days (entry 5)');
  assert.is(at(DUE - 1)[0].about, soon.about);
  const late = at(DUE);
  assert.is(late.length, 1, 'no reminder of what is late');
  assert.is(late[0].about, 'incident/x@2028-01-18T10:00:00Z-overdue');
  assert.match(late[0].message, /was due at 2028-01-18T10:00:00Z, 0 minutes ago, and the log says neither/);
});

test('a span is said in the largest unit that fits it twice, rounded down', () => {
  const spans: readonly [number, string][] = [
    [59, 'in 0 minutes'],
    [60, 'in 1 minute '],
    [7199, 'in 119 minutes'],
    [7200, 'in 2 hours'],
    [2 * DAY - 1, 'in 47 hours'],
    [3 * DAY - 1, 'in 2 days'],
  ];
  for (const [span, words] of spans) assert.match(at(DUE - span, opened, 9 * DAY)[0].message, words);
  assert.match(at(DUE + 9 * DAY)[0].message, '9 days ago');
});

test('without a time to remind in, only what is late is a reason', () => {
  assert.equal(at(DUE - 1, opened, 0), []);
  assert.is(at(DUE, opened, 0).length, 1);
});

test('an incident that is closed, or has no date, is no reason', () => {
  for (const more of [{ status: 'closed' }, { due_at: undefined }]) {
    assert.equal(at(DUE, afterRecord(opened, seen(6, incident(more)))), []);
    assert.equal(at(DUE, afterRecord(emptyMemory(), seen(6, incident(more)))), []);
  }
  assert.is(at(DUE, afterRecord(emptyMemory(), seen(6, incident({ status: 'open' })))).length, 1);
});

test('what was raised ends when the incident is closed or the date moves, and not when only other things change', () => {
  const both = ['incident/x@2028-01-18T10:00:00Z', 'incident/x@2028-01-18T10:00:00Z-overdue'];
  const cleared = (record: ChangeRecord): string[] => {
    const { raise, clear } = settled(seen(6, record), opened);
    assert.equal(raise, []);
    assert.ok(clear.every(({ kind }) => kind === 'incident-due'));
    return clear.map(({ about }) => about);
  };
  for (const more of [{ status: 'closed' }, { due_at: undefined }, { due_at: DUE * 1000 + 1000 }])
    assert.equal(cleared(incident(more)), both);
  assert.equal(cleared(incident({ affected: [], reason: 'More is known.' })), []);
  assert.equal(cleared(incident({ subject: 'incident/y', status: 'closed' })), []);
  assert.equal(cleared({ type: 'approval', subject: 'incident/x' } as unknown as ChangeRecord), []);
  assert.ok(recordRules.includes(settled));
});

test('the newest record is the one to show, and approvals of it change nothing', () => {
  const later = afterRecord(opened, seen(9, incident()));
  assert.is(at(DUE, later)[0].index, 9);
  const approved = afterRecord(later, seen(10, { type: 'approval', subject: 'incident/x' } as unknown as ChangeRecord));
  assert.equal(at(DUE, approved), at(DUE, later));
});

test('a date that no calendar reaches is far away', () => {
  const never = afterRecord(emptyMemory(), seen(1, incident({ due_at: Number.MAX_SAFE_INTEGER })));
  assert.equal(at(DUE, never), []);
  assert.match(at(DUE, never, Number.MAX_SAFE_INTEGER)[0].message, /seconds after 1970/);
});

test('what is remembered is kept as it is', () => {
  const deployment = { type: 'deployment', subject: 'deploy/prod/x', phase: 'intent' } as unknown as ChangeRecord;
  for (const remembered of [emptyMemory(), opened, afterRecord(opened, { index: 7, record: deployment, iat: 1000 })])
    assert.equal(decodeRemembered(encodeRemembered(remembered)), remembered);
});

test('what another version kept, or what is damaged, is not taken for what is remembered', () => {
  const older = encodeCbor(new Map([['deploy/prod/x', [5, 1000]]]));
  const wrong = [
    older,
    encodeCbor(new Map()),
    encodeCbor([]),
    encodeCbor([new Map(), new Map(), new Map()]),
    encodeCbor([new Map(), new Map([['incident/x', [-1, 0]]])]),
    encodeCbor([new Map(), new Map([['incident/x', [5]]])]),
    encodeCbor([new Map(), new Map([[1, [5, 5]]])]),
    encodeRemembered(opened).slice(0, -1),
    new Uint8Array(0),
  ];
  for (const bytes of wrong) assert.is(decodeRemembered(bytes), undefined);
});

test.run();
