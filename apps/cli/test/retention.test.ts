import { execFileSync } from 'node:child_process';
import { retentionPresets } from '@treering/record';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { deskWithLog } from './fixture.js';
import { refuses, sizeOf } from './people.js';

const desk = await deskWithLog();
test.after(() => desk.served.close());

/** When every preset has ended that counts from now. */
const LATE = '2200-01-01';

interface Row {
  readonly index: number;
  readonly name: string;
  readonly access: string;
  readonly digest: string;
  readonly subjects: readonly string[];
  readonly also_named_by: readonly number[];
  readonly until: number | null;
  readonly holds: readonly { readonly rule: string; readonly until: number; readonly from?: string }[];
  readonly held: boolean;
  readonly erase: string | null;
}

/** What the report says about one subject. */
async function rowsOf(subject: string, ...more: string[]): Promise<readonly Row[]> {
  return (await desk.result(['retention', 'report', '--subject', subject, ...more])).attachments;
}

/** Logs a configuration of one file. */
function recordFile(name: string, content: string): Promise<{ index: number; leaf: string }> {
  const path = desk.write(`${name}.txt`, content);
  return desk.result(['record', 'config', path, '--name', name, '--version', '1', '--reason', 'The prompt of the service.']);
}

/** Logs a record of a file, with attachments that are never sent: names and digests. */
function recordNaming(
  type: string,
  subject: string,
  attachments: readonly (readonly [name: string, digest: string])[],
  ...members: string[]
): Promise<{ index: number }> {
  const list = attachments.map(([name, digest]) => ({
    name,
    media_type: 'text/plain',
    size: 3,
    digest,
    access: 'withheld',
  }));
  const lines = [`subject: ${subject}`, 'reason: It names what is attached.', `attachments: ${JSON.stringify(list)}`];
  const file = desk.write(`${subject.replaceAll('/', '-')}.yaml`, [...lines, ...members, ''].join('\n'));
  return desk.result(['record', type, '--file', file]);
}
const PLAN = ['modifications: [Retraining on the next quarter.]', 'acceptance: []'];
const freeze = (name: string): string[] => [`on: nothing/${name}`, 'until: 1'];

/** The arguments that a shell takes from a command. */
const argumentsOf = (command: string): string[] =>
  execFileSync('bash', ['-c', `treering() { printf '%s\\0' "$@"; }; ${command}`], { encoding: 'utf8' })
    .split('\0')
    .slice(0, -1);

test('presets are listed with their source, period and types', async () => {
  const { presets } = await desk.result(['retention', 'presets']);
  assert.equal(presets, JSON.parse(JSON.stringify(retentionPresets)));
  const { stdout } = await desk.call(['retention', 'presets']);
  for (const { rule, source, from } of retentionPresets) for (const text of [rule, source, from]) assert.match(stdout, text);
  assert.match(stdout, '25 months from the notice to the applicant');
  assert.match(stdout, 'an assumption');
});

test('an attachment is held by the presets for its type, the longest first, counted from the signing', async () => {
  const { index } = await recordFile('held', 'You are careful.');
  const [row, ...others] = await rowsOf('config/held');
  assert.equal(others, []);
  assert.equal([row.index, row.name, row.access, row.held, row.erase], [index, 'held.txt', 'restricted', true, null]);
  const wanted = retentionPresets.filter(({ types }) => types.includes('config')).map(({ rule }) => rule);
  assert.equal(row.holds.map(({ rule }) => rule).sort(), wanted.sort());
  assert.equal([row.holds[0].rule, row.holds[0].until], ['eu-ai-act-18', row.until]);
  assert.match(row.holds[0].from as string, 'placing on the market');
  const [signed, until] = [new Date((await desk.result(['show', String(index)])).issued_at), new Date(row.until as number)];
  signed.setUTCFullYear(signed.getUTCFullYear() + 10);
  assert.is(until.toISOString(), signed.toISOString());
});

test('only chosen presets count', async () => {
  await recordFile('chosen', 'You are brief.');
  const rules = ['reg-b-1002-12-business', 'sec-17a-4-3-years'];
  const [row] = await rowsOf('config/chosen', '--rule', ...rules);
  assert.equal(
    row.holds.map(({ rule }) => rule),
    ['sec-17a-4-3-years', 'reg-b-1002-12-business'],
  );
  const [free] = await rowsOf('config/chosen', '--rule', 'eu-ai-act-19');
  assert.equal([free.until, free.holds, free.held], [null, [], false]);
  assert.match(free.erase as string, 'treering erase');
});

test('what no rule holds any more comes with the command that erases it; then it is not listed', async () => {
  const { index } = await recordFile('over', 'You are gone soon.');
  const [row] = await rowsOf('config/over', '--at', LATE);
  assert.is(row.held, false);
  assert.is(row.erase, `treering erase ${index} over.txt --reason "The chosen retention rules do not hold it."`);
  await desk.result(argumentsOf(row.erase as string));
  assert.equal(await rowsOf('config/over', '--at', LATE), []);
});

test('a time is compared with the very end of a period', async () => {
  await recordFile('exact', 'You are exact.');
  const [{ until }] = await rowsOf('config/exact');
  const at = (milliseconds: number): string => new Date(milliseconds).toISOString();
  assert.is((await rowsOf('config/exact', '--at', at((until as number) - 1)))[0].held, true);
  assert.is((await rowsOf('config/exact', '--at', at(until as number)))[0].held, false);
});

test('what the record says itself holds too, whichever is later', async () => {
  await recordNaming(
    'change-plan',
    'system/own',
    [['plan.txt', '11'.repeat(32)]],
    ...PLAN,
    'retention: { rule: our-policy-7, until: 9007199254740991 }',
  );
  const [row] = await rowsOf('system/own', '--at', LATE);
  assert.equal(
    [row.held, row.until, row.holds[0]],
    [true, 9007199254740991, { rule: 'our-policy-7', until: 9007199254740991 }],
  );
  const { stdout } = await desk.call(['retention', 'report', '--subject', 'system/own', '--at', LATE]);
  assert.match(stdout, 'kept until for ever by our-policy-7');
  assert.match(stdout, 'eu-ai-act-18 ended');
  assert.match(stdout, 'withheld: whoever recorded it has the content');
});

test('content that several entries name is held for all of them, and erased by the entry that named it first', async () => {
  const first = await recordFile('first', 'You are shared.');
  const [{ digest }] = await rowsOf('config/first');
  const later = await recordNaming(
    'change-plan',
    'system/later',
    [['again.txt', digest]],
    ...PLAN,
    'retention: { rule: ours, until: 7258204800000 }',
  );
  for (const subject of ['config/first', 'system/later']) {
    const rows = await rowsOf(subject, '--at', LATE);
    assert.is(rows.length, 1);
    assert.equal([rows[0].index, rows[0].name, rows[0].also_named_by], [first.index, 'first.txt', [later.index]]);
    assert.equal([rows[0].subjects, rows[0].held], [['config/first', 'system/later'], true]);
    assert.equal([rows[0].holds[0].rule, rows[0].until], ['ours', 7258204800000]);
  }
});

test('names are quoted for a shell', async () => {
  const names = ["it's $(touch here).txt", '-x.txt', 'a b/c.txt', '`id`', 'plain-1.0_@.txt'];
  const named = names.map((name, i): [string, string] => [name, `2${i}`.repeat(32)]);
  const { index } = await recordNaming('freeze', 'freeze/names', named, ...freeze('names'));
  const rows = await rowsOf('freeze/names');
  const reason = ['--reason', 'The chosen retention rules do not hold it.'];
  for (const [i, name] of names.entries()) {
    const start = ['erase', String(index)];
    assert.equal(
      argumentsOf(rows[i].erase as string),
      name.startsWith('-') ? [...start, ...reason, '--', name] : [...start, name, ...reason],
    );
  }
  for (const { erase } of rows) assert.is((await desk.call(argumentsOf(erase as string))).code, 0);
  assert.equal(await rowsOf('freeze/names'), []);
});

test('an attachment whose name an earlier one has is named by no command', async () => {
  const twice: [string, string][] = [
    ['same.txt', '31'.repeat(32)],
    ['same.txt', '32'.repeat(32)],
  ];
  await recordNaming('freeze', 'freeze/twice', twice, ...freeze('twice'));
  const rows = await rowsOf('freeze/twice');
  assert.match(rows[0].erase as string, 'same.txt');
  assert.is(rows[1].erase, null);
  const { stdout } = await desk.call(['retention', 'report', '--subject', 'freeze/twice']);
  assert.match(stdout, 'no command erases it alone');
});

test('people read what is assumed, and that it is what the presets say', async () => {
  const { code, stdout, stderr } = await desk.call(['retention', 'report', '--rule', 'eu-ai-act-18']);
  assert.is(code, 0, stderr);
  assert.match(stdout, 'Assumption: every period is counted from the day on which the record was signed.');
  assert.match(stdout, 'eu-ai-act-18: 10 years from the placing on the market or putting into service');
  assert.match(stdout, 'This is what the presets say.');
  assert.not.match(stdout, /compli|allowed/i);
  const { assumptions } = await desk.result(['retention', 'report', '--rule', 'eu-ai-act-18']);
  assert.equal(assumptions, [{ rule: 'eu-ai-act-18', from: retentionPresets[0].from, counted_from: 'signing' }]);
});

test('what cannot be meant is refused', async () => {
  const report = ['retention', 'report'];
  const { stderr } = await refuses(desk, [...report, '--rule', 'eu-ai-act-81'], 2, 'cli/usage');
  assert.match(stderr, 'did you mean "eu-ai-act-18"');
  for (const at of ['tomorrow', '2026-02-30', '2026-13-01', '2026-1-1', '2026-01-01T00:00:00', '2026-01-01T00:00:00+02:00', ''])
    await refuses(desk, [...report, '--at', at], 2, 'cli/usage');
  await refuses(desk, [...report, '--subject', 'No/Subject'], 2, 'cli/usage');
});

test('a report logs nothing', async () => {
  const size = sizeOf(desk);
  await desk.result(['retention', 'report', '--at', LATE]);
  assert.is(sizeOf(desk), size);
});

test.run();
