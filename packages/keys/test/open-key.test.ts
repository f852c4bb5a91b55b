import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createSigner,
  formatCheckpoint,
  formatNote,
  formatSignerKey,
  formatVerifierKey,
  KEY_TYPE,
  NoteError,
  openNote,
  parseNote,
  parseVerifierKey,
} from '@treering/note';
import { checkSignature } from '@treering/statement';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  encryptKey,
  KeyError,
  type KeyOptions,
  type OpenedKey,
  openKey,
  requireNoteSigner,
  requireStatementSigner,
} from '../src/index.js';

const PASSPHRASE = ' with spaces at both ends ';
const seed = new Uint8Array(32).fill(8);
const { key } = createSigner('ada', KEY_TYPE.ed25519, seed);
const line = formatSignerKey(key, seed);
const secret = line.slice(-40);
const encrypted = await encryptKey(key, seed, PASSPHRASE);
const nothing: KeyOptions = { env: {} };

const folder = mkdtempSync(join(tmpdir(), 'treering-keys-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
function fileWith(text: string, mode = 0o600): string {
  const path = join(folder, `${files++}.key`);
  writeFileSync(path, text, { mode: 0o600 });
  chmodSync(path, mode);
  return path;
}

/** Fails unless the key is refused with the code, a message that fits, and nothing secret in it. */
async function refuses(reference: string, code: string, message: RegExp, options = nothing): Promise<void> {
  let thrown: unknown;
  try {
    await openKey(reference, options);
  } catch (error) {
    thrown = error;
  }
  if (thrown === undefined) assert.unreachable(`${reference} was opened`);
  assert.ok(thrown instanceof KeyError || thrown instanceof NoteError, `${reference}: ${thrown}`);
  const error = thrown as KeyError | NoteError;
  assert.is(error.code, code, `${reference}: ${error.message}`);
  assert.match(error.message, message, reference);
  assert.not.ok(error.message.includes(secret) || error.message.includes(PASSPHRASE), 'the message repeats a secret');
}

/** Fails unless what the key signs verifies under the verifier key. */
async function signs(opened: OpenedKey, vkey: string): Promise<void> {
  const note = requireNoteSigner(opened);
  assert.is(formatVerifierKey(note.key), vkey);
  const text = formatCheckpoint({ origin: opened.name, size: 3n, root: seed, extensions: [] });
  const signed = formatNote({ text, signatures: [note.sign(text, 1_700_000_000n)] });
  assert.is(openNote(parseNote(signed), [parseVerifierKey(vkey)]).text, text);
  if (opened.statement === undefined) return;
  const { sign, key, algorithm } = requireStatementSigner(opened);
  const message = Uint8Array.of(1, 2, 3);
  const signature = await sign(message);
  assert.ok(checkSignature({ algorithm, key, message, signature }));
  assert.not.ok(checkSignature({ algorithm, key, message: Uint8Array.of(1, 2, 4), signature }));
}

test('a key file of mode 600 is opened, and what it signs verifies', async () => {
  const opened = await openKey(fileWith(`${line}\n`), nothing);
  assert.is(opened.name, 'ada');
  assert.equal(requireStatementSigner(opened).key, { curve: 'Ed25519', x: key.publicKey });
  await signs(opened, formatVerifierKey(key));
  opened.close();
  opened.close();
});

test('keys that cosign sign notes, and no statements', async () => {
  for (const type of [KEY_TYPE.ed25519Cosignature, KEY_TYPE.mldsa44Cosignature]) {
    const { key } = createSigner('witness.example', type, seed);
    const opened = await openKey(fileWith(formatSignerKey(key, seed)), nothing);
    await signs(opened, formatVerifierKey(key));
    assert.is(opened.statement, undefined);
    assert.throws(
      () => requireStatementSigner(opened),
      (error: unknown) =>
        error instanceof KeyError && error.code === 'key/unsupported' && /witness\.example/.test(error.message),
    );
  }
});

test('a key that signs no notes is refused where one is needed', async () => {
  const opened = { ...(await openKey(fileWith(line), nothing)), note: undefined };
  assert.throws(
    () => requireNoteSigner(opened),
    (error: unknown) => error instanceof KeyError && error.code === 'key/unsupported' && /signs no heads/.test(error.message),
  );
});

test('a file that others may touch is refused, with its mode and the right one, and stays as it is', async () => {
  for (const mode of [0o640, 0o620, 0o610, 0o604, 0o602, 0o601, 0o644, 0o660, 0o666, 0o777, 0o440]) {
    const path = fileWith(line, mode);
    await refuses(path, 'note/bad-key', new RegExp(`mode ${mode.toString(8)}.*make it 600`));
    assert.is(statSync(path).mode & 0o777, mode);
    assert.is(readFileSync(path, 'utf8'), line);
  }
  for (const mode of [0o400, 0o600, 0o700]) assert.is((await openKey(fileWith(line, mode), nothing)).name, 'ada');
});

test('a path that leads to no regular file is refused', async () => {
  const target = fileWith(line);
  const [link, dangling, directory] = ['link', 'dangling', 'directory'].map((name) => join(folder, name));
  symlinkSync(target, link);
  symlinkSync(join(folder, 'nowhere'), dangling);
  mkdirSync(directory, { mode: 0o700 });
  await refuses(join(folder, 'missing.key'), 'note/bad-key', /missing\.key does not exist/);
  await refuses(link, 'note/bad-key', /is a link/);
  await refuses(dangling, 'note/bad-key', /is a link/);
  await refuses(directory, 'note/bad-key', /is no regular file/);
  await refuses(join(target, 'below'), 'note/bad-key', /cannot be opened/);
  await refuses('', 'note/bad-key', /does not exist/);
});

test('a file in a folder in which everybody may put another in its place is refused', async () => {
  const cases: readonly (readonly [number, boolean])[] = [
    [0o777, false],
    [0o733, false],
    [0o702, false],
    [0o1777, true],
    [0o775, true],
    [0o755, true],
    [0o700, true],
  ];
  for (const [mode, taken] of cases) {
    const within = join(folder, `folder-${mode.toString(8)}`);
    mkdirSync(within);
    const path = join(within, 'ada.key');
    writeFileSync(path, line, { mode: 0o600 });
    chmodSync(within, mode);
    if (taken) assert.is((await openKey(path, nothing)).name, 'ada', mode.toString(8));
    else await refuses(path, 'note/bad-key', /folder in which everybody may replace it/);
  }
});

test('a key that was closed signs no more', async () => {
  for (const type of [KEY_TYPE.ed25519, KEY_TYPE.ed25519Cosignature, KEY_TYPE.mldsa44Cosignature]) {
    const { key } = createSigner('ada', type, seed);
    const opened = await openKey(fileWith(formatSignerKey(key, seed)), nothing);
    await signs(opened, formatVerifierKey(key));
    opened.close();
    opened.close();
    const text = formatCheckpoint({ origin: 'ada', size: 3n, root: seed, extensions: [] });
    assert.throws(() => requireNoteSigner(opened).sign(text, 1n), /closed|wiped/);
    const { statement } = opened;
    if (statement !== undefined) assert.throws(() => statement.sign(Uint8Array.of(1)), /closed/);
  }
});

test('a pipe is refused, and not waited for', async () => {
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', ['-m', '600', pipe]);
  const refused = refuses(pipe, 'note/bad-key', /is no regular file/).then(() => true);
  const late = new Promise<boolean>((resolve) => setTimeout(resolve, 1000, false));
  const inTime = await Promise.race([refused, late]);
  if (!inTime) {
    // Lets go whoever waits for a writer.
    await (await open(pipe, 'r+')).close();
    await refused;
  }
  assert.ok(inTime, 'opening a pipe waited for a writer');
});

const isRoot = process.getuid?.() === 0;
if (!isRoot) console.log('only root gives files away: files of others are not tested');
const asRoot = isRoot ? test : test.skip;
asRoot('a file that belongs to somebody else is refused', async () => {
  const path = fileWith(line);
  chownSync(path, 65_534, 65_534);
  await refuses(path, 'note/bad-key', /belongs to another user/);
});

test('what a file holds beside the line is white space at its ends, and it is small', async () => {
  for (const text of [line, `${line}\n`, `${line}\r\n`, `  ${line}\n\n`])
    assert.is((await openKey(fileWith(text), nothing)).name, 'ada', JSON.stringify(text));
  for (const text of ['', '\n', 'x', `${line}\n${line}`, line.slice(0, -4), `# mine\n${line}`, line.replace('ada', 'eve')])
    await refuses(fileWith(text), 'note/bad-key', /key file/);
  await refuses(fileWith(line + ' '.repeat(4097)), 'note/bad-key', /too large/);
});

test('an encrypted file is opened with the passphrase of the environment, of a file or of whoever is asked', async () => {
  const path = fileWith(`${encrypted}\n`);
  const asked: string[] = [];
  const ask = async (what: string): Promise<string> => {
    asked.push(what);
    return PASSPHRASE;
  };
  const ways: KeyOptions[] = [
    { env: { TREERING_PASSPHRASE: PASSPHRASE } },
    { env: { TREERING_PASSPHRASE_FILE: fileWith(PASSPHRASE) } },
    { env: { TREERING_PASSPHRASE_FILE: fileWith(`${PASSPHRASE}\n`) } },
    { env: { TREERING_PASSPHRASE_FILE: fileWith(`${PASSPHRASE}\r\n`) } },
    { env: {}, ask },
  ];
  for (const options of ways) await signs(await openKey(path, options), formatVerifierKey(key));
  assert.equal(asked, ['Passphrase of ada']);
});

test('nobody is asked when the environment has the passphrase, or for a plain file', async () => {
  const ask = (): Promise<string> => assert.unreachable('was asked') as never;
  const file = fileWith('another passphrase');
  const env = { TREERING_PASSPHRASE: PASSPHRASE, TREERING_PASSPHRASE_FILE: file };
  assert.is((await openKey(fileWith(encrypted), { env, ask })).name, 'ada');
  assert.is((await openKey(fileWith(line), { env: {}, ask })).name, 'ada');
});

test('an encrypted file without its passphrase is refused, and what is missing is named', async () => {
  const path = fileWith(encrypted);
  await refuses(path, 'key/passphrase', /key of ada .*TREERING_PASSPHRASE or TREERING_PASSPHRASE_FILE/);
  await refuses(path, 'key/passphrase', /does not open the key of ada/, { env: { TREERING_PASSPHRASE: PASSPHRASE.trim() } });
  await refuses(path, 'key/passphrase', /does not open the key of ada/, { env: {}, ask: async () => 'guessed' });
  const ask = async (): Promise<string> => PASSPHRASE;
  await refuses(path, 'key/passphrase', /does not open/, { env: { TREERING_PASSPHRASE: '' }, ask });
});

test('a file of a passphrase is held to what a key file is', async () => {
  const path = fileWith(encrypted);
  const cases: [string, RegExp][] = [
    [fileWith(PASSPHRASE, 0o644), /passphrase file .*mode 644/],
    [join(folder, 'no-passphrase'), /passphrase file .* does not exist/],
    [folder, /passphrase file .* no regular file/],
  ];
  for (const [file, message] of cases)
    await refuses(path, 'note/bad-key', message, { env: { TREERING_PASSPHRASE_FILE: file } });
});

test('an encrypted file is held to its mode before anybody is asked', async () => {
  const ask = (): Promise<string> => assert.unreachable('was asked') as never;
  await refuses(fileWith(encrypted, 0o644), 'note/bad-key', /mode 644/, { env: {}, ask });
});

test('a key is opened from the environment, plain or encrypted', async () => {
  const env = { PLAIN: line, LINES: `\n${line}\n`, SEALED: encrypted, TREERING_PASSPHRASE: PASSPHRASE };
  for (const name of ['PLAIN', 'LINES', 'SEALED']) await signs(await openKey(`env:${name}`, { env }), formatVerifierKey(key));
  await refuses('env:SEALED', 'key/passphrase', /key of ada is encrypted/, { env: { SEALED: encrypted } });
});

test('a variable that is not there, or is empty, holds no key', async () => {
  for (const name of ['KEY', 'EMPTY', '', 'key', ' KEY'])
    await refuses(`env:${name}`, 'key/missing', /environment variable .*holds no key/, { env: { EMPTY: '', Key: line } });
  const path = fileWith(line);
  await refuses(`env:${path}`, 'key/missing', /holds no key/);
});

test('what every object has is no variable', async () => {
  for (const name of ['toString', 'constructor', '__proto__'])
    await refuses(`env:${name}`, 'key/missing', /holds no key/, { env: { KEY: line } });
});

test('a variable that holds something else is refused, and not repeated', async () => {
  const values = [
    ' ',
    'x',
    `${line} ${line}`,
    line.replace('ada', 'eve'),
    line.slice(0, -1),
    line.replace('PRIVATE', 'SECRET'),
  ];
  for (const value of values) await refuses('env:KEY', 'note/bad-key', /key file/, { env: { KEY: value } });
  const env = { KEY: encrypted.slice(0, 40), TREERING_PASSPHRASE: PASSPHRASE };
  await refuses('env:KEY', 'key/malformed', /no encrypted key file/, { env });
});

test('without a PIN, or with a file of it that others may read, a token is not looked for', async () => {
  const uri = 'pkcs11:object=ada?module-path=/nowhere/module.so';
  await refuses(uri, 'key/passphrase', /TREERING_PKCS11_PIN or pin-source/);
  await refuses(`${uri}&pin-source=file:${fileWith(PASSPHRASE, 0o644)}`, 'note/bad-key', /PIN file .*mode 644/);
  await refuses(`${uri}&pin-source=${folder}/none`, 'note/bad-key', /PIN file .*does not exist/);
  await refuses('pkcs11:object=ada?pin-value=1', 'key/malformed', /PIN does not stand in it/);
});

test.run();
