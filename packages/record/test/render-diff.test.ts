import { type Json, StatementError } from '@treering/statement';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type ChangeRecord,
  diffRecords,
  printable,
  RecordError,
  type RecordOf,
  recordFromJson,
  recordToJson,
  renderRecord,
} from '../src/index.js';
import { ALL_EXAMPLES, coseKeyOf, digestOf, EXAMPLES } from './examples.js';
import { pathsOf, valueAt, withValue } from './json-paths.js';

/** What a terminal or a page acts on, reorders or hides instead of showing it. */
const MISLEADING = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

/** Everything that a person would see of a record. */
function linesOf(record: ChangeRecord): string[] {
  const { title, facts } = renderRecord(record);
  return [title, ...facts.map(({ label, value }) => `${label}: ${value}`)];
}

/** The value of the fact with this label. */
function fact(record: ChangeRecord, label: string): string | undefined {
  return renderRecord(record).facts.find((f) => f.label === label)?.value;
}

/** How any of the record's single values must show. */
function shownAs(value: unknown): string[] {
  if (value instanceof Uint8Array) return [Buffer.from(value).toString('hex')];
  if (typeof value !== 'number' || value > 1e13) return [String(value)];
  return [value, new Date(value).toISOString(), new Date((value % 1e11) * 1000).toISOString()].map(String);
}

function leavesOf(value: unknown): unknown[] {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return [value];
  return Object.values(value).flatMap(leavesOf);
}

for (const { name, record } of ALL_EXAMPLES) {
  test(`rendering the ${name} record names everything that it says`, () => {
    const { title, facts } = renderRecord(record);
    assert.ok(title.length > 0);
    const { v: _v, type: _type, ...rest } = record;
    assert.is(facts.length, Object.keys(rest).length);
    assert.equal(
      facts.slice(0, 2).map(({ label }) => label),
      ['subject', 'reason'],
    );
    const text = linesOf(record).join('\n');
    for (const leaf of leavesOf(rest)) {
      assert.ok(
        shownAs(leaf).some((shown) => text.includes(shown)),
        `${shownAs(leaf)} is not in\n${text}`,
      );
    }
    for (const { label, value } of facts) assert.not.match(value, /undefined|null|\[object/, label);
  });
}

test('titles say what happened', () => {
  const titles = Object.values(EXAMPLES).map(({ full }) => renderRecord(full as ChangeRecord).title);
  assert.equal(titles, [
    'The log log.example/ai begins, with 2 administrators',
    'Workload trainer@ci may sign as engineer, machine',
    'The charter is amended: log keys, administrators, threshold, witnesses',
    'A policy with 3 rules',
    'System credit is described',
    'Model credit-score version 2026.3 (finetune)',
    'Configuration credit-api version 44, 2 files, with uncommitted changes',
    'Evaluation fairness-v4: fail',
    'Rejected as approver',
    'Deployment of credit to production: active (break-glass)',
    'Attestation (tpm2-quote): inconclusive',
    'Verification of what runs: drift',
    'Incident of critical severity',
    '2 decisions between 2025-10-09T08:53:20.000Z and 2025-10-09T09:08:20.000Z',
    'Change plan with 2 allowed modifications',
    'Assessment: within-plan',
    'An earlier entry is superseded',
    'No more records on deploy/production/*',
    'Map head at size 9007199254740991',
  ]);
  const { key: _key, kind: _kind, roles: _roles, valid_until: _until, ...rest } = EXAMPLES.identity.minimal;
  assert.is(renderRecord({ ...rest, action: 'revoke' }).title, 'A key of p-17 is revoked');
  assert.is(renderRecord({ ...EXAMPLES.freeze.full, until: 0 }).title, 'Freezes within deploy/production/* are lifted');
});

test('times show in UTC, whatever their unit in the record', () => {
  assert.is(fact(EXAMPLES.incident.full, 'known since'), '2025-10-09T08:53:20.000Z');
  assert.is(fact(EXAMPLES.incident.full, 'effective from'), '2025-10-09T08:53:20.000Z');
  assert.is(fact(EXAMPLES.incident.full, 'due'), '2025-10-24T08:53:20.000Z');
  assert.is(fact(EXAMPLES.approval.full, 'expires'), '2025-10-16T07:33:20.000Z');
  assert.is(fact(EXAMPLES.identity.full, 'valid until'), '2027-01-15T08:00:00.000Z');
  assert.is(fact(EXAMPLES.freeze.full, 'until'), '2026-01-01T00:00:00.000Z');
  assert.match(fact(EXAMPLES.freeze.full, 'retention') ?? '', '2035-10-03T04:53:20.000Z');
});

test('the unit of a time does not depend on how far away it is', () => {
  const endOf9999 = 253_402_300_799;
  assert.is(fact({ ...EXAMPLES.freeze.full, until: endOf9999 }, 'until'), '9999-12-31T23:59:59.000Z');
  const retention = { rule: 'legal', until: 86_400_000 };
  assert.match(fact({ ...EXAMPLES.freeze.full, retention }, 'retention') ?? '', '1970-01-02T00:00:00.000Z');
});

test('a time beyond all calendars still shows', () => {
  assert.match(fact({ ...EXAMPLES.incident.full, due_at: Number.MAX_SAFE_INTEGER }, 'due') ?? '', '9007199254740991');
});

test('printable keeps what shows as itself and escapes the rest', () => {
  assert.is(printable('modèle 樹 🌲 "a" <b>'), 'modèle 樹 🌲 "a" <b>');
  assert.is(printable('\x1b[2J'), '\\u{1b}[2J');
  assert.is(printable('a\u202eb\u2066c\u200fd'), 'a\\u{202e}b\\u{2066}c\\u{200f}d');
  assert.is(printable('\ud800\u{e0041}'), '\\u{d800}\\u{e0041}');
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (text) => assert.not.match(printable(text), MISLEADING)),
    { seed: 42, numRuns: 2000 },
  );
});

const misleading = fc.constantFrom(
  '\u200b',
  '\u200d',
  '\u00ad',
  '\u061c',
  '\u2060',
  '\u{e0041}',
  '\u200e',
  '\u202e',
  '\x1b',
  '\n',
  '\ud800',
);
const text = fc
  .array(
    fc.oneof(
      { arbitrary: misleading, weight: 1 },
      { arbitrary: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 4 }), weight: 2 },
    ),
    {
      minLength: 4,
      maxLength: 12,
    },
  )
  .map((parts) => parts.join(''));

/** The full examples with the places of all their texts. */
const sources = ALL_EXAMPLES.filter(({ name }) => name.startsWith('full')).map(({ record }) => {
  const json = recordToJson(record);
  return { record, json, paths: pathsOf(json).filter((path) => typeof valueAt(json, path) === 'string') };
});

/** A full record of which any text is another one, if it is still valid. */
const mutated = fc.tuple(fc.constantFrom(...sources), fc.nat(), text, fc.boolean()).map(
  ([{ record, json, paths }, choice, content, asKey]): {
    before: ChangeRecord;
    after: ChangeRecord | undefined;
    content: string;
  } => {
    const path = paths[choice % paths.length];
    let changed: Json = withValue(json, path, content);
    if (asKey) changed = withValue(withValue(json, path, undefined), [...path.slice(0, -1), content], valueAt(json, path));
    try {
      return { before: record, after: recordFromJson(changed), content };
    } catch (error) {
      if (!(error instanceof RecordError || error instanceof StatementError)) throw error;
      return { before: record, after: undefined, content };
    }
  },
);

test('nothing that a record may hold shows as something else', () => {
  let hidden = 0;
  fc.assert(
    fc.property(mutated, ({ after, content }) => {
      if (after === undefined) return;
      if (MISLEADING.test(content)) hidden++;
      for (const line of linesOf(after)) assert.not.match(line, MISLEADING);
    }),
    { seed: 42, numRuns: 2000 },
  );
  assert.ok(hidden > 50, `only ${hidden} records with such characters were valid`);
});

test('differences show as what they are, too', () => {
  let different = 0;
  fc.assert(
    fc.property(mutated, ({ before, after, content }) => {
      if (after === undefined || !MISLEADING.test(content)) return;
      const diffs = diffRecords(before, after);
      different += diffs.length;
      for (const diff of diffs) assert.not.match(`${diff.before} ${diff.after}`, MISLEADING);
    }),
    { seed: 42, numRuns: 2000 },
  );
  assert.ok(different > 50, `only ${different} differences were seen`);
});

test('identical records have no differences', () => {
  for (const { name, record } of ALL_EXAMPLES) {
    assert.equal(diffRecords(record, recordFromJson(recordToJson(record))), [], name);
  }
});

test('what was added, removed and changed is told apart', () => {
  const before: RecordOf<'config'> = EXAMPLES.config.full;
  const { system_prompt: prompt, ...rest } = before;
  const after: RecordOf<'config'> = {
    ...rest,
    version: '45',
    parameters: { temperature: '0.9', top_p: '0.95' },
    guardrails: [
      { id: 'toxicity', setting: 'on', action: 'warn' },
      { id: 'pii', setting: 'off', action: 'block' },
    ],
    files: [
      { path: 'config/limits.yaml', digest: digestOf(0xd4) },
      { path: 'config/api.yaml', digest: digestOf(0xd9), canonical: digestOf(0xd3) },
    ],
  };
  assert.equal(diffRecords(before, after), [
    { path: 'files[config/api.yaml].digest', kind: 'changed', before: 'd2'.repeat(32), after: 'd9'.repeat(32) },
    { path: 'guardrails[pii].setting', kind: 'changed', before: 'strict', after: 'off' },
    { path: 'guardrails[toxicity].action', kind: 'added', before: undefined, after: 'warn' },
    { path: 'guardrails[toxicity].id', kind: 'added', before: undefined, after: 'toxicity' },
    { path: 'guardrails[toxicity].setting', kind: 'added', before: undefined, after: 'on' },
    { path: 'parameters.max_tokens', kind: 'removed', before: '800', after: undefined },
    { path: 'parameters.temperature', kind: 'changed', before: '0.7', after: '0.9' },
    { path: 'parameters.top_p', kind: 'added', before: undefined, after: '0.95' },
    { path: 'system_prompt', kind: 'removed', before: Buffer.from(prompt ?? []).toString('hex'), after: undefined },
    { path: 'version', kind: 'changed', before: '44', after: '45' },
  ]);
});

test('a difference seen from the other side is its mirror', () => {
  const mirror = { added: 'removed', removed: 'added', changed: 'changed' } as const;
  fc.assert(
    fc.property(fc.constantFrom(...ALL_EXAMPLES), fc.constantFrom(...ALL_EXAMPLES), (a, b) => {
      assert.equal(
        diffRecords(b.record, a.record),
        diffRecords(a.record, b.record).map((d) => ({ path: d.path, kind: mirror[d.kind], before: d.after, after: d.before })),
      );
    }),
    { seed: 42, numRuns: 300 },
  );
});

test('items of lists go by id, path, name, metric, rel or glob, and by position where those are not unique', () => {
  const paths = (before: ChangeRecord, after: ChangeRecord): string[] => diffRecords(before, after).map(({ path }) => path);
  const { full: charter } = EXAMPLES.charter;
  const administrators = [charter.administrators[1], { ...charter.administrators[0], key: coseKeyOf(9) }];
  assert.equal(paths(charter, { ...charter, administrators }), ['administrators[ada].key']);

  const { full: evaluation } = EXAMPLES.evaluation;
  assert.equal(paths(evaluation, { ...evaluation, tolerances: [{ metric: 'auc', min: '0.8', max: '1' }] }), [
    'tolerances[auc].min',
  ]);
  const slices = ['a', 'b'].map((slice) => ({ name: 'auc', value: '0.9', slice }));
  const worse = [slices[0], { ...slices[1], value: '0.5' }];
  assert.equal(paths({ ...evaluation, metrics: slices }, { ...evaluation, metrics: worse }), ['metrics[1].value']);

  const { full: policy } = EXAMPLES.policy;
  const [approval] = policy.policy.approvals ?? [];
  assert.equal(paths(policy, { ...policy, policy: { ...policy.policy, approvals: [{ ...approval, need: 1 }] } }), [
    'policy.approvals[deploy/production/*].need',
  ]);
  const { full: deployment } = EXAMPLES.deployment;
  assert.equal(paths(deployment, { ...deployment, approvals: [digestOf(0x14)] }), ['approvals[1]']);
  assert.equal(paths(deployment, { ...deployment, refs: [{ rel: 'evaluates', leaf: digestOf(1) }] }), [
    'refs[answers].leaf',
    'refs[answers].rel',
    'refs[evaluates].leaf',
  ]);
});

test('no change of a single value is missed', () => {
  const otherNumber = (n: number): number => (n === 0 ? 1 : n - 1);
  for (const { name, record } of ALL_EXAMPLES.filter((example) => example.name.startsWith('full'))) {
    const json = recordToJson(record);
    for (const path of pathsOf(json).filter((p) => typeof valueAt(json, p) === 'number' && p.join() !== 'v')) {
      const after = recordFromJson(withValue(json, path, otherNumber(valueAt(json, path) as number)));
      assert.is(diffRecords(record, after).length, 1, `${name}: ${path.join('.')}`);
    }
  }
});

test.run();
