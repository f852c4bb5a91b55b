import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type RetentionPreset, retentionOf, retentionPresets } from '../src/index.js';
import { ALL_EXAMPLES, EXAMPLES } from './examples.js';
import { tableOf } from './markdown-table.js';

const at = (text: string): number => Date.parse(text);
const preset = (period: { years: number } | { months: number }, rule = 'test'): RetentionPreset => ({
  rule,
  source: 'a test',
  types: ['model'],
  from: 'an event',
  about: 'What a test keeps.',
  ...period,
});
const model = EXAMPLES.model.minimal;
/** Until when a preset of this period holds the attachments of a model that was signed then. */
const ends = (signed: string, period: { years: number } | { months: number }): string =>
  new Date(retentionOf(model, at(signed), [preset(period)]).until as number).toISOString();

test('a period ends at the same time of the same day', () => {
  assert.is(ends('2026-08-01T10:20:30.000Z', { years: 10 }), '2036-08-01T10:20:30.000Z');
  assert.is(ends('2026-12-05T00:00:00.000Z', { months: 25 }), '2029-01-05T00:00:00.000Z');
  assert.is(ends('2026-12-31T23:59:59.999Z', { months: 12 }), '2027-12-31T23:59:59.999Z');
});

test('a month that is shorter ends it on its last day', () => {
  assert.is(ends('2028-02-29T12:00:00.000Z', { years: 1 }), '2029-02-28T12:00:00.000Z');
  assert.is(ends('2028-02-29T12:00:00.000Z', { years: 4 }), '2032-02-29T12:00:00.000Z');
  assert.is(ends('2026-08-31T12:00:00.000Z', { months: 6 }), '2027-02-28T12:00:00.000Z');
  assert.is(ends('2027-08-31T12:00:00.000Z', { months: 6 }), '2028-02-29T12:00:00.000Z');
});

test('a period of months is never shorter than the shortest months, nor longer than the longest', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4_000_000_000_000 }), fc.integer({ min: 1, max: 240 }), (signed, months) => {
      const days = ((retentionOf(model, signed, [preset({ months })]).until as number) - signed) / 86_400_000;
      assert.ok(Number.isInteger(days));
      assert.ok(days >= months * 30.4 - 4 && days <= months * 30.5 + 4, `${months} months have ${days} days`);
    }),
  );
});

test('what the record says itself counts beside the presets, and the latest decides', () => {
  const signed = at('2026-01-01T00:00:00Z');
  const presets = [preset({ years: 1 }, 'short'), preset({ years: 3 }, 'long')];
  const own = (until: string) =>
    retentionOf({ ...model, retention: { rule: 'ours', until: at(until) } }, signed, presets).holds.map(({ rule }) => rule);
  assert.equal(own('2026-06-01T00:00:00Z'), ['long', 'short', 'ours']);
  assert.equal(own('2028-01-01T00:00:00Z'), ['long', 'ours', 'short']);
  assert.equal(own('2040-01-01T00:00:00Z'), ['ours', 'long', 'short']);
});

test('a hold by a preset says from what the rule counts, and one by the record itself nothing', () => {
  const { holds } = retentionOf({ ...model, retention: { rule: 'ours', until: 1 } }, 0, [preset({ years: 1 })]);
  assert.equal(holds, [
    { rule: 'test', until: at('1971-01-01T00:00:00Z'), from: 'an event' },
    { rule: 'ours', until: 1 },
  ]);
});

test('a preset is about its types and no other; a record that none is about is held by nothing', () => {
  assert.equal(retentionOf(EXAMPLES.freeze.minimal, 0), { until: undefined, holds: [] });
  for (const { name, record } of ALL_EXAMPLES) {
    const rules = retentionOf(record, 0).holds.filter(({ from }) => from !== undefined);
    const wanted = retentionPresets.filter(({ types }) => types.includes(record.type));
    assert.equal(rules.map(({ rule }) => rule).sort(), wanted.map(({ rule }) => rule).sort(), name);
  }
});

test('a type that is not known yet is taken as it is', () => {
  const rules = retentionOf({ type: 'decision-batch' }, 0).holds.map(({ rule }) => rule);
  assert.ok(rules.includes('eu-ai-act-19'));
  assert.ok(rules.includes('reg-b-1002-12'));
});

test('a time that the calendar does not reach is held for ever', () => {
  for (const signed of [8_640_000_000_000_000, Number.MAX_SAFE_INTEGER * 1000])
    assert.is(retentionOf(model, signed, [preset({ years: 1 })]).until, Number.MAX_SAFE_INTEGER);
});

test('every preset has a name of its own, one period, and sentences', () => {
  assert.is(new Set(retentionPresets.map(({ rule }) => rule)).size, retentionPresets.length);
  for (const { rule, years, months, from, about } of retentionPresets) {
    assert.match(rule, /^[a-z0-9-]+$/);
    assert.is([years, months].filter((period) => period !== undefined).length, 1, rule);
    assert.ok(((years ?? months) as number) > 0, rule);
    assert.match(from, /^(?:the|a) /, rule);
    assert.match(about, /^[A-Z].*\.$/, rule);
  }
});

test('the periods are those of the rules', () => {
  const periods = retentionPresets.map(({ rule, years = 0, months = 0 }) => [rule, years * 12 + months]);
  assert.equal(Object.fromEntries(periods), {
    'eu-ai-act-18': 120,
    'eu-ai-act-19': 6,
    'reg-b-1002-12': 25,
    'reg-b-1002-12-business': 12,
    'sec-17a-4-3-years': 36,
    'sec-17a-4-6-years': 72,
    'iso-13485-4-2-5': 24,
    'ny-raise': 60,
  });
});

test('the table in the documents is that of the presets', () => {
  const document = readFileSync(new URL('../../../docs/retention.md', import.meta.url), 'utf8');
  const rows = retentionPresets.map(({ rule, source, years, months, from, types }) => [
    `\`${rule}\``,
    source,
    years === undefined ? `${months} months` : `${years} years`,
    from,
    types.map((type) => `\`${type}\``).join(', '),
  ]);
  assert.equal(tableOf(document, 'rule'), rows);
});

test.run();
