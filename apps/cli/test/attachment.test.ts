import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { download, hexOf, type Ref } from './attachment.js';
import { deskWithLog } from './fixture.js';
import { enrol, refuses, sizeOf } from './people.js';

const desk = await deskWithLog();
test.after(() => desk.served.close());

const eve = await enrol(desk, 'eve', 'engineer');
const carol = await enrol(desk, 'carol', 'approver');

interface Logged {
  readonly index: number;
  readonly leaf: string;
  readonly proof: string;
}

/** Logs a configuration of these files as attachments. */
function recordFiles(name: string, files: Record<string, string>, ...more: string[]): Promise<Logged> {
  for (const [path, content] of Object.entries(files)) desk.write(`${name}/${path}`, content);
  const paths = Object.keys(files).map((path) => `${name}/${path}`);
  const about = ['--name', name, '--version', '1', '--reason', 'The files of the service.', '--key', eve];
  return desk.result(['record', 'config', ...paths, ...about, ...more]);
}

const recordAt = async (index: number) => (await desk.result(['show', String(index)])).record;
const refsOf = async (index: number): Promise<readonly Ref[]> => (await recordAt(index)).attachments;
const read = (entry: number | string, name: string, ...more: string[]): string[] => [
  'attachment',
  String(entry),
  name,
  ...more,
];
/** The arguments with which the administrator erases. */
const erase = (entry: number, ...names: string[]): string[] => [
  'erase',
  String(entry),
  ...names,
  '--reason',
  'It names a patient.',
];

/** Names of the files below a folder that hold these bytes. */
function filesWith(folder: string, content: string): string[] {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((item) => item.isFile());
  return names.map((item) => join(item.path, item.name)).filter((path) => readFileSync(path).includes(content));
}

test('an attachment is fetched by the name that the entry gives it, and written as it was recorded', async () => {
  const { index, leaf } = await recordFiles('open', { 'prompt.txt': 'You are careful.\n', 'b.txt': 'b' }, '--access', 'public');
  const result = await desk.result(read(index, 'prompt.txt'));
  assert.equal(result, { index, name: 'prompt.txt', size: 17, path: desk.path('prompt.txt') });
  assert.is(readFileSync(desk.path('prompt.txt'), 'utf8'), 'You are careful.\n');
  await desk.result(read(leaf, 'b.txt', '--out', 'by-leaf'));
  assert.is(readFileSync(desk.path('by-leaf'), 'utf8'), 'b');
});

test('a file that exists is not written over', async () => {
  const { index } = await recordFiles('keeps', { 'mine.txt': 'theirs' }, '--access', 'public');
  desk.write('mine.txt', 'my own work');
  await refuses(desk, read(index, 'mine.txt'), 2, 'cli/usage');
  assert.is(readFileSync(desk.path('mine.txt'), 'utf8'), 'my own work');
});

test('a name that the entry does not have is refused, and those that it has are said', async () => {
  const { index } = await recordFiles('named', { 'a.txt': 'a', 'b.txt': 'b' });
  const { stderr } = await refuses(desk, read(index, 'c.txt'), 2, 'cli/usage');
  assert.match(stderr, 'a.txt, b.txt');
  const none = await refuses(desk, read(0, 'a.txt'), 2, 'cli/usage');
  assert.match(none.stderr, 'it has none');
});

test('a restricted attachment is read with an enrolled key, and with no other', async () => {
  const { index } = await recordFiles('closed', { 'secret.txt': 'the guarded prompt' });
  const [ref] = await refsOf(index);
  assert.is(ref.access, 'restricted');
  assert.is((await download(desk, hexOf(ref.digest), false)).status, 401);
  await desk.result(read(index, 'secret.txt', '--key', carol));
  assert.is(readFileSync(desk.path('secret.txt'), 'utf8'), 'the guarded prompt');
  await desk.result(['keygen', 'stranger']);
  await refuses(desk, read(index, 'secret.txt', '--out', 'stolen', '--key', 'stranger.key'), 4, 'attachment/restricted');
  assert.not.ok(existsSync(desk.path('stolen')));
});

test('a key that was revoked reads no restricted attachment', async () => {
  const { index } = await recordFiles('left', { 'kept.txt': 'not for those who left' });
  const key = await enrol(desk, 'leaver', 'engineer');
  await desk.result(read(index, 'kept.txt', '--key', key));
  await desk.result(['revoke', 'leaver', '--reason', 'The leaver has left us.']);
  await refuses(desk, read(index, 'kept.txt', '--out', 'late', '--key', key), 4, 'attachment/restricted');
  assert.not.ok(existsSync(desk.path('late')));
});

test('a withheld attachment stays with whoever recorded it', async () => {
  const { index } = await recordFiles('held', { 'held.txt': 'never uploaded at all' }, '--access', 'withheld');
  await refuses(desk, read(index, 'held.txt', '--out', 'got'), 2, 'attachment/missing');
  assert.not.ok(existsSync(desk.path('got')));
  assert.equal(filesWith(desk.data, 'never uploaded at all'), []);
});

test('an erased attachment is gone for everybody: 410, and its bytes are in no file of the log', async () => {
  const { index, leaf } = await recordFiles('gone', { 'gone.txt': 'Erika Mustermann is ill.' });
  const [{ digest }] = await refsOf(index);
  assert.is.not(filesWith(desk.data, 'Erika Mustermann is ill.').length, 0);
  const erased = await desk.result(erase(index));
  assert.is(erased.proof, desk.path(`erasure-${index}.tlog-proof`));
  const { type, subject, supersedes, erased: digests } = await recordAt(erased.index);
  assert.equal([type, subject, hexOf(supersedes)], ['correction', 'config/gone', leaf]);
  assert.equal(digests.map(hexOf), [hexOf(digest)]);
  for (const authorised of [false, true]) assert.is((await download(desk, hexOf(digest), authorised)).status, 410);
  const { stderr } = await refuses(desk, read(index, 'gone.txt', '--key', eve), 2, 'attachment/erased');
  assert.match(stderr, `entry ${erased.index}`);
  assert.not.ok(existsSync(desk.path('gone.txt')));
  assert.equal(filesWith(desk.data, 'Erika Mustermann is ill.'), []);
});

test('verify, audit and fsck pass after an erasure, and the entry is shown as before', async () => {
  const { index, proof } = await recordFiles('proved', { 'p.txt': 'what will be erased' });
  const before = await desk.result(['show', String(index)]);
  const { proof: erasure } = await desk.result(erase(index));
  for (const file of [proof, erasure]) assert.is((await desk.result(['verify', file])).verified, true);
  assert.equal((await desk.result(['audit'])).findings, []);
  assert.equal((await desk.result(['fsck'])).findings, []);
  assert.equal((await desk.result(['show', String(index)])).record, before.record);
});

test('only what is named is erased', async () => {
  const { index } = await recordFiles(
    'some',
    { 'one.txt': 'first content', 'two.txt': 'second content' },
    '--access',
    'public',
  );
  await desk.result(erase(index, 'one.txt'));
  await refuses(desk, read(index, 'one.txt'), 2, 'attachment/erased');
  await desk.result(read(index, 'two.txt'));
  assert.is(readFileSync(desk.path('two.txt'), 'utf8'), 'second content');
});

test('without names, everything that the entry has is erased', async () => {
  const { index } = await recordFiles('all', { 'x.txt': 'content of x', 'y.txt': 'content of y' }, '--access', 'public');
  await desk.result(erase(index));
  for (const { digest } of await refsOf(index)) assert.is((await download(desk, hexOf(digest), true)).status, 410);
});

test('what is not there is not erased', async () => {
  const { index } = await recordFiles('exact', { 'real.txt': 'it is still here' }, '--access', 'public');
  await refuses(desk, erase(0), 2, 'cli/usage');
  await refuses(desk, erase(index, 'real.txt', 'other.txt'), 2, 'cli/usage');
  await desk.result(read(index, 'real.txt'));
});

test('who may not record corrections erases nothing', async () => {
  const { index } = await recordFiles('safe', { 'safe.txt': 'an important record' }, '--access', 'public');
  for (const key of [eve, carol]) await refuses(desk, [...erase(index), '--key', key], 4, 'governance/not-allowed');
  await desk.result(read(index, 'safe.txt'));
  assert.is(readFileSync(desk.path('safe.txt'), 'utf8'), 'an important record');
});

test('reading logs nothing', async () => {
  const { index } = await recordFiles('quiet', { 'quiet.txt': 'read by many' });
  const size = sizeOf(desk);
  await desk.result(read(index, 'quiet.txt', '--key', carol));
  assert.is(sizeOf(desk), size);
});

test.run();
