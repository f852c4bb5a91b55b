import { chmodSync, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { deskWithLog, type Outcome } from './fixture.js';
import { refuses, sizeOf, typing } from './people.js';

// Two people keep their keys encrypted, with the same passphrase; the log knows both.

const PASSPHRASE = 'correct horse battery';
const OTHER = 'correct horse battery.';
const desk = await deskWithLog();
test.after(() => desk.served.close());

/** Calls the command with variables of the environment. */
const withEnv = (args: readonly string[], env: Record<string, string>): Promise<Outcome> => desk.call(args, { env });

const keygen = (id: string): string[] => ['keygen', id, '--passphrase'];
for (const id of ['alice', 'bob']) {
  await desk.result(keygen(id), { env: { TREERING_PASSPHRASE: PASSPHRASE } });
  await desk.result(['record', 'identity', '--file', `${id}.identity.yaml`]);
}
const file = readFileSync(desk.path('alice.key'), 'utf8');
const { vkey: plainVkey } = await desk.result(['keygen', 'plain']);
await desk.result(['record', 'identity', '--file', 'plain.identity.yaml']);
const plain = readFileSync(desk.path('plain.key'), 'utf8').trim();

let versions = 0;

/** The arguments that record one more version of a model. */
function model(key: string): string[] {
  desk.write('m/weights', `weights ${++versions}`);
  const about = ['--name', 'm', '--version', String(versions), '--reason', 'One more version of it.'];
  return ['record', 'model', 'm', ...about, '--key', key];
}

/** Fails unless a call with this environment ends so, logs nothing, and repeats nothing secret. */
async function refused(key: string, env: Record<string, string>, code: string): Promise<string> {
  const size = sizeOf(desk);
  const outcome = await withEnv([...model(key), '--json'], env);
  assert.equal([outcome.code, outcome.json().error.code], [2, code], outcome.stderr);
  assert.is(sizeOf(desk), size);
  for (const secret of Object.values(env)) if (secret.length > 3) assert.not.match(outcome.stdout + outcome.stderr, secret);
  return outcome.stderr;
}

test('the key file is encrypted, one line of mode 600, and the public key is what it says', () => {
  assert.match(file, /^ENCRYPTED\+KEY\+alice\+[0-9a-f]{8}\+17\+[^\n]+\n$/);
  assert.is(statSync(desk.path('alice.key')).mode & 0o777, 0o600);
  assert.not.match(file + readFileSync(desk.path('alice.identity.yaml'), 'utf8'), PASSPHRASE);
});

test('what it signs with the passphrase of the environment is admitted, and proved to be its signature', async () => {
  const { vkey } = await desk.result(keygen('cleo'), { env: { TREERING_PASSPHRASE: PASSPHRASE } });
  await desk.result(['record', 'identity', '--file', 'cleo.identity.yaml']);
  const { index, proof } = await desk.result(model('cleo.key'), { env: { TREERING_PASSPHRASE: PASSPHRASE } });
  assert.is((await desk.result(['show', String(index)])).issuer, 'log.test/cli/identity/cleo');
  const verdict = async (signer: string): Promise<string> => {
    const { claims } = await desk.result(['verify', proof, '--signer', signer]);
    return claims.find(({ name }: { name: string }) => name === 'statement-signed').verdict;
  };
  assert.equal([await verdict(vkey), await verdict(plainVkey)], ['proved', 'not proved']);
});

test('another passphrase opens nothing: exit code 2, and it is not repeated', async () => {
  for (const wrong of [OTHER, PASSPHRASE.toUpperCase(), '', ' '])
    assert.match(await refused('alice.key', { TREERING_PASSPHRASE: wrong }, 'key/passphrase'), 'alice');
});

test('without a passphrase and without a terminal nothing is signed, and the variables are named', async () => {
  const { stderr } = await refuses(desk, model('alice.key'), 2, 'key/passphrase');
  assert.match(stderr, 'TREERING_PASSPHRASE');
  assert.match(stderr, 'TREERING_PASSPHRASE_FILE');
});

test('a passphrase is read from a file, whose last line break is not part of it', async () => {
  for (const [name, content] of [
    ['unix', `${PASSPHRASE}\n`],
    ['windows', `${PASSPHRASE}\r\n`],
    ['bare', PASSPHRASE],
  ]) {
    const path = desk.write(`passphrase-${name}`, content, 0o600);
    assert.is((await withEnv(model('alice.key'), { TREERING_PASSPHRASE_FILE: path })).code, 0, name);
  }
  const path = desk.write('passphrase-space', `${PASSPHRASE} \n`, 0o600);
  await refused('alice.key', { TREERING_PASSPHRASE_FILE: path }, 'key/passphrase');
});

test('the variable itself wins over the file', async () => {
  const wrong = desk.write('passphrase-wrong', OTHER, 0o600);
  const env = { TREERING_PASSPHRASE: PASSPHRASE, TREERING_PASSPHRASE_FILE: wrong };
  assert.is((await withEnv(model('alice.key'), env)).code, 0);
});

test('a file of a passphrase that others can read is refused', async () => {
  const path = desk.write('passphrase-open', PASSPHRASE, 0o600);
  chmodSync(path, 0o644);
  const outcome = await withEnv([...model('alice.key'), '--json'], { TREERING_PASSPHRASE_FILE: path });
  assert.equal([outcome.code, outcome.json().error.code], [2, 'note/bad-key']);
  assert.match(outcome.stderr, 'passphrase file');
  assert.not.match(outcome.stdout + outcome.stderr, PASSPHRASE);
});

test('an encrypted key file that others can read is refused, with the right passphrase too', async () => {
  const path = desk.write('open.key', file, 0o600);
  for (const mode of [0o644, 0o640, 0o604]) {
    chmodSync(path, mode);
    const stderr = await refused('open.key', { TREERING_PASSPHRASE: PASSPHRASE }, 'note/bad-key');
    assert.match(stderr, /open to others/);
    assert.match(stderr, mode.toString(8));
  }
});

test('a passphrase is asked for at a terminal, and not shown', async () => {
  const size = sizeOf(desk);
  const right = await typing(desk, model('alice.key'), PASSPHRASE);
  assert.is(right.code, 0, right.stderr);
  assert.match(right.stderr, 'Passphrase of alice: ');
  assert.is(sizeOf(desk), size + 1);
  const wrong = await typing(desk, model('alice.key'), OTHER);
  assert.is(wrong.code, 2);
  assert.is(sizeOf(desk), size + 1);
  assert.not.match(right.stdout + right.stderr + wrong.stdout + wrong.stderr, 'correct horse');
});

test('a new passphrase is asked for twice, and nothing is written when the two differ', async () => {
  const before = readdirSync(desk.folder).sort();
  const differ = await typing(desk, keygen('dora'), PASSPHRASE, OTHER);
  assert.is(differ.code, 2);
  assert.match(differ.stderr, 'the two passphrases differ');
  assert.equal(readdirSync(desk.folder).sort(), before);
  const same = await typing(desk, keygen('dora'), PASSPHRASE, PASSPHRASE);
  assert.is(same.code, 0, same.stderr);
  assert.not.match(same.stdout + same.stderr, 'correct horse');
  await desk.result(['record', 'identity', '--file', 'dora.identity.yaml']);
  assert.is((await withEnv(model('dora.key'), { TREERING_PASSPHRASE: PASSPHRASE })).code, 0);
});

test('a new passphrase that is too short, or that nobody can be asked for, makes no key', async () => {
  for (const [env, code] of [
    [{ TREERING_PASSPHRASE: 'short77' }, 'key/passphrase'],
    [{ TREERING_PASSPHRASE: '' }, 'key/passphrase'],
    [{}, 'cli/usage'],
  ] as const) {
    const outcome = await withEnv([...keygen('emil'), '--json'], env);
    assert.equal([outcome.code, outcome.json().error.code], [2, code]);
    assert.not.match(outcome.stdout + outcome.stderr, 'short77');
    for (const name of ['emil.key', 'emil.identity.yaml']) assert.not.ok(existsSync(desk.path(name)), name);
  }
});

test('an encrypted key is never written over another', async () => {
  const outcome = await withEnv(keygen('bob'), { TREERING_PASSPHRASE: OTHER });
  assert.is(outcome.code, 2);
  assert.is((await withEnv(model('bob.key'), { TREERING_PASSPHRASE: PASSPHRASE })).code, 0);
});

test('a key is taken from a variable of the environment, plain or encrypted', async () => {
  const issuerOf = async (env: Record<string, string>): Promise<string> => {
    const { index } = await desk.result(model('env:SIGNING_KEY'), { env });
    return (await desk.result(['show', String(index)])).issuer;
  };
  assert.is(await issuerOf({ SIGNING_KEY: plain }), 'log.test/cli/identity/plain');
  assert.is(await issuerOf({ SIGNING_KEY: `${plain}\n` }), 'log.test/cli/identity/plain');
  assert.is(await issuerOf({ SIGNING_KEY: file, TREERING_PASSPHRASE: PASSPHRASE }), 'log.test/cli/identity/alice');
});

test('TREERING_KEY can name a variable too, and the flag wins over it', async () => {
  const args = model('unused').slice(0, -2);
  const env = { TREERING_KEY: 'env:SIGNING_KEY', SIGNING_KEY: plain, TREERING_PASSPHRASE: PASSPHRASE };
  const { index } = await desk.result(args, { env });
  assert.is((await desk.result(['show', String(index)])).issuer, 'log.test/cli/identity/plain');
  const flagged = await desk.result(model('alice.key'), { env });
  assert.is((await desk.result(['show', String(flagged.index)])).issuer, 'log.test/cli/identity/alice');
});

test('a variable that is missing, empty or no key is refused, and what is in it is not repeated', async () => {
  assert.match(await refused('env:SIGNING_KEY', {}, 'key/missing'), 'SIGNING_KEY');
  await refused('env:SIGNING_KEY', { SIGNING_KEY: '' }, 'key/missing');
  await refused('env:SIGNING_KEY', { SIGNING_KEY: 'TOPSECRET and no key' }, 'note/bad-key');
  await refused('env:SIGNING_KEY', { SIGNING_KEY: plain.slice(0, -6) }, 'note/bad-key');
  const cut = file.trim().slice(0, -9);
  await refused('env:SIGNING_KEY', { SIGNING_KEY: cut, TREERING_PASSPHRASE: PASSPHRASE }, 'key/malformed');
  await refused('env:SIGNING_KEY', { SIGNING_KEY: file, TREERING_PASSPHRASE: OTHER }, 'key/passphrase');
});

test('the name in front of an encrypted key cannot be changed to sign as somebody else', async () => {
  const renamed = desk.write('renamed.key', file.replace('+alice+', '+bob+'), 0o600);
  await refused(renamed, { TREERING_PASSPHRASE: PASSPHRASE }, 'key/passphrase');
});

test.run();
