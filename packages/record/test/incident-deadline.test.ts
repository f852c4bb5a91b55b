import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { articleSections, type IncidentFacts, reportDeadline, reportDueAt } from '../src/index.js';
import { EXAMPLES } from './examples.js';

const DAY = 86_400_000;

/** Severity, harm, when somebody became aware; when the report is due, and by which paragraph. */
const TABLE: readonly [
  IncidentFacts['severity'],
  IncidentFacts['harm'],
  string,
  readonly [due: string, days: number, basis: string] | undefined,
][] = [
  ['low', undefined, '2028-01-03T10:00:00Z', undefined],
  ['medium', undefined, '2028-01-03T10:00:00Z', undefined],
  ['high', undefined, '2028-01-03T10:00:00Z', ['2028-01-18T10:00:00Z', 15, 'Article 73(2)']],
  ['critical', undefined, '2028-01-03T10:00:00Z', ['2028-01-18T10:00:00Z', 15, 'Article 73(2)']],
  ['high', 'health', '2028-02-20T00:00:00Z', ['2028-03-06T00:00:00Z', 15, 'Article 73(2)']],
  ['low', 'fundamental-rights', '2028-12-24T23:59:59Z', ['2029-01-08T23:59:59Z', 15, 'Article 73(2)']],
  ['medium', 'property-or-environment', '2027-02-20T12:00:00Z', ['2027-03-07T12:00:00Z', 15, 'Article 73(2)']],
  ['critical', 'death', '2028-01-03T10:00:00Z', ['2028-01-13T10:00:00Z', 10, 'Article 73(4)']],
  ['low', 'death', '2028-01-03T10:00:00Z', ['2028-01-13T10:00:00Z', 10, 'Article 73(4)']],
  ['critical', 'critical-infrastructure', '2028-02-28T10:00:00Z', ['2028-03-01T10:00:00Z', 2, 'Article 73(3)']],
  ['medium', 'widespread', '2027-12-31T10:00:00Z', ['2028-01-02T10:00:00Z', 2, 'Article 73(3)']],
  // Summer time begins on 26 March 2028 and on 28 March 2027, at 01:00 UTC.
  ['high', 'widespread', '2028-03-24T01:00:00Z', ['2028-03-26T00:00:00Z', 2, 'Article 73(3)']],
  ['high', 'widespread', '2028-03-24T00:59:59Z', ['2028-03-26T00:59:59Z', 2, 'Article 73(3)']],
  ['high', 'widespread', '2028-03-26T01:00:00Z', ['2028-03-28T01:00:00Z', 2, 'Article 73(3)']],
  ['high', 'health', '2027-03-20T22:30:00Z', ['2027-04-04T21:30:00Z', 15, 'Article 73(2)']],
  // It ends on 29 October 2028.
  ['high', 'death', '2028-10-25T10:00:00Z', ['2028-11-04T10:00:00Z', 10, 'Article 73(4)']],
];

for (const [severity, harm, aware, expected] of TABLE) {
  test(`${severity}, ${harm ?? 'no harm named'}, known ${aware}: ${expected?.[0] ?? 'nothing is due'}`, () => {
    const deadline = reportDeadline({ severity, harm, awareAt: Date.parse(aware) });
    if (expected === undefined) return assert.is(deadline, undefined);
    const [due, days, basis] = expected;
    assert.equal(deadline, { dueAt: Date.parse(due), days, basis });
  });
}

/** The end of the nth day after the one of a time, by the clocks of a place: what No 1182/71 gives when that is a working day. */
function endOfDay(time: number, days: number, timeZone: string): number {
  const parts = new Intl.DateTimeFormat('en-CA', { timeZone, dateStyle: 'short' }).format(time).split('-').map(Number);
  const midnight = Date.UTC(parts[0], parts[1] - 1, parts[2] + days + 1);
  // The clocks of the place say how far its midnight lies from that of UTC.
  const offset = (at: number): number => {
    const shown = new Intl.DateTimeFormat('en-GB', { timeZone, dateStyle: 'short', timeStyle: 'medium' }).format(at);
    const [day, month, year, hour, minute, second] = shown.split(/\D+/).map(Number);
    return Date.UTC(year, month - 1, day, hour, minute, second) - at;
  };
  return midnight - offset(midnight - offset(midnight));
}

test('no deadline is later than the end of its last day, whatever the season and the place in the Union', () => {
  const zones = ['Atlantic/Azores', 'Europe/Lisbon', 'Europe/Berlin', 'Europe/Helsinki', 'Indian/Reunion', 'America/Cayenne'];
  const facts = fc.record({
    harm: fc.constantFrom<IncidentFacts['harm']>('death', 'health', 'widespread'),
    seconds: fc.integer({ min: Date.UTC(2026, 0) / 1000, max: Date.UTC(2031, 0) / 1000 }),
    zone: fc.constantFrom(...zones),
  });
  const check = ({ harm, awareAt, zone }: { harm: IncidentFacts['harm']; awareAt: number; zone: string }): void => {
    const deadline = reportDeadline({ severity: 'low', harm, awareAt });
    assert.ok(deadline !== undefined);
    assert.ok(deadline.dueAt <= endOfDay(awareAt, deadline.days, zone), `${new Date(awareAt).toISOString()} ${zone}`);
    assert.ok(deadline.dueAt >= awareAt + deadline.days * DAY - DAY / 24, 'and not earlier than it has to be');
  };
  // The nights before summer time begins are where it matters.
  for (const zone of zones)
    for (let hour = 0; hour < 24; hour++) check({ harm: 'health', awareAt: Date.UTC(2028, 2, 20, hour, 59, 59), zone });
  fc.assert(
    fc.property(facts, ({ harm, seconds, zone }) => check({ harm, awareAt: seconds * 1000, zone })),
    { numRuns: 500 },
  );
});

test('a time that no calendar reaches has a deadline like any other', () => {
  const awareAt = Number.MAX_SAFE_INTEGER - 20 * DAY;
  assert.is(reportDeadline({ severity: 'high', awareAt })?.dueAt, awareAt + 15 * DAY);
});

test('an incident with a deadline is what answers the section about Art. 73', () => {
  const section = articleSections.find(({ id }) => id === 'eu-ai-act-73');
  const dueAt = reportDeadline({ severity: 'high', awareAt: 0 })?.dueAt;
  const answers = (due: number | undefined) => section?.answers.some(({ when }) => when?.({ type: 'incident', due_at: due }));
  assert.equal([answers(dueAt), answers(undefined)], [true, false]);
});

test('no record puts the date off, and only a report or the end takes it away', () => {
  const incident = { ...EXAMPLES.incident.minimal, severity: 'low' as const, aware_at: 0 };
  assert.is(reportDueAt(incident), undefined);
  assert.is(reportDueAt({ ...incident, due_at: 5 }), 5);
  assert.is(reportDueAt({ ...incident, harm: 'death' }), 10 * 86_400_000, 'without a date');
  assert.is(reportDueAt({ ...incident, harm: 'death', due_at: Number.MAX_SAFE_INTEGER }), 10 * 86_400_000);
  assert.is(reportDueAt({ ...incident, harm: 'death', due_at: 7 }), 7);
  assert.is(reportDueAt({ ...incident, harm: 'death', reported_at: 9 }), undefined);
  assert.is(reportDueAt({ ...incident, harm: 'death', status: 'closed' }), undefined);
});

test.run();
