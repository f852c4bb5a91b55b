import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hexOf } from './attachment.js';
import { deskWithLog } from './fixture.js';
import { enrol, recordModel, refuses, sizeOf } from './people.js';

// What went wrong is recorded with what it affects and by when it is reported; the log then holds everybody to it.

const DAY = 86_400_000;
const desk = await deskWithLog();
test.after(() => desk.served.close());

desk.write(
  'policy.yaml',
  `rules:
  - { name: engineers, who: { roles: [engineer] }, may: ['model', config, deployment, incident, approval], on: ['**'] }
  - { name: freezers, who: { roles: [freezer] }, may: [freeze, incident], on: ['deploy/**', 'freeze/**', 'incident/**'] }
`,
);
const eve = await enrol(desk, 'eve', 'engineer');
const fay = await enrol(desk, 'fay', 'freezer');
const model = await recordModel(desk, 'wink', '1', eve);
desk.write('prompt.txt', 'You are careful.\n');
const config = await desk.result([
  'record',
  'config',
  'prompt.txt',
  '--name',
  'api',
  '--version',
  '1',
  '--reason',
  'The first prompt.',
  '--key',
  eve,
]);
/** The file of a record that puts the service into production, or takes it out again. */
const phase = (name: string): string =>
  desk.write(
    `${name}.yaml`,
    `subject: deploy/prod/triage
reason: The service is ${name} now.
phase: ${name}
environment: prod
service: triage
approvals: []
model: "${model.leaf}"
config: "${config.leaf}"
`,
  );
const deployment = await desk.result(['record', 'deployment', '--file', phase('active'), '--key', eve]);
// What runs no more was in service when something went wrong.
await desk.result(['record', 'deployment', '--file', phase('ended'), '--key', eve]);
await desk.result(['policy', 'set', 'policy.yaml', '--reason', 'Some may freeze, others may not.']);

const open = (name: string, ...more: string[]): string[] => [
  ...['incident', 'open', name, '--severity', 'high', '--reason', 'The model answered with a name.', '--key', eve],
  ...more,
];
const update = (name: string, ...more: string[]): string[] => [
  ...['incident', 'update', name, '--reason', 'More is known of it now.', '--key', eve],
  ...more,
];
const close = (name: string): string[] => [
  'incident',
  'close',
  name,
  '--reason',
  'It is over, the report was made.',
  '--key',
  eve,
];
const recordOf = async (index: number) => (await desk.result(['show', String(index)])).record;
const ago = (days: number): string => new Date(Date.now() - days * DAY).toISOString();

test('an incident says by when it is reported, and what runs is linked with its model and configuration', async () => {
  const aware = ago(1);
  const opened = await desk.result(
    open('names', '--harm', 'death', '--aware', aware, '--affects', 'deploy/prod/triage', '--authority', 'BNetzA', 'BfArM'),
  );
  const { due_at: due, basis, linked, status, subject } = opened;
  assert.equal([status, subject, basis], ['open', 'incident/names', 'Article 73(4)']);
  const hour = 3_600_000;
  assert.ok([10 * DAY, 10 * DAY - hour].includes(due - Date.parse(aware)), 'ten days, less an hour where summer time begins');
  assert.equal(linked, [
    { index: deployment.index, leaf: deployment.leaf, subject: 'deploy/prod/triage' },
    { index: model.index, leaf: model.leaf, subject: 'model/wink' },
    { index: config.index, leaf: config.leaf, subject: 'config/api' },
  ]);
  const record = await recordOf(opened.index);
  assert.equal(record.affected.map(hexOf), [deployment.leaf, model.leaf, config.leaf]);
  assert.equal([record.severity, record.harm, record.status], ['high', 'death', 'open']);
  assert.equal([record.aware_at, record.due_at], [Date.parse(aware), due]);
  assert.equal(record.authorities, ['BNetzA', 'BfArM']);
  assert.is(record.prev, undefined);
});

test('people are told what was linked, when it is due, and what not to do', async () => {
  const { code, stdout, stderr } = await desk.call(open('told', '--harm', 'widespread', '--affects', 'model/wink'));
  assert.is(code, 0, stderr);
  assert.match(stdout, `links  entry ${model.index}, model/wink: Model wink version 1 (new)`);
  assert.match(stdout, /due {4}\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ, in 47 hours|due .*in 46 hours/);
  assert.match(stderr, /do not alter the system .*Art\. 73\(6\)/);
  assert.match(stderr, /--freeze/);
});

test('without a harm, high and critical are serious, low and medium are not', async () => {
  const due = async (severity: string) => {
    const args = open(`plain-${severity}`).map((arg) => (arg === 'high' ? severity : arg));
    const { due_at, basis, aware_at } = await desk.result(args);
    return due_at === null ? basis : [basis, Math.ceil((due_at - aware_at) / DAY)];
  };
  assert.equal(await due('low'), null);
  assert.equal(await due('medium'), null);
  assert.equal(await due('high'), ['Article 73(2)', 15]);
  assert.equal(await due('critical'), ['Article 73(2)', 15]);
});

test('an entry is linked alone, once, by its index or leaf', async () => {
  const { linked } = await desk.result(open('entries', '--affects', String(deployment.index), model.leaf, String(model.index)));
  assert.equal(
    linked.map(({ index }: { index: number }) => index),
    [deployment.index, model.index],
  );
});

test('what cannot be meant is refused, and nothing is logged', async () => {
  const tomorrow = new Date(Date.now() + DAY).toISOString();
  const wrongs: readonly [string[], RegExp][] = [
    [open('a', '--aware', tomorrow), /lies in the future/],
    [open('a', '--aware', '2026-02-30'), /no time in UTC/],
    [open('a', '--aware', '2026-02-01T10:00:00+01:00'), /no time in UTC/],
    [open('a', '--aware', 'yesterday'), /no time in UTC/],
    [open('A B'), /no name/],
    [open('../x'), /no name/],
    [open('a', '--affects', 'deploy/prod/nothing'), /nothing on deploy\/prod\/nothing was ever in service/],
    [open('a', '--affects', 'incident/names'), /nothing on incident\/names/],
    [open('a', '--affects', 'No Subject'), /no index, no leaf hash/],
    [open('names'), /is open already, by entry/],
    [open('a', '--until', tomorrow), /name what is frozen/],
    [open('a', '--freeze', 'deploy/**', '--until', ago(1)), /is over/],
    [open('a', '--freeze', '**'), /could then not be closed/],
    [open('a', '--freeze', 'incident/*'), /could then not be closed/],
    [update('nobody', '--severity', 'low'), /there is no incident incident\/nobody/],
    [update('names'), /nothing to update/],
    [update('names', '--aware', ago(0.5)), /cannot move to a later time/],
    [close('nobody'), /there is no incident/],
  ];
  for (const [args, says] of wrongs) assert.match((await refuses(desk, args, 2, 'cli/usage')).stderr, says);
  await refuses(desk, open('a', '--freeze', 'A B'), 2, 'record/invalid');
  await refuses(
    desk,
    open('a').map((arg) => (arg === 'high' ? 'huge' : arg)),
    2,
    'cli/usage',
  );
  await refuses(desk, open('a', '--harm', 'none'), 2, 'cli/usage');
  assert.is((await desk.call(open('a', '--affects', '999999'))).code, 2);
});

test('an update changes what it names, and keeps the rest', async () => {
  const aware = ago(3);
  const first = await desk.result(open('grows', '--aware', aware, '--affects', 'model/wink', '--authority', 'A'));
  // An approval of the record lies on its subject as well.
  await desk.result([
    'approve',
    String(first.index),
    '--reason',
    'I have seen this.',
    '--role',
    'engineer',
    '--yes',
    '--key',
    eve,
  ]);
  const more = await desk.result(
    update('grows', '--affects', String(config.index), String(model.index), '--authority', 'B', 'A'),
  );
  assert.equal(
    more.linked.map(({ index }: { index: number }) => index),
    [config.index],
    'what is new',
  );
  const record = await recordOf(more.index);
  assert.equal(record.affected.map(hexOf), [model.leaf, config.leaf]);
  assert.equal(record.authorities, ['A', 'B']);
  assert.equal([record.severity, record.aware_at, record.due_at], ['high', Date.parse(aware), first.due_at]);
  assert.is(record.reason, 'More is known of it now.');

  const worse = await desk.result(update('incident/grows', '--harm', 'critical-infrastructure'));
  assert.is(worse.due_before, first.due_at);
  assert.ok(worse.due_at < Date.now(), 'two days are over after three');
  const earlier = await desk.result(update('grows', '--harm', 'health', '--aware', ago(4)));
  assert.ok(Math.abs(earlier.due_at - (Date.now() + 11 * DAY)) < DAY / 12);
  assert.is(hexOf((await recordOf(earlier.index)).prev), worse.leaf);

  const reported = await desk.result(update('grows', '--reported'));
  assert.is(reported.due_at, null);
  assert.is((await recordOf(reported.index)).harm, 'health');
  assert.is((await desk.result(update('grows', '--authority', 'C'))).due_at, null, 'it stays reported');
  assert.ok((await desk.result(update('grows', '--harm', 'death'))).due_at > Date.now(), 'another harm is reported as well');
});

test('an incident is closed with all that is known of it, once, and can be opened again', async () => {
  const first = await desk.result(open('ends', '--affects', 'model/wink', '--harm', 'health'));
  const closed = await desk.result(close('ends'));
  const record = await recordOf(closed.index);
  assert.equal([record.status, record.harm, record.due_at], ['closed', 'health', first.due_at]);
  assert.equal(record.affected.map(hexOf), [model.leaf]);
  assert.is(hexOf(record.prev), first.leaf);
  for (const args of [close('ends'), update('ends', '--harm', 'death')])
    assert.match((await refuses(desk, args, 2, 'cli/usage')).stderr, `was closed by entry ${closed.index}`);
  const again = await desk.result(open('ends'));
  assert.is(hexOf((await recordOf(again.index)).prev), closed.leaf);
});

/** A log in front of which something happens before the first submission. */
async function after<T>(meanwhile: () => Promise<unknown>, work: (url: string) => Promise<T>): Promise<T> {
  let happened = false;
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { method = 'GET', url = '/', headers } = request;
    if (method === 'POST' && !happened) {
      happened = true;
      await meanwhile();
    }
    const answer = await fetch(`${desk.served.url}${url}`, {
      method,
      ...(method === 'GET'
        ? {}
        : { body: Buffer.concat(chunks), headers: { 'content-type': String(headers['content-type']) } }),
    });
    response.writeHead(answer.status, { 'Content-Type': answer.headers.get('content-type') ?? '' });
    response.end(Buffer.from(await answer.arrayBuffer()));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    return await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test('what somebody else changed meanwhile is not overwritten', async () => {
  await desk.result(open('raced'));
  for (const args of [update('raced', '--severity', 'low'), close('raced')]) {
    const others = await after(
      () => desk.result(update('raced', '--affects', String(sizeOf(desk) - 1))),
      (url) => desk.call([...args, '--url', url, '--json']),
    );
    assert.is(others.code, 4, others.stdout);
    assert.is(others.json().error.code, 'governance/prev-conflict');
  }
  const { records } = await desk.result(['history', 'incident/raced']);
  assert.equal([records.length, records[0].record.status, records[0].record.severity], [3, 'open', 'high']);
});

test('what an incident is about is frozen with it', async () => {
  const until = new Date(Date.now() + DAY).toISOString().slice(0, 19);
  const args = open('frozen', '--harm', 'health', '--freeze', 'deploy/prod/triage', '--until', `${until}Z`, '--key', fay);
  const opened = await desk.result(args);
  assert.is(opened.freeze.index, opened.index + 1);
  const record = await recordOf(opened.freeze.index);
  assert.equal(
    [record.subject, record.on, record.until],
    ['freeze/frozen', 'deploy/prod/triage', Date.parse(`${until}Z`) / 1000],
  );
  await refuses(desk, ['record', 'deployment', '--file', phase('active'), '--key', eve], 4, 'governance/frozen');
  // Without an end, and a second time under the same name.
  await desk.result([...close('frozen').slice(0, -1), fay]);
  const again = await desk.call(open('frozen', '--freeze', 'deploy/test/**', '--key', fay));
  assert.is(again.code, 0, again.stderr);
  assert.match(again.stdout, /frozen deploy\/test\/\*\*, until it is lifted/);
  assert.not.match(again.stderr, /Nothing was frozen/);
});

test('a freeze that is refused leaves the incident, says so, and ends with 4', async () => {
  const before = sizeOf(desk);
  const args = open('unfrozen', '--freeze', 'deploy/prod/other');
  const { code, stderr, json } = await desk.call([...args, '--json']);
  assert.is(code, 4);
  assert.is(sizeOf(desk), before + 1);
  const { index, due_at: due, freeze } = json();
  assert.is(freeze.error.code, 'governance/not-allowed');
  assert.ok(due > Date.now());
  assert.match(stderr, `the incident is recorded, as entry ${index}, but deploy/prod/other is not frozen`);
  assert.is((await recordOf(index)).subject, 'incident/unfrozen');
});

test('the list tells what is open and when it is due, what is late first, and ends with 1 for that', async () => {
  const listed = await desk.call(['incident', 'list', '--json']);
  const { incidents, overdue } = listed.json();
  const names = incidents.map(({ record }: { record: { subject: string } }) => record.subject);
  assert.is(listed.code, 0, 'nothing is late');
  assert.is(overdue, 0);
  assert.ok(names.includes('incident/raced') && names.includes('incident/plain-low'));
  assert.is(new Set(names).size, names.length);

  await desk.result(open('late', '--harm', 'widespread', '--aware', ago(5)));
  const late = await desk.call(['incident', 'list', '--json']);
  assert.is(late.code, 1);
  assert.is(late.json().overdue, 1);
  assert.equal([late.json().incidents[0].record.subject, late.json().incidents[0].overdue], ['incident/late', true]);
  const dues = late
    .json()
    .incidents.filter(({ record }: { record: { status: string } }) => record.status === 'open')
    .map(({ record }: { record: { due_at?: number } }) => record.due_at ?? Number.POSITIVE_INFINITY);
  assert.equal(
    dues,
    [...dues].sort((a: number, b: number) => a - b),
  );

  const text = await desk.call(['incident', 'list']);
  assert.is(text.code, 1);
  assert.match(text.stdout, /incident\/late {2}high, widespread, open/);
  assert.match(text.stdout, /✗ overdue: the report was due .* 3 days ago|✗ overdue: the report was due .* 2 days ago/);
  assert.match(text.stdout, /1 overdue\n$/);
  await desk.result(close('late'));
  assert.is((await desk.call(['incident', 'list'])).code, 0);
  const all = (await desk.result(['incident', 'list'])).incidents.length;
  const opens = await desk.result(['incident', 'list', '--open']);
  assert.is(opens.incidents.length, all - 1, 'the one that is closed is left out');
  assert.ok(opens.incidents.every(({ record }: { record: { status: string } }) => record.status === 'open'));
});

test('a list that cannot be had is no empty list', async () => {
  const { code, stdout } = await desk.call(['incident', 'list', '--url', 'http://127.0.0.1:9']);
  assert.equal([code, stdout], [3, '']);
});

test.run();
