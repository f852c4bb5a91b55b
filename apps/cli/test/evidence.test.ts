import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { deskWithLog } from './fixture.js';
import { enrol, recordModel, refuses } from './people.js';

const desk = await deskWithLog();
test.after(() => desk.served.close());
await enrol(desk, 'eve', 'engineer');
const first = await recordModel(desk, 'triage', '1.0', desk.path('eve.key'));
desk.write('prompt.txt', 'You are careful.');
const about = ['--name', 'triage', '--version', '1', '--reason', 'The prompt of the triage service.'];
const config = await desk.result(['record', 'config', 'prompt.txt', ...about]);
const facts = `phase: active\nenvironment: prod\nservice: triage\nmodel: ${first.leaf}\nconfig: ${config.leaf}\napprovals: []\n`;
desk.write('deployment.yaml', `subject: deploy/prod/triage\nreason: Triage goes into service.\n${facts}`);
const deployed = await desk.result(['record', 'deployment', '--file', 'deployment.yaml']);
const trust = ['--key', String(desk.env.TREERING_LOG_KEY)];

test('the same question about the same tree gives the same file', async () => {
  for (const file of ['a.trpack', 'b.trpack']) await desk.result(['evidence', 'export', '--subject', 'deploy/**', '-o', file]);
  assert.equal(readFileSync(desk.path('a.trpack')), readFileSync(desk.path('b.trpack')));
  assert.is((await desk.call(['verify', 'a.trpack', ...trust])).code, 0);
});

test('restricted attachments are in the file when a key may read them', async () => {
  const options = ['--subject', 'config/triage', '--attachments', 'restricted'];
  const open = await desk.result(['evidence', 'export', ...options, '-o', 'restricted.trpack']);
  const claim = (result: { claims: { name: string; text: string }[] }): string =>
    result.claims.find(({ name }) => name === 'attachments')?.text ?? '';
  assert.match(claim(open), /All 1 attachment in the file is byte for byte/);
  const closed = await desk.result(['evidence', 'export', '--subject', 'config/triage', '-o', 'public.trpack']);
  assert.match(claim(closed), /No attachment is in the file; 1 other is left out/);
  assert.is(readFileSync(desk.path('public.trpack')).includes('You are careful'), false);
});

test('after an erasure every export verifies, and says that it was erased', async () => {
  desk.write('secret.txt', 'A name that must go.');
  const options = ['--name', 'gone', '--version', '1', '--reason', 'A configuration with a name in it.', '--access', 'public'];
  const { index } = await desk.result(['record', 'config', 'secret.txt', ...options]);
  await desk.result(['erase', String(index), '--reason', 'The person asked for it to be erased.']);
  const result = await desk.result(['evidence', 'export', '--subject', 'config/gone', '-o', 'gone.trpack']);
  assert.is(result.verified, true);
  const { stdout, code } = await desk.call(['verify', 'gone.trpack', ...trust, '--verbose']);
  assert.is(code, 0, stdout);
  assert.match(stdout, /secret\.txt \(20 bytes, public\) was erased from the log, as entry \d+ says/);
});

test('files that are there stay as they are, and nothing half is left', async () => {
  desk.write('there.trpack', 'mine');
  desk.write('there.html', 'mine');
  const ask = ['evidence', 'export', '--subject', 'deploy/**', '-o'];
  await refuses(desk, [...ask, 'there.trpack'], 2, 'cli/usage');
  await refuses(desk, [...ask, 'new.trpack', '--html', 'there.html'], 2, 'cli/usage');
  assert.is(readFileSync(desk.path('there.trpack'), 'utf8'), 'mine');
  assert.not(existsSync(desk.path('new.trpack')));
  await refuses(desk, ['evidence', 'export', '--subject', 'deploy/nowhere/*', '-o', 'nothing.trpack'], 2, 'cli/usage');
  assert.equal(
    readdirSync(desk.folder).filter((name) => name.endsWith('.part') || name === 'nothing.trpack'),
    [],
  );
});

test('what nobody can mean is refused', async () => {
  const ask = (...flags: string[]): string[] => ['evidence', 'export', ...flags, '-o', 'x.trpack'];
  for (const flags of [
    [],
    ['--subject', 'Not A Subject'],
    ['--subject', 'a', '--from', 'yesterday'],
    ['--subject', 'a', '--from', '2026-13-01'],
    ['--subject', 'a', '--from', '2026-02-01', '--to', '2026-01-01'],
    ['--decision', 'x'],
  ])
    await refuses(desk, ask(...flags), 2, 'cli/usage');
  assert.not(existsSync(desk.path('x.trpack')));
});

test('a day alone is meant whole', async () => {
  const today = new Date().toISOString().slice(0, 10);
  const result = await desk.result([
    'evidence',
    'export',
    '--subject',
    'deploy/**',
    '--from',
    today,
    '--to',
    today,
    '-o',
    'day.trpack',
  ]);
  assert.match(
    result.claims.find(({ name }: { name: string }) => name === 'question').text,
    /T23:59:59\.999Z; 1 of its entries do/,
  );
});

test('a pipe is read as well, and what is cut short is no pack', async () => {
  execFileSync('mkfifo', [desk.path('pipe')]);
  const cat = spawn('sh', ['-c', `cat ${desk.path('a.trpack')} > ${desk.path('pipe')}`]);
  const { code, stdout } = await desk.call(['verify', 'pipe', ...trust]);
  assert.is(code, 0, stdout);
  cat.kill();
  desk.write('short.trpack', new Uint8Array(readFileSync(desk.path('a.trpack')).subarray(0, 2000)));
  await refuses(desk, ['verify', 'short.trpack', ...trust], 1, 'evidence/malformed');
  await refuses(desk, ['verify', 'a.trpack', ...trust, '--ask', 'nonsense'], 2, 'cli/usage');
  assert.is((await desk.call(['verify', 'day.trpack', ...trust, '--ask', 'complete'])).code, 1);
});

test('decisions are logged without being shown; their salts are kept first, and are not lost by a second try', async () => {
  const at = Date.now();
  desk.write(
    'day.jsonl',
    [0, 1, 2].map((i) => `${JSON.stringify({ id: `case-${i}`, at: at + i, outcome: 'denied' })}\n`).join(''),
  );
  const record = [
    'decisions',
    'record',
    'day.jsonl',
    '--deployment',
    String(deployed.index),
    '--reason',
    'Decisions of the day.',
  ];
  const { index } = await desk.result(record);
  assert.is(statSync(desk.path('day.decisions')).mode & 0o777, 0o600);
  const shown = await desk.call(['show', String(index)]);
  assert.match(shown.stdout, /3 decisions between/);
  assert.not.match(shown.stdout, /case-/);
  await refuses(desk, record, 2, 'cli/usage');
  const again = await desk.result(['decisions', 'record', 'day.decisions', ...record.slice(3)]);
  assert.ok(again.index > index);
  const prove = (id: string): string[] => [
    'evidence',
    'export',
    '--decisions',
    'day.decisions',
    '--decision',
    id,
    '-o',
    `${id}.trpack`,
  ];
  await desk.result(prove('case-1'));
  const verified = await desk.call(['verify', 'case-1.trpack', ...trust]);
  assert.is(verified.code, 0, verified.stdout);
  assert.match(verified.stdout, /decision "case-1" .*, "denied", is one of those/);
  assert.not.match(verified.stdout, /case-[02]/);
  await refuses(desk, prove('case-9'), 2, 'cli/usage');
});

test('a file of decisions is read strictly', async () => {
  const record = [
    'decisions',
    'record',
    'bad.jsonl',
    '--deployment',
    String(deployed.index),
    '--reason',
    'Decisions of the day.',
  ];
  const line = (change: object): string => `${JSON.stringify({ id: 'a', at: 1, ...change })}\n`;
  const salt = Buffer.alloc(16).toString('base64url');
  for (const text of [
    '',
    '{',
    line({ id: '' }),
    line({ at: 'noon' }),
    line({ more: 1 }),
    line({ salt: 'AA' }),
    line({}) + line({}),
    line({ salt }) + line({ id: 'b' }),
  ]) {
    desk.write('bad.jsonl', text);
    await refuses(desk, record, 2, 'cli/usage');
  }
  assert.not(existsSync(desk.path('bad.decisions')));
  desk.write('bad.jsonl', line({}));
  await refuses(desk, record.with(4, '1'), 2, 'cli/usage');
});

test('the page is one file, empty or with a pack', async () => {
  await desk.result(['evidence', 'page', '-o', 'empty.html']);
  await desk.result(['evidence', 'page', 'a.trpack', '-o', 'full.html']);
  const [empty, full] = ['empty.html', 'full.html'].map((name) => readFileSync(desk.path(name), 'utf8'));
  const pack = readFileSync(desk.path('a.trpack')).toString('base64');
  assert.ok(full.includes(pack));
  assert.is(full.length, empty.length + pack.length);
});

test.run();
