import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { approvalsIn } from '../src/model/approvals.js';
import { isAdmitted } from '../src/model/content.js';
import { metricsIn } from '../src/model/metrics.js';
import { describedPeople } from '../src/model/people.js';
import { servicesIn } from '../src/model/services.js';
import { dayWords } from '../src/model/time-words.js';
import { clusters, timelineOf } from '../src/model/timeline.js';
import { versionChanges } from '../src/model/versions.js';
import { contentOf } from './content.js';
import { ward } from './ward.js';

const { pack } = await ward();
const content = await contentOf(pack);

test('every entry is admitted, and each is covered by a head that witnesses saw', () => {
  assert.is(content.entries.length, 26);
  for (const entry of content.entries) {
    assert.ok(isAdmitted(entry));
    assert.ok((entry.before?.checkpoint.size ?? 0n) > BigInt(entry.index));
    assert.type(entry.before?.by, 'number');
  }
});

test('what was in service when', () => {
  const [service, ...others] = servicesIn(content);
  assert.equal(others, []);
  assert.equal([service.subject, service.announced], ['deploy/prod/triage', undefined]);
  const told = service.periods.map(({ from, until, model, config, approvals }) => [
    dayWords(from),
    until === undefined ? undefined : dayWords(until),
    model?.record.version,
    config?.record.version,
    approvals.map(({ id, index }) => `${id} in ${index}`),
  ]);
  assert.equal(told, [
    ['2 January 2026', '19 March 2026', '1.0', '1', ['person-7f3a in 8']],
    ['19 March 2026', '28 April 2026', '1.1', '2', ['person-c21e in 15', 'person-7f3a in 16']],
    ['3 July 2026', undefined, '2.0', '3', ['person-7f3a in 24']],
  ]);
});

test('who approved and who rejected, and what an attachment says who they are', () => {
  const people = describedPeople(content);
  assert.equal(Object.fromEntries(people), {
    'person-7f3a': { name: 'Dr Mara Lindqvist', email: 'mara.lindqvist@ward.example', index: 3 },
    'person-c21e': { name: 'Jonas Abel', email: undefined, index: 4 },
  });
  assert.equal(
    approvalsIn(content).map(({ id, decision, target }) => `${id} ${decision} ${target?.index}`),
    [
      'person-7f3a approve 5',
      'person-c21e reject 11',
      'person-c21e approve 11',
      'person-7f3a approve 11',
      'person-7f3a approve 21',
    ],
  );
});

test('what changed between versions, field by field and line by line', () => {
  const { changes, more } = versionChanges(content, 4);
  assert.is(more, 0);
  assert.is(versionChanges(content, 3).more, 1);
  assert.equal(
    changes.map(({ subject, before, after }) => `${subject} ${before.index} ${after.index}`),
    ['model/triage 5 11', 'config/triage 6 12', 'model/triage 11 21', 'config/triage 12 22'],
  );
  const confidence = changes[1].fields.find(({ path }) => path === 'parameters.confidence');
  assert.equal(confidence, { path: 'parameters.confidence', kind: 'changed', before: '0.80', after: '0.65' });
  const [{ name, lines = [] }] = changes[3].texts;
  assert.is(name, 'triage.yaml');
  assert.equal(
    lines.filter((line) => line !== undefined && line.kind !== 'same').map((line) => `${line?.kind} ${line?.text}`),
    ['removed confidence: 0.65', 'added confidence: 0.70', 'added   - no-dosage'],
  );
});

test('what was measured, and what was tolerated', () => {
  assert.equal(
    metricsIn(content).map(({ name, slice, least, most, points }) => [
      name,
      slice,
      least,
      most,
      points.map(
        ({ value, verdict, model, config }) => `${value} ${verdict} ${model?.record.version} ${config?.record.version}`,
      ),
    ]),
    [
      ['sensitivity', undefined, 0.9, undefined, ['0.91 pass 1.0 1', '0.93 fail 1.1 2', '0.96 pass 2.0 3']],
      ['specificity', 'ward B', 0.8, undefined, ['0.84 pass 1.0 1', '0.79 fail 1.1 2', '0.88 pass 2.0 3']],
    ],
  );
});

test('the timeline ends with the head, and marks that lie on each other are counted', () => {
  const timeline = timelineOf(content);
  assert.ok(timeline);
  assert.equal(
    [timeline?.from, timeline?.to].map((at) => dayWords(at ?? 0)),
    ['1 January 2026', '2 August 2026'],
  );
  assert.equal(
    timeline?.lanes.map(({ label, entries }) => `${label} ${entries.length}`),
    ['Models 3', 'Configurations 3', 'Approvals 5', 'Evaluations 3', 'Deployments 5', 'Incidents 1', 'Corrections 1'],
  );
  assert.is(timeline?.events.length, 21);
  const marks = clusters(timeline?.lanes[2].entries ?? [], (at) => at / 86_400, 5);
  assert.equal(
    marks.map(({ entries }) => entries.map(({ index }) => index)),
    [[8], [14, 15, 16], [24]],
  );
});

test('what was superseded, left out, and decided', () => {
  assert.equal([...content.superseded], [[18, 20]]);
  assert.equal(
    content.leftOut.map(({ ref, why }) => `${ref.name} ${why}`),
    ['weights-licence.pdf withheld', 'weights-licence.pdf withheld', 'weights-licence.pdf withheld'],
  );
  assert.is(content.attachments.length, 8);
  const [{ decision, deployment, model, config, batch }] = content.decisions;
  assert.equal([decision.id, deployment, model?.index, config?.index, batch], ['case-2026-119', 25, 21, 22, 26]);
});

test.run();
