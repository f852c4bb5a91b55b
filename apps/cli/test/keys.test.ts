import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Desk, deskWithLog } from './fixture.js';

const desk = await deskWithLog();

test.after(() => desk.served.close());

test('keygen makes a key of mode 600 and an enrolment without the secret, and never writes over either', async () => {
  const result = await desk.result(['keygen', 'alice', '--role', 'engineer', 'approver']);
  const secret = readFileSync(desk.path('alice.key'), 'utf8');
  assert.is(statSync(desk.path('alice.key')).mode & 0o777, 0o600);
  const enrolment = readFileSync(result.enrolment, 'utf8');
  const seed = secret.trim().split('+').slice(4).join('+');
  assert.not.match(`${enrolment}${JSON.stringify(result)}`, seed.slice(4, 40));
  assert.match(enrolment, 'approver');
  const again = await desk.call(['keygen', 'alice']);
  assert.is(again.code, 2);
  assert.is(readFileSync(desk.path('alice.key'), 'utf8'), secret);
  for (const id of ['Alice', 'a/b', '../x', '', 'alice@example.org']) assert.is((await desk.call(['keygen', id])).code, 2, id);
});

test('an engineer is enrolled by a record, and can then record', async () => {
  const bob = new Desk(desk.env);
  await bob.result(['keygen', 'bob']);
  await bob.result(['record', 'identity', '--file', 'bob.identity.yaml']);
  bob.write('m/w', 'w');
  const args = [
    'record',
    'model',
    'm',
    '--name',
    'of-bob',
    '--version',
    '1',
    '--reason',
    'Bob records his model.',
    '--key',
    'bob.key',
  ];
  const { index } = await bob.result(args);
  assert.is((await desk.result(['show', String(index)])).issuer, 'log.test/cli/identity/bob');
  const { stdout } = await desk.call(['history', 'identity/bob']);
  assert.match(stdout, 'bob');
});

test('--signer proves who signed, and another key does not', async () => {
  const eve = new Desk(desk.env);
  const { vkey } = await eve.result(['keygen', 'eve']);
  await eve.result(['record', 'identity', '--file', 'eve.identity.yaml']);
  eve.write('m/w', 'w');
  const args = ['--name', 'of-eve', '--version', '1', '--reason', 'Eve records her model.', '--key', 'eve.key', '--out', 'p'];
  await eve.result(['record', 'model', 'm', ...args]);
  const verdict = async (...more: string[]): Promise<string> =>
    (await eve.result(['verify', 'p', ...more])).claims.find(({ name }: { name: string }) => name === 'statement-signed')
      .verdict;
  assert.is(await verdict(), 'not proved');
  assert.is(await verdict('--signer', vkey), 'proved');
  const other = await eve.result(['keygen', 'other']);
  assert.is(await verdict('--signer', other.vkey), 'not proved');
});

test('a key file that others can read, or that is a link, is refused without a word of what is in it', async () => {
  const secret = readFileSync(join(desk.data, 'keys', 'admin.key'), 'utf8');
  desk.write('m/w', 'w');
  for (const mode of [0o644, 0o640, 0o604, 0o666]) {
    const path = desk.write(`open-${mode}.key`, secret);
    execFileSync('chmod', [mode.toString(8), path]);
    const { code, stdout, stderr } = await desk.call([
      'record',
      'model',
      'm',
      '--name',
      'k',
      '--version',
      '1',
      '--reason',
      'With an open key.',
      '--key',
      path,
    ]);
    assert.is(code, 2);
    assert.match(stderr, /open to others/);
    assert.not.match(stdout + stderr, secret.trim().split('+').slice(4).join('+'));
  }
  execFileSync('ln', ['-s', join(desk.data, 'keys', 'admin.key'), desk.path('link.key')]);
  const { code, stderr } = await desk.call([
    'record',
    'model',
    'm',
    '--name',
    'k',
    '--version',
    '1',
    '--reason',
    'With a linked key.',
    '--key',
    'link.key',
  ]);
  assert.is(code, 2);
  assert.match(stderr, /is a link/);
});

test('no secret is printed by any command', async () => {
  const seeds = ['log.key', 'log-mldsa44.key', 'admin.key'].map((name) =>
    readFileSync(join(desk.data, 'keys', name), 'utf8')
      .trim()
      .split('+')
      .slice(4)
      .join('+'),
  );
  desk.write('garbage.key', `PRIVATE+KEY+${'x'.repeat(30)}TOPSECRET`, 0o600);
  const record = ['record', 'model', 'm', '--name', 'quiet', '--version', '1', '--reason', 'Nothing secret is said.'];
  const calls = [
    ['show'],
    ['show', '0'],
    ['history', 'charter'],
    ['fsck'],
    record,
    [...record, '--key', 'garbage.key'],
    ['keygen', 'quiet'],
  ];
  for (const args of calls) {
    for (const more of [[], ['--json']]) {
      const { stdout, stderr } = await desk.call([...args, ...more]);
      for (const seed of [...seeds, 'TOPSECRET']) assert.not.match(stdout + stderr, seed);
    }
  }
});

test.run();
