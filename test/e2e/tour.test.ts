import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { hashModel } from '@treering/record/node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Workplace } from './command.js';

// The tour of the README on real data: two versions of a small English language model, and the configuration beside them.

const place = new Workplace();
for (const version of ['1-8-0', '1-8-1']) {
  const source = fileURLToPath(new URL(`../node_modules/wink-${version}`, import.meta.url));
  cpSync(source, place.path(`wink-${version.replaceAll('-', '.')}`), { recursive: true, dereference: true });
}
place.write(
  'service/guardrails.yaml',
  'parameters:\n  temperature: 0.2\nguardrails:\n  - id: pii\n    setting: strict\n    action: block\n',
);
place.write('service/prompt.txt', 'You help nurses to decide who is seen first.\n');
const git = (...args: string[]): string =>
  execFileSync('git', ['-C', place.path('service'), '-c', 'user.name=T', '-c', 'user.email=t@test', ...args], {
    encoding: 'utf8',
    env: place.env,
  });
git('init', '-q');
git('add', '.');
git('commit', '-q', '-m', 'Guardrails and prompt.');

const log = await place.up();
const model = (version: string, ...more: string[]): string[] => [
  ...['record', 'model', `wink-${version}`, '--name', 'wink', '--version', version],
  ...[
    '--reason',
    version === '1.8.0' ? 'First version of the language model.' : 'Upstream release with updated weights.',
    ...more,
  ],
];

test.after(async () => {
  await log.stop();
});

test('the first version is entry 1, and its proof lies beside the folder', async () => {
  const { code, stdout, stderr } = await place.run(model('1.8.0'));
  assert.is(code, 0, stderr);
  assert.match(stdout, 'model model/wink is entry 1');
  assert.match(stdout, /leaf {3}[0-9a-f]{64}\n/);
  assert.match(stdout, 'signature of the head, inclusion of the entry, consistency with every head seen before, receipt');
  assert.match(stdout, 'wink-1.8.0.tlog-proof');
});

test('the second version is entry 2, names the first, and goes where --out says', async () => {
  const result = await place.result(model('1.8.1', '--out', 'proofs/second.tlog-proof'));
  assert.is(result.index, 2);
  assert.is(result.proof, place.path('proofs', 'second.tlog-proof'));
  const { record } = await place.result(['show', '2']);
  const first = await place.result(['show', '1']);
  assert.is(Buffer.from(record.prev.$bytes, 'base64url').toString('hex'), first.leaf);
  assert.is(record.change, 'weights');
});

test('what is in the log is what lies on the disk', async () => {
  for (const [index, version] of [
    [1, '1.8.0'],
    [2, '1.8.1'],
  ] as const) {
    const { record } = await place.result(['show', String(index)]);
    const { resources, bytes } = await hashModel(place.path(`wink-${version}`), { ignored: [] });
    assert.equal(record.size, { bytes, files: resources.length });
    assert.ok(bytes > 500_000, `a real model of ${bytes} bytes`);
    assert.ok(resources.length > 4);
  }
});

test('the configuration is entry 3, with its commit, clean', async () => {
  const args = ['record', 'config', 'service/guardrails.yaml', 'service/prompt.txt', '--name', 'triage'];
  const { index } = await place.result([...args, '--reason', 'Guardrails for the triage service.']);
  assert.is(index, 3);
  const { record } = await place.result(['show', '3']);
  assert.is(record.git.commit, git('rev-parse', 'HEAD').trim());
  assert.is(record.git.dirty, false);
  assert.equal(record.parameters, { temperature: '0.2' });
  const { stdout } = await place.run(['show', '3']);
  assert.match(stdout, 'config/triage');
  assert.match(stdout, 'pii');
});

test('show says who signed what and why, and that it is included', async () => {
  const { code, stdout } = await place.run(['show', '1']);
  assert.is(code, 0);
  assert.match(stdout, `${log.ready.origin}/identity/admin`);
  assert.match(stdout, 'First version of the language model.');
  assert.match(stdout, /included in the signed head of \d+ entries/);
});

test('history lists both versions, the newest first, with what changed between them', async () => {
  const { code, stdout } = await place.run(['history', 'model/wink']);
  assert.is(code, 0);
  assert.ok(stdout.indexOf('Upstream release') < stdout.indexOf('First version'));
  assert.match(stdout, /~ version: 1\.8\.0 → 1\.8\.1/);
  assert.match(stdout, /~ digest: /);
});

test('diff tells the same of two entries', async () => {
  const { code, stdout } = await place.run(['diff', '1', '2']);
  assert.is(code, 0);
  assert.match(stdout, /~ version: 1\.8\.0 → 1\.8\.1/);
  assert.match(stdout, /~ digest: /);
  assert.match((await place.run(['diff', '1', '1'])).stdout, 'no difference');
});

test('fsck finds nothing, and a backup is made while the log runs', async () => {
  assert.match((await place.run(['fsck'])).stdout, /4 entries, .*all is well/);
  assert.is((await place.result(['backup', 'backups/log.db'])).size, 4);
});

test('with the log gone for good, the proof file still holds with nothing but the key', async () => {
  await log.stop();
  rmSync(place.path('data'), { recursive: true });
  rmSync(place.path('state'), { recursive: true });
  const { code, stdout } = await place.run(['verify', 'wink-1.8.0.tlog-proof', '--key', log.ready.vkey]);
  assert.is(code, 0, stdout);
  assert.match(stdout, 'First version of the language model.');
  assert.match(stdout, 'The entry is number 1 of the');
  assert.match(stdout, 'The proof holds.');
  const second = await place.result(['verify', 'proofs/second.tlog-proof', '--key', log.ready.vkey]);
  assert.is(second.verified, true);
  assert.is(second.index, 2);
});

test('without a key nothing is proved, and with one changed letter nothing holds', async () => {
  assert.is((await place.run(['verify', 'wink-1.8.0.tlog-proof'])).code, 2);
  const text = readFileSync(place.path('wink-1.8.0.tlog-proof'), 'utf8');
  writeFileSync(place.path('changed.tlog-proof'), text.replace('\nindex 1\n', '\nindex 2\n'));
  const { code, stdout } = await place.run(['verify', 'changed.tlog-proof', '--key', log.ready.vkey]);
  assert.is(code, 1);
  assert.match(stdout, 'The proof does not hold.');
});

test.run();
