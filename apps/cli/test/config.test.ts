import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { download, hexOf, type Ref } from './attachment.js';
import { deskWithLog } from './fixture.js';

const desk = await deskWithLog();
const REASON = 'Guardrails for the triage service.';

test.after(() => desk.served.close());

/** The record in an entry, in its JSON view. */
const recordAt = async (index: number) => (await desk.result(['show', String(index)])).record;

const git = (...args: string[]): string =>
  execFileSync('git', ['-C', desk.path('repo'), ...args], {
    encoding: 'utf8',
    env: {
      ...process.env,
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_AUTHOR_NAME: 'T',
      GIT_AUTHOR_EMAIL: 't@test',
      GIT_COMMITTER_NAME: 'T',
      GIT_COMMITTER_EMAIL: 't@test',
    },
  }).trim();

desk.write(
  'repo/guardrails.yaml',
  'parameters:\n  temperature: 0.2\nguardrails:\n  - id: pii\n    setting: strict\n    action: block\n',
);
desk.write('repo/prompt.txt', 'You are a careful triage assistant.\n');
desk.write('repo/unrelated.txt', 'one');
git('init', '-q');
git('add', '.');
git('commit', '-q', '-m', 'first');
git('remote', 'add', 'origin', 'https://user:hunter2@git.test/team/triage.git');

const recordConfig = (...args: string[]): string[] => [
  'record',
  'config',
  'repo/guardrails.yaml',
  'repo/prompt.txt',
  '--name',
  'triage',
  '--reason',
  REASON,
  ...args,
];

test('a configuration is recorded with its files, parameters, guardrails, prompt and git commit', async () => {
  const result = await desk.result(recordConfig());
  const record = await recordAt(result.index);
  const commit = git('rev-parse', 'HEAD');
  assert.is(record.type, 'config');
  assert.is(record.version, commit.slice(0, 12));
  assert.equal(record.git, { repository: 'https://git.test/team/triage.git', commit, dirty: false });
  assert.equal(record.parameters, { temperature: '0.2' });
  assert.equal(record.guardrails, [{ id: 'pii', setting: 'strict', action: 'block' }]);
  assert.equal(
    record.files.map(({ path }: { path: string }) => path),
    ['guardrails.yaml', 'prompt.txt'],
  );
  const prompt = createHash('sha256')
    .update(readFileSync(desk.path('repo/prompt.txt')))
    .digest('hex');
  assert.is(hexOf(record.system_prompt), prompt);
  assert.is(hexOf(record.files[1].digest), prompt);
});

test('a password in the remote of the repository is not logged', async () => {
  const { index } = await desk.result(recordConfig());
  const bytes = new Uint8Array(await (await fetch(`${desk.served.url}/v1/entries/${index}`)).arrayBuffer());
  assert.not.match(Buffer.from(bytes).toString('latin1'), 'hunter2');
});

test('the dirty flag is about the recorded files, and the version says it too', async () => {
  desk.write('repo/unrelated.txt', 'two');
  assert.is((await recordAt((await desk.result(recordConfig())).index)).git.dirty, false);
  desk.write('repo/prompt.txt', 'You are a very careful triage assistant.\n');
  const dirty = await recordAt((await desk.result(recordConfig())).index);
  assert.is(dirty.git.dirty, true);
  assert.match(dirty.version, /-dirty$/);
  git('checkout', '-q', 'prompt.txt');
  desk.write('repo/new.txt', 'not in git yet');
  const { index } = await desk.result(['record', 'config', 'repo/new.txt', '--name', 'fresh', '--reason', REASON]);
  assert.is((await recordAt(index)).git.dirty, true);
});

test('a second version names the first one, and the difference is told in words', async () => {
  const first = await desk.result(recordConfig('--version', '1', '--name', 'pair'));
  desk.write('repo/guardrails.yaml', 'parameters:\n  temperature: 0.9\nguardrails: []\n');
  const second = await desk.result(recordConfig('--version', '2', '--name', 'pair'));
  git('checkout', '-q', 'guardrails.yaml');
  assert.is(hexOf((await recordAt(second.index)).prev), first.leaf);
  const { stdout } = await desk.call(['diff', String(first.index), String(second.index)]);
  assert.match(stdout, /temperature.*0\.2.*0\.9/);
  const history = await desk.call(['history', 'config/pair']);
  assert.match(history.stdout, /temperature.*0\.2.*0\.9/);
});

test('attachments are uploaded with a salt; restricted ones are for enrolled identities alone', async () => {
  const { index } = await desk.result(recordConfig());
  const record = await recordAt(index);
  assert.is(record.attachments.length, 2);
  for (const { name, access, digest } of record.attachments as Ref[]) {
    assert.is(access, 'restricted');
    const refused = await download(desk, hexOf(digest), false);
    assert.is(refused.status, 401);
    assert.not.match(await refused.text(), 'careful');
    const granted = await download(desk, hexOf(digest), true);
    assert.is(granted.status, 200);
    const blob = Buffer.from(await granted.arrayBuffer());
    const content = readFileSync(desk.path('repo', name));
    assert.is(blob.length, content.length + 16, '16 bytes of salt stand in front');
    assert.equal(blob.subarray(16), content);
    assert.is(createHash('sha256').update(blob).digest('hex'), hexOf(digest));
  }
});

test('the same file twice has another salt, and another digest', async () => {
  const digests = await Promise.all(
    ['salt-a', 'salt-b'].map(async (name) => {
      const { index } = await desk.result(['record', 'config', 'repo/prompt.txt', '--name', name, '--reason', REASON]);
      return hexOf((await recordAt(index)).attachments[0].digest);
    }),
  );
  assert.is.not(digests[0], digests[1]);
});

test('public attachments are for everybody', async () => {
  const { index } = await desk.result(recordConfig('--name', 'open', '--access', 'public'));
  for (const { digest } of (await recordAt(index)).attachments as Ref[])
    assert.is((await download(desk, hexOf(digest), false)).status, 200);
});

test('withheld attachments stay here, readable by their owner alone', async () => {
  const { index, proof } = await desk.result(recordConfig('--name', 'secret', '--access', 'withheld'));
  const digests = ((await recordAt(index)).attachments as Ref[]).map(({ digest }) => hexOf(digest));
  for (const digest of digests) assert.is((await download(desk, digest, true)).status, 404);
  const kept = `${proof}.attachments`;
  assert.equal(readdirSync(kept).sort(), [...digests].sort());
  assert.is(statSync(kept).mode & 0o777, 0o700);
  for (const name of readdirSync(kept)) {
    assert.is(statSync(join(kept, name)).mode & 0o777, 0o600);
    assert.is(
      createHash('sha256')
        .update(readFileSync(join(kept, name)))
        .digest('hex'),
      name,
    );
  }
});

test.run();
