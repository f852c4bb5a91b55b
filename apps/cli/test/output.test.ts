import { printable } from '@treering/record';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Desk, deskWithLog } from './fixture.js';

const desk = await deskWithLog();
desk.write('model/weights.bin', 'weights');
desk.write('model2/weights.bin', 'other weights');
const recordModel = (folder: string, version: string): string[] => [
  'record',
  'model',
  folder,
  '--name',
  'wink',
  '--version',
  version,
  '--reason',
  `This is version ${version} of it.`,
];
await desk.result(recordModel('model', '1.0'));
await desk.result(recordModel('model2', '2.0'));
const proof = 'wink-2.0.tlog-proof';

test.after(() => desk.served.close());

// biome-ignore lint/suspicious/noControlCharactersInRegex: escape codes are what is looked for
const ESCAPES = /[\u0000-\u0009\u000b-\u001f\u007f]/;

/** Commands that succeed, and members of their result. */
const commands: readonly [readonly string[], readonly string[]][] = [
  [['show'], ['origin', 'root', 'size', 'url']],
  [
    ['show', '1'],
    ['head', 'index', 'issued_at', 'issuer', 'leaf', 'record', 'subject'],
  ],
  [
    ['history', 'model/wink'],
    ['records', 'subject'],
  ],
  [
    ['diff', '1', '2'],
    ['after', 'before', 'differences'],
  ],
  [
    ['verify', proof],
    ['claims', 'index', 'verified'],
  ],
  [['fsck'], ['attachments', 'entries', 'findings', 'tiles']],
];

for (const [args, members] of commands) {
  test(`${args[0]}: one line of JSON with --json, text without escape codes otherwise`, async () => {
    const scripted = await desk.call([...args, '--json']);
    assert.is(scripted.code, 0, scripted.stderr);
    assert.equal(Object.keys(scripted.json()).sort(), members);
    assert.is(scripted.stderr, '');
    const { code, stdout, stderr } = await desk.call(args);
    assert.is(code, 0);
    assert.is(stderr, '');
    assert.ok(stdout.length > 20);
    assert.not.match(stdout, ESCAPES);
  });

  test(`${args[0]}: colours on a terminal, unless NO_COLOR says no or the result is JSON`, async () => {
    assert.match((await desk.call(args, { isTTY: true })).stdout, '\u001b[');
    assert.not.match((await desk.call(args, { isTTY: true, env: { NO_COLOR: '1' } })).stdout, ESCAPES);
    assert.not.match((await desk.call([...args, '--json'], { isTTY: true })).stdout, ESCAPES);
  });
}

test('backup prints one line of JSON too', async () => {
  assert.equal(Object.keys(await desk.result(['backup', 'copies/a.db'])).sort(), ['path', 'size']);
});

/** Calls that fail: exit code and stable code. */
const failures: readonly [string, readonly string[], number, string, Readonly<Record<string, string>>?][] = [
  ['an entry that is not there', ['show', '4000'], 2, 'entry/missing'],
  ['a subject of nothing', ['history', 'model/nothing'], 2, 'subject/missing'],
  ['a subject that is none', ['history', 'Model Wink'], 2, 'cli/usage'],
  ['an entry that is named wrongly', ['show', 'first'], 2, 'cli/usage'],
  ['a file that is not there', ['verify', 'nothing.tlog-proof'], 2, 'ENOENT'],
  ['a proof file that is none', ['verify', 'model/weights.bin'], 1, 'evidence/malformed'],
  ['a key that is none', ['verify', proof, '--key', 'nonsense'], 2, 'note/bad-key'],
  ['a log that does not answer', ['show', '--url', 'http://127.0.0.1:1'], 3, 'client/unreachable'],
  ['a folder without a log', ['fsck', '--data', 'nowhere'], 2, 'cli/usage'],
  ['a backup over a file', ['backup', 'model/weights.bin'], 2, 'cli/usage'],
  [
    'a reason that is too short',
    ['record', 'model', 'model', '--name', 'x', '--version', '1', '--reason', 'no'],
    2,
    'record/invalid',
  ],
  [
    'a model that is not there',
    ['record', 'model', 'nomodel', '--name', 'x', '--version', '1', '--reason', 'A good reason.'],
    2,
    'ENOENT',
  ],
];

for (const [name, args, exit, code, env] of failures) {
  test(`${name}: exit code ${exit}, and ${code} in JSON`, async () => {
    const outcome = await desk.call([...args, '--json'], env === undefined ? {} : { env });
    assert.is(outcome.code, exit, outcome.stderr);
    const { error } = outcome.json();
    assert.is(error.code, code);
    assert.ok(error.message.length > 10);
    const plain = await desk.call(args);
    assert.is(plain.code, exit);
    assert.is(plain.stdout, '', 'nothing that looks like a result');
    assert.match(plain.stderr, /^treering: .+\n$/s);
    assert.not.match(plain.stderr, /\n\s+at /, 'no stack trace');
  });
}

test('what files and paths say reaches a terminal without its control characters', async () => {
  const controls = '\u001b[2J\u202e';
  desk.write('escape.yaml', `type: incident\n${controls}: [\n`);
  desk.write('warned.yaml', `type: incident\nsubject: !${controls} x\n`);
  const record = ['record', 'incident', '--reason', 'A good reason.', '--file'];
  for (const args of [
    ['verify', `no${controls}.tlog-proof`],
    [...record, 'escape.yaml'],
    [...record, 'warned.yaml'],
  ]) {
    const { code, stderr } = await desk.call(args);
    assert.ok(code > 0);
    assert.match(stderr, /^treering: /);
    for (const line of stderr.split('\n')) assert.is(printable(line), line);
  }
});

test('wrong calls: exit code 2, a suggestion, and JSON when it is asked for', async () => {
  for (const args of [
    ['shwo'],
    ['show', '--ulr', 'x'],
    ['record'],
    ['record', 'model'],
    ['record', 'nonsense'],
    ['history'],
    [],
  ]) {
    const { code, stdout } = await desk.call(args);
    assert.is(code, 2, args.join(' '));
    assert.is(stdout, '', args.join(' '));
  }
  assert.match((await desk.call(['shwo'])).stderr, /Did you mean show/);
  const scripted = await desk.call(['history', '--json']);
  assert.is(scripted.code, 2);
  assert.is(scripted.json().error.code, 'cli/usage');
});

test('help and version are no errors', async () => {
  const help = await desk.call(['--help']);
  assert.is(help.code, 0);
  assert.match(help.stdout, /verify <file>|verify \[options\] <file>/);
  const version = await desk.call(['--version']);
  assert.is(version.code, 0);
  assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/);
});

test('a proof that does not hold: exit code 1, and nothing of the record is shown', async () => {
  const stranger = await deskWithLog();
  await stranger.served.close();
  const { code, stdout } = await desk.call(['verify', proof, '--key', stranger.served.vkey]);
  assert.is(code, 1);
  assert.match(stdout, 'The proof does not hold.');
  assert.not.match(stdout, 'This is version 2.0');
  const { verified, claims } = (await desk.call(['verify', proof, '--key', stranger.served.vkey, '--json'])).json();
  assert.is(verified, false);
  assert.ok(claims.some(({ verdict }: { verdict: string }) => verdict === 'failed'));
});

test('a signer that is not enrolled: exit code 4, and the rule that decided', async () => {
  const guest = new Desk(desk.env);
  guest.write('m/w', 'w');
  await guest.result(['keygen', 'mallory']);
  const { code, stderr } = await guest.call([...recordModel('m', '3.0'), '--key', 'mallory.key']);
  assert.is(code, 4);
  assert.match(stderr, /decided by: identities/);
  const scripted = await guest.call([...recordModel('m', '3.0'), '--key', 'mallory.key', '--json']);
  assert.is(scripted.json().error.code, 'governance/unknown-key');
});

test('a signer without the right: exit code 4, and the rule that decided', async () => {
  const guest = new Desk(desk.env);
  await guest.result(['keygen', 'robot', '--role', 'machine', '--kind', 'workload']);
  await guest.result(['record', 'identity', '--file', 'robot.identity.yaml']);
  guest.write('m/w', 'w');
  const { code, stderr } = await guest.call([...recordModel('m', '3.0'), '--key', 'robot.key']);
  assert.is(code, 4);
  assert.match(stderr, /decided by: /);
});

test('a log that contradicts what was seen before: exit code 1', async () => {
  const other = await deskWithLog();
  const { code, stderr } = await desk.call(['show', '--url', other.served.url]);
  await other.served.close();
  assert.is(code, 1, stderr);
});

test('progress appears on a terminal only', async () => {
  const { stderr } = await desk.call([...recordModel('model', '9.0'), '--name', 'progress']);
  assert.is(stderr, '');
});

test.run();
