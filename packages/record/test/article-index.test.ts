import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type ArticleFinding, articleSections, type IndexedRecord, indexByArticle } from '../src/index.js';
import { ALL_EXAMPLES, digestOf, EXAMPLES } from './examples.js';
import { tableOf } from './markdown-table.js';

/** What is found about one section in a log of these records, entry by entry. */
function found(id: string, ...records: IndexedRecord[]): ArticleFinding {
  const findings = indexByArticle(records.map((record, index) => ({ index, record })));
  const finding = findings.find(({ section }) => section.id === id);
  if (finding === undefined) throw new Error(`there is no section ${id}`);
  return finding;
}
const entriesOf = (id: string, ...records: IndexedRecord[]): readonly number[] => found(id, ...records).entries;

test('the sections are those that are asked about, in a stable order', () => {
  assert.equal(
    articleSections.map(({ id }) => id),
    [
      'eu-ai-act-11',
      'eu-ai-act-12',
      'eu-ai-act-17',
      'eu-ai-act-18',
      'eu-ai-act-19',
      'eu-ai-act-20',
      'eu-ai-act-26',
      'eu-ai-act-43-4',
      'eu-ai-act-72',
      'eu-ai-act-73',
      'eu-ai-act-86',
      'fda-pccp',
      'sec-17a-4',
      'ecoa-reg-b',
    ],
  );
});

test('an empty log answers nothing, and each section says so in its own words', () => {
  for (const { section, entries, missing } of indexByArticle([])) {
    assert.equal(entries, []);
    assert.equal(missing, [section.missing]);
  }
});

test('what is needed can be answered, and everything that is said is a sentence', () => {
  for (const { id, asks, answers, needs, missing, note, applies } of articleSections) {
    for (const { types, what } of needs) {
      assert.ok(
        types.every((type) => answers.some((answer) => answer.type === type)),
        `${id}: ${what}`,
      );
      assert.not.match(what, /\.$/);
    }
    for (const text of [asks, missing, note, applies]) if (text !== undefined) assert.match(text, /^[A-Z].*\.$/, id);
  }
});

test('without a batch of decisions, the examples leave open only the records of single decisions', () => {
  const records = ALL_EXAMPLES.map(({ record }, index) => ({ index, record })).filter(
    ({ record }) => record.type !== 'decision-batch',
  );
  const open = indexByArticle(records).filter(({ missing }) => missing.length > 0);
  assert.equal(
    open.map(({ section, missing }) => [section.id, missing]),
    [['eu-ai-act-86', ['There is no record of single decisions.']]],
  );
  const more = ALL_EXAMPLES.map(({ record }, index) => ({ index, record }));
  assert.ok(indexByArticle(more).every(({ missing }) => missing.length === 0));
});

test('records are taken one by one, and each answers every section that it belongs to', () => {
  const asked: number[] = [];
  function* records() {
    for (const [index, record] of [EXAMPLES.system.minimal, EXAMPLES.model.minimal].entries()) {
      asked.push(index);
      yield { index: index + 10, record };
    }
  }
  const [documentation] = indexByArticle(records());
  assert.equal(asked, [0, 1]);
  assert.equal(documentation.entries, [10, 11]);
  assert.equal(documentation.missing, ['There is no evaluation.']);
});

test('Art. 12 is never said to ask for tamper evidence', () => {
  const { asks, note = '' } = found('eu-ai-act-12').section;
  assert.not.match(asks, /tamper/);
  assert.match(note, 'asks for automatic recording of events; it does not ask for tamper evidence');
  for (const section of articleSections) assert.not.match(JSON.stringify(section), /compli/i);
});

test('a decision batch records events, and answers for single decisions', () => {
  const batch = { type: 'decision-batch', deployment: digestOf(1) };
  for (const id of ['eu-ai-act-12', 'eu-ai-act-19', 'eu-ai-act-26', 'eu-ai-act-86', 'ecoa-reg-b'])
    assert.equal(entriesOf(id, batch), [0], id);
  assert.equal(entriesOf('eu-ai-act-11', batch), []);
});

test('a type that no section knows answers none', () => {
  assert.ok(indexByArticle([{ index: 0, record: { type: 'map-head' } }]).every(({ entries }) => entries.length === 0));
});

test('Art. 18 counts records with attachments', () => {
  const { minimal, full } = EXAMPLES.model;
  assert.equal(entriesOf('eu-ai-act-18', minimal, full, { ...minimal, attachments: [] }), [1]);
});

test('Art. 20 counts deployments that end or undo another one, and freezes that are no lifting', () => {
  const { minimal } = EXAMPLES.deployment;
  const ended = { ...minimal, phase: 'ended' };
  const rollback = { ...minimal, replaces: digestOf(1) };
  const freeze = EXAMPLES.freeze.minimal;
  assert.equal(entriesOf('eu-ai-act-20', minimal, ended, rollback, freeze, { ...freeze, until: 0 }), [1, 2, 3]);
});

test('Art. 43(4) and the change control plan count an assessment as within a plan only when it names the plan', () => {
  const plan = EXAMPLES['change-plan'].minimal;
  const { minimal: substantial, full: within } = EXAMPLES.assessment;
  const unnamed = { ...substantial, result: 'within-plan' };
  assert.equal(entriesOf('eu-ai-act-43-4', plan, substantial, within, unnamed), [0, 1, 2]);
  assert.equal(entriesOf('fda-pccp', plan, substantial, within, unnamed), [0, 2]);
  assert.equal(found('eu-ai-act-43-4', plan, unnamed).missing, [
    'There is no assessment of a change; one as within a plan has to name the plan.',
  ]);
  assert.equal(found('fda-pccp', plan).missing, ['There is no assessment of a change as within a plan.']);
});

test('Art. 73 counts incidents with a date on which the report is due', () => {
  const { minimal, full } = EXAMPLES.incident;
  assert.equal(entriesOf('eu-ai-act-73', minimal, full), [1]);
  assert.match(found('eu-ai-act-73', minimal).missing[0], 'does not say whether there was an incident');
});

test('what is deployed counts once it is active', () => {
  const { minimal: intent, full: active } = EXAMPLES.deployment;
  for (const id of ['eu-ai-act-26', 'eu-ai-act-86', 'ecoa-reg-b']) assert.equal(entriesOf(id, intent, active), [1], id);
});

test('other sections can be asked for', () => {
  const [section] = articleSections;
  assert.equal(indexByArticle([], [section]), [{ section, entries: [], missing: [section.missing] }]);
  assert.equal(indexByArticle([], []), []);
});

test('the table in the documents is that of the sections', () => {
  const document = readFileSync(new URL('../../../docs/retention.md', import.meta.url), 'utf8');
  const rows = articleSections.map(({ id, title, answers, needs }) => [
    `\`${id}\``,
    title,
    answers.map(({ type, when }) => `\`${type}\`${when === undefined ? '' : ' (some)'}`).join(', '),
    needs.map(({ what }) => what).join('; ') || 'one of them',
  ]);
  assert.equal(tableOf(document, 'section'), rows);
});

test.run();
