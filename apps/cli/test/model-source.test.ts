import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { deskWithLog } from './fixture.js';
import { huggingFaceFiles, writeAll } from './model-files.js';
import { refuses } from './people.js';

// Where a model comes from: git, DVC's own files written by hand, and downloads.

const desk = await deskWithLog();
test.after(() => desk.served.close());

function git(...args: string[]): string {
  const who = ['-c', 'user.name=t', '-c', 'user.email=t@example.org', '-c', 'commit.gpgsign=false'];
  return execFileSync('git', ['-C', desk.path('repo'), ...who, ...args], { encoding: 'utf8' }).trim();
}

mkdirSync(desk.path('repo'));
git('init', '-q', '-b', 'main');
git('remote', 'add', 'origin', 'https://robot:hunter2@git.example/models.git');
desk.write('repo/.gitignore', '/dvc-model\n/weights.bin\n/locked\n/.cache\n');
desk.write('repo/plain/w.bin', 'w');
const commitAll = (): string => {
  git('add', '-A');
  git('commit', '-q', '-m', 'state');
  return git('rev-parse', 'HEAD');
};
commitAll();

const md5 = (text: string): string => createHash('md5').update(text).digest('hex');
const source = async (path: string): Promise<Record<string, unknown> | undefined> => {
  const args = ['record', 'model', path, '--name', 'm', '--version', '1', '--reason', 'A model with an origin.'];
  const { index } = await desk.result(args);
  return (await desk.result(['show', String(index)])).record.source;
};

test('outside of everything, nothing is said', async () => {
  desk.write('alone/w.bin', 'w');
  assert.is(await source('alone'), undefined);
});

test('in git: the remote without its password, the commit, the path, and whether the files are those', async () => {
  const revision = git('rev-parse', 'HEAD');
  const repository = 'https://git.example/models.git';
  assert.equal(await source('repo/plain'), { kind: 'git', repository, revision, dirty: false, path: 'plain' });
  desk.write('repo/plain/w.bin', 'other');
  assert.equal(await source('repo/plain'), { kind: 'git', repository, revision, dirty: true, path: 'plain' });
  desk.write('repo/plain/w.bin', 'w');
  desk.write('repo/plain/new.bin', 'n');
  assert.is((await source('repo/plain'))?.dirty, true);
  rmSync(desk.path('repo/plain/new.bin'));
});

test('a remote that may hold a secret somewhere else is left out', async () => {
  for (const [remote, repository] of [
    ['https://bob:p@SECRET@git.example/models.git', 'https://git.example/models.git'],
    ['https://git.example/models.git?private_token=SECRET', 'https://git.example/models.git'],
    ['https://bob:a/SECRET@git.example/models.git', undefined],
  ] as const) {
    git('remote', 'set-url', 'origin', remote);
    assert.is((await source('repo/plain'))?.repository, repository);
  }
  git('remote', 'set-url', 'origin', 'https://robot:hunter2@git.example/models.git');
});

test('a file that DVC tracks: its identifier, and whether the working copy is that', async () => {
  desk.write('repo/weights.bin', 'weights');
  desk.write('repo/weights.bin.dvc', `outs:\n- md5: ${md5('weights')}\n  size: 7\n  hash: md5\n  path: weights.bin\n`);
  const revision = commitAll();
  const clean = {
    kind: 'dvc',
    path: 'weights.bin',
    revision,
    repository: 'https://git.example/models.git',
    dirty: false,
    id: `md5:${md5('weights')}`,
  };
  assert.equal(await source('repo/weights.bin'), clean);
  desk.write('repo/weights.bin', 'WEIGHTS');
  assert.equal(await source('repo/weights.bin'), { ...clean, dirty: true });
  // Whoever changes both the file and what DVC says of it has changed what is committed.
  desk.write('repo/weights.bin.dvc', `outs:\n- md5: ${md5('WEIGHTS')}\n  path: weights.bin\n`);
  assert.equal(await source('repo/weights.bin'), { ...clean, dirty: true, id: `md5:${md5('WEIGHTS')}` });
  desk.write('repo/weights.bin.dvc', 'outs:\n- path: weights.bin\n');
  const { id, dirty } = (await source('repo/weights.bin')) ?? {};
  assert.equal([id, dirty], [undefined, true]);
});

// As Python's json.dumps writes the list of files, in the order of their code points.
const LIST = `[{"md5": "${md5('one')}", "relpath": "a.bin"}, {"md5": "${md5('two')}", "relpath": "sub/\\u00e9.bin"}]`;

test('a folder that DVC tracks is compared by the list of its files', async () => {
  desk.write('repo/dvc-model/a.bin', 'one');
  desk.write('repo/dvc-model/sub/é.bin', 'two');
  desk.write('repo/dvc-model.dvc', `outs:\n- md5: ${md5(LIST)}.dir\n  nfiles: 2\n  hash: md5\n  path: dvc-model\n`);
  commitAll();
  const clean = (await source('repo/dvc-model')) ?? {};
  assert.equal([clean.kind, clean.dirty, clean.id], ['dvc', false, `md5:${md5(LIST)}.dir`]);
  desk.write('repo/dvc-model/more.bin', 'three');
  assert.is((await source('repo/dvc-model'))?.dirty, true);
});

test('dvc.lock counts as well, for the stage whose output it is', async () => {
  desk.write('repo/locked/w.bin', 'w');
  const list = `[{"md5": "${md5('w')}", "relpath": "w.bin"}]`;
  const out = (path: string): string => `    - path: ${path}\n      hash: md5\n      md5: ${md5(list)}.dir\n`;
  desk.write(
    'repo/dvc.lock',
    `schema: '2.0'\nstages:\n  other:\n    outs:\n${out('elsewhere')}  train:\n    outs:\n${out('locked')}`,
  );
  commitAll();
  const { kind, dirty, path } = (await source('repo/locked')) ?? {};
  assert.equal([kind, dirty, path], ['dvc', false, 'locked']);
  desk.write('repo/locked/w.bin', 'W');
  assert.is((await source('repo/locked'))?.dirty, true);
});

test("DVC's files are refused when they cannot be read, and never guessed at", async () => {
  desk.write('bad/w.bin', 'w');
  const args = ['record', 'model', 'bad', '--name', 'm', '--version', '1', '--reason', 'A model with an origin.'];
  for (const [text, why] of [
    ['outs: [', 'is no YAML'],
    ['outs: []', 'not as DVC writes it'],
    ['outs:\n- path: bad\n  md5: abc\n', 'must be an MD5'],
    ['outs:\n- path: other\n', 'and not'],
  ]) {
    desk.write('bad.dvc', text);
    const { stderr } = await refuses(desk, args, 2, 'cli/usage');
    assert.match(stderr, why);
    assert.match(stderr, 'bad.dvc');
  }
});

test('a download notes its commit; a clone of the Hub has its remote', async () => {
  const commit = 'c0ffee00'.repeat(5);
  writeAll(desk, 'download', huggingFaceFiles());
  desk.write('download/.cache/huggingface/download/config.json.metadata', `${commit}\netag\n1767323045.0\n`);
  assert.equal(await source('download'), { kind: 'huggingface', revision: commit });
  writeAll(desk, 'repo', huggingFaceFiles());
  git('remote', 'set-url', 'origin', 'git@hf.co:acme/tiny');
  const { kind, repository } = (await source('repo')) ?? {};
  assert.equal([kind, repository], ['huggingface', 'hf.co:acme/tiny']);
});

test.run();
