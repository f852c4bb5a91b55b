import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { holds, REQUIRED_CLAIMS, verifyTlogProof } from '@treering/evidence';
import { ACCESS_CONTENT_TYPE } from '@treering/log';
import { nodeEd25519, readKeyFile } from '@treering/note/node';
import { createStatementSigner, encodeBase64Url, signStatement } from '@treering/statement';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Desk, deskWithLog } from './fixture.js';

const desk = await deskWithLog();
const REASON = 'Guardrails for the triage service.';

test.after(() => desk.served.close());

/** What is needed of an attachment in the JSON view of a record. */
interface Ref {
  readonly name: string;
  readonly access: string;
  readonly digest: { readonly $bytes: string };
}

const hexOf = (digest: { readonly $bytes: string }): string => Buffer.from(digest.$bytes, 'base64url').toString('hex');

/** The record in an entry, in its JSON view. */
const recordAt = async (index: number) => (await desk.result(['show', String(index)])).record;

/** Reads an attachment; with `authorised`, as the administrator. */
async function download(digest: string, authorised: boolean): Promise<Response> {
  const headers: Record<string, string> = {};
  if (authorised) {
    const { seed } = await readKeyFile(join(desk.data, 'keys', 'admin.key'));
    const { entry } = await signStatement(
      {
        iss: 'log.test/cli/identity/admin',
        sub: `access/${digest}`,
        iat: Math.floor(Date.now() / 1000),
        contentType: ACCESS_CONTENT_TYPE,
      },
      new Uint8Array(),
      createStatementSigner(seed, nodeEd25519),
    );
    headers.Authorization = `Treering ${encodeBase64Url(entry)}`;
  }
  return fetch(`${desk.served.url}/addenda/${digest.slice(0, 2)}/${digest.slice(2, 4)}/${digest}`, { headers });
}

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
    const refused = await download(hexOf(digest), false);
    assert.is(refused.status, 401);
    assert.not.match(await refused.text(), 'careful');
    const granted = await download(hexOf(digest), true);
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
    assert.is((await download(hexOf(digest), false)).status, 200);
});

test('withheld attachments stay here, readable by their owner alone', async () => {
  const { index, proof } = await desk.result(recordConfig('--name', 'secret', '--access', 'withheld'));
  const digests = ((await recordAt(index)).attachments as Ref[]).map(({ digest }) => hexOf(digest));
  for (const digest of digests) assert.is((await download(digest, true)).status, 404);
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

test('a model is recorded with its digest and its size, and the proof file lies beside the folder', async () => {
  desk.write('models/small/weights.bin', 'weights');
  desk.write('models/small/config.json', '{}');
  const args = ['--name', 'small', '--version', '1.0', '--reason', 'First version of the model.'];
  const result = await desk.result(['record', 'model', 'models/small', ...args]);
  assert.is(result.proof, desk.path('models/small-1.0.tlog-proof'));
  const policy = { logs: [{ key: desk.served.log.signer.key }], witnesses: [], groups: [], quorum: 'none' };
  const report = verifyTlogProof(new Uint8Array(readFileSync(result.proof)), { policy });
  assert.ok(holds(report.claims, REQUIRED_CLAIMS));
  assert.is(report.index, BigInt(result.index));
  const record = await recordAt(result.index);
  assert.equal(record.size, { bytes: 9, files: 2 });
  assert.is(record.change, 'new');
  assert.is(record.attachments[0].name, 'manifest.json');
  const manifest = await download(hexOf(record.attachments[0].digest), false);
  assert.match(
    Buffer.from(await manifest.arrayBuffer())
      .subarray(16)
      .toString('utf8'),
    'weights.bin',
  );
});

test('the digest of a model changes with a byte or a file, and with nothing else', async () => {
  const digestOf = async (files: Record<string, string>): Promise<string> => {
    const folder = `d${Math.random()}`;
    for (const [name, content] of Object.entries(files)) desk.write(`${folder}/${name}`, content);
    const args = ['--name', folder.replace('.', '-'), '--version', '1', '--reason', 'A model for its digest.'];
    return hexOf((await recordAt((await desk.result(['record', 'model', folder, ...args])).index)).digest);
  };
  const files = { 'a.bin': 'one', 'b/c.bin': 'two' };
  const digest = await digestOf(files);
  assert.is(await digestOf(files), digest);
  for (const changed of [
    { ...files, 'a.bin': 'onE' },
    { ...files, d: '' },
    { 'a.bin': 'two', 'b/c.bin': 'one' },
    { 'a.bin': 'one' },
  ])
    assert.is.not(await digestOf(changed as Record<string, string>), digest);
});

test('--out decides where the proof file is written, and --no-wait does not wait for publication', async () => {
  desk.write('m/w', 'w');
  const args = ['record', 'model', 'm', '--name', 'out', '--version', '1', '--reason', 'Proof goes elsewhere.'];
  const { proof } = await desk.result([...args, '--out', 'proofs/deep/p.tlog-proof', '--no-wait']);
  assert.is(proof, desk.path('proofs/deep/p.tlog-proof'));
  assert.ok(existsSync(proof));
});

test('keygen makes a key of mode 600 and an enrolment without the secret, and never writes over either', async () => {
  const result = await desk.result(['keygen', 'alice', '--role', 'engineer', 'approver']);
  const secret = readFileSync(desk.path('alice.key'), 'utf8');
  assert.is(statSync(desk.path('alice.key')).mode & 0o777, 0o600);
  const enrolment = readFileSync(result.enrolment, 'utf8');
  const seed = secret.trim().split('+').pop() as string;
  assert.not.match(`${enrolment}${JSON.stringify(result)}`, seed.slice(4, 40));
  assert.match(enrolment, 'approver');
  const again = await desk.call(['keygen', 'alice']);
  assert.is(again.code, 2);
  assert.is(readFileSync(desk.path('alice.key'), 'utf8'), secret);
  for (const id of ['Alice', 'a/b', '../x', '']) assert.is((await desk.call(['keygen', id])).code, 2, id);
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
    assert.not.match(stdout + stderr, secret.trim().split('+').pop() as string);
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
  const seeds = ['log.key', 'log-mldsa44.key', 'admin.key'].map(
    (name) =>
      readFileSync(join(desk.data, 'keys', name), 'utf8')
        .trim()
        .split('+')
        .pop() as string,
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

test('any other record is taken from a file, with prev filled in, and refused when it is malformed', async () => {
  const incident =
    'subject: incident/1\nreason: Something happened to it.\nseverity: high\naware_at: 1767225600000\naffected: []\n';
  desk.write('incident.yaml', incident);
  const first = await desk.result(['record', 'incident', '--file', 'incident.yaml']);
  assert.is(first.proof, desk.path('incident-1.tlog-proof'));
  const second = await desk.result(['record', 'incident', '--file', 'incident.yaml', '--reason', 'We know more about it.']);
  const record = await recordAt(second.index);
  assert.is(hexOf(record.prev), first.leaf);
  assert.is(record.reason, 'We know more about it.');
  for (const [name, text, exit] of [
    ['another type', `type: approval\n${incident}`, 2],
    ['a member that does not exist', `${incident}colour: red\n`, 2],
    ['no severity', incident.replace('severity: high\n', ''), 2],
    ['no YAML', 'a: [', 2],
    ['a list', '- a\n', 2],
  ] as const) {
    desk.write('bad.yaml', text);
    const { code, stderr } = await desk.call(['record', 'incident', '--file', 'bad.yaml']);
    assert.is(code, exit, `${name}: ${stderr}`);
  }
});

test('a record on a newest one that has changed meanwhile is refused: exit code 4', async () => {
  desk.write(
    'stale.yaml',
    `subject: incident/1\nreason: This knows of no other one.\nseverity: low\naware_at: 1767225600000\naffected: []\nprev: "${'ab'.repeat(32)}"\n`,
  );
  const { code, stderr } = await desk.call(['record', 'incident', '--file', 'stale.yaml']);
  assert.is(code, 4, stderr);
});

test.run();
