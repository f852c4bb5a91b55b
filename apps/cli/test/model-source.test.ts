import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
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

/** A repository of its own, with one committed file. */
function repository(name: string): (...args: string[]) => string {
  desk.write(`${name}/config.json`, '{}');
  const who = ['-c', 'user.name=t', '-c', 'user.email=t@example.org', '-c', 'commit.gpgsign=false'];
  const call = (...args: string[]): string =>
    execFileSync('git', ['-C', desk.path(name), ...who, ...args], { encoding: 'utf8', stdio: 'pipe' }).trim();
  call('init', '-q');
  call('add', '-A');
  call('commit', '-q', '-m', 'state');
  return call;
}

test('nothing that the configuration of a repository names is run', async () => {
  const call = repository('hostile');
  const trap = `touch ${desk.path('PWNED')}; false`;
  call('config', 'filter.x.smudge', trap);
  desk.write('hostile/.gitattributes', '* filter=x diff=x\n');
  call('add', '-A');
  call('commit', '-q', '-m', 'with filters');
  for (const name of [
    'core.fsmonitor',
    'filter.x.clean',
    'filter.x.process',
    'diff.external',
    'diff.x.textconv',
    'core.sshCommand',
  ])
    call('config', name, trap);
  call('config', 'core.pager', trap);
  call('config', 'extensions.partialClone', 'origin');
  call('config', 'remote.origin.url', `ext::sh -c "${trap}"`);
  call('config', 'protocol.allow', 'always');
  for (const hook of ['post-index-change', 'post-checkout', 'fsmonitor-watchman'])
    desk.write(`hostile/.git/hooks/${hook}`, `#!/bin/sh\n${trap}\n`, 0o755);
  assert.is((await source('hostile'))?.dirty, false);
  // An object that is missing is not fetched.
  const id = call('rev-parse', 'HEAD:config.json');
  rmSync(desk.path('hostile', '.git', 'objects', id.slice(0, 2), id.slice(2)));
  await source('hostile');
  desk.write('hostile/config.json', '[]');
  assert.is((await source('hostile'))?.dirty, true);
  assert.not.ok(existsSync(desk.path('PWNED')));
});

test('neither settings nor flags in the index hide what is not committed', async () => {
  const call = repository('hiding');
  call('config', 'status.showUntrackedFiles', 'no');
  desk.write('hiding/w.bin', 'w');
  assert.is((await source('hiding'))?.dirty, true);
  rmSync(desk.path('hiding/w.bin'));
  assert.is((await source('hiding'))?.dirty, false);
  desk.write('hiding/sub/.git/w.bin', 'w');
  assert.is((await source('hiding'))?.dirty, true);
  rmSync(desk.path('hiding/sub'), { recursive: true });
  for (const flag of ['--assume-unchanged', '--skip-worktree']) {
    call('update-index', flag, 'config.json');
    desk.write('hiding/config.json', '[]');
    assert.is((await source('hiding'))?.dirty, true, flag);
    desk.write('hiding/config.json', '{}');
    call('update-index', flag.replace('--', '--no-'), 'config.json');
  }
  desk.write('hiding/w.bin', 'w');
  call('add', '-A');
  call('commit', '-q', '-m', 'more');
  rmSync(desk.path('hiding/config.json'));
  assert.is((await source('hiding'))?.dirty, true, 'a file that was removed');
});

test('a repository that the environment names, or that replaces its objects, does not count', async () => {
  const call = repository('asked');
  const commit = call('rev-parse', 'HEAD');
  const other = repository('named');
  desk.write('named/config.json', '[]');
  other('commit', '-q', '-a', '-m', 'more');
  process.env.GIT_DIR = desk.path('named', '.git');
  try {
    assert.is((await source('asked'))?.revision, commit);
  } finally {
    delete process.env.GIT_DIR;
  }
  desk.write('asked/config.json', '[1]');
  const tampered = call('hash-object', '-w', 'config.json');
  call('replace', call('rev-parse', 'HEAD:config.json'), tampered);
  assert.is((await source('asked'))?.dirty, true);
});

test('a file of Git LFS is compared with its pointer', async () => {
  const call = repository('lfs');
  const sha256 = createHash('sha256').update('large weights').digest('hex');
  desk.write('lfs/w.bin', `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256}\nsize 13\n`);
  call('add', '-A');
  call('commit', '-q', '-m', 'a pointer');
  desk.write('lfs/w.bin', 'large weights');
  assert.is((await source('lfs'))?.dirty, false);
  desk.write('lfs/w.bin', 'LARGE WEIGHTS');
  assert.is((await source('lfs'))?.dirty, true);
});

test('a repository of somebody else is left out, and that is said', async () => {
  if (process.getuid?.() !== 0) {
    console.log('skipped: only root can give a folder away');
    return;
  }
  repository('theirs');
  for (const name of ['theirs', 'theirs/.git']) chownSync(desk.path(name), 4321, 4321);
  const args = ['record', 'model', 'theirs', '--name', 'm', '--version', '1', '--reason', 'A model with an origin.', '--json'];
  const outcome = await desk.call(args);
  assert.match(outcome.stderr, 'left out of the record, because it belongs to somebody else');
  assert.is((await desk.result(['show', String(outcome.json().index)])).record.source, undefined);
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

/** Notes as `hf download --local-dir` writes them: for weights the SHA-256, for other files what git calls them. */
function noteDownload(folder: string, commit: string): void {
  for (const [name, content] of Object.entries(huggingFaceFiles())) {
    const bytes = Buffer.from(content);
    const etag = name.endsWith('.safetensors')
      ? createHash('sha256').update(bytes).digest('hex')
      : createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
    desk.write(`${folder}/.cache/huggingface/download/${name}.metadata`, `${commit}\n${etag}\n1767323045.0\n`);
  }
}

test('a download that is no longer what was downloaded is dirty, or of no revision', async () => {
  const commit = 'c0ffee00'.repeat(5);
  const note = (name: string): string => `.cache/huggingface/download/${name}.metadata`;
  let n = 0;
  const after = async (change: (folder: string) => void) => {
    const folder = writeAll(desk, `downloads-${n++}`, huggingFaceFiles());
    noteDownload(folder, commit);
    change(folder);
    return source(folder);
  };
  const dirty = { kind: 'huggingface', revision: commit, dirty: true };
  const { 'model-1.safetensors': first } = huggingFaceFiles() as Record<string, Uint8Array>;
  const replaced = new Uint8Array(first);
  replaced[replaced.length - 1] ^= 1;
  assert.equal(await after((folder) => void desk.write(`${folder}/model-1.safetensors`, replaced)), dirty);
  assert.equal(await after((folder) => void desk.write(`${folder}/README.md`, '# Another card\n')), dirty);
  assert.equal(await after((folder) => void desk.write(`${folder}/more.bin`, 'not downloaded')), dirty);
  assert.equal(await after((folder) => rmSync(desk.path(folder, 'README.md'))), dirty);
  assert.equal(await after((folder) => rmSync(desk.path(folder, note('model-1.safetensors')))), dirty);
  assert.equal(await after((folder) => void desk.write(`${folder}/${note('README.md')}`, `${commit}\netag\n1\n`)), dirty);
  const elsewhere = `${'b'.repeat(40)}\n${createHash('sha256').update(first).digest('hex')}\n1\n`;
  assert.equal(await after((folder) => void desk.write(`${folder}/${note('model-1.safetensors')}`, elsewhere)), {
    kind: 'huggingface',
    dirty: true,
  });
});

test('a file that DVC has linked to its cache is still the file that it tracks', async () => {
  desk.write('linked/cache/ab', 'weights');
  symlinkSync(desk.path('linked/cache/ab'), desk.path('linked/w.bin'));
  desk.write('linked/w.bin.dvc', `outs:\n- md5: ${md5('weights')}\n  hash: md5\n  path: w.bin\n`);
  assert.equal(await source('linked/w.bin'), { kind: 'dvc', dirty: false, id: `md5:${md5('weights')}` });
  desk.write('linked/cache/ab', 'WEIGHTS');
  assert.is((await source('linked/w.bin'))?.dirty, true);
});

test('a download notes its commit; a clone of the Hub has its remote', async () => {
  const commit = 'c0ffee00'.repeat(5);
  writeAll(desk, 'download', huggingFaceFiles());
  noteDownload('download', commit);
  assert.equal(await source('download'), { kind: 'huggingface', revision: commit, dirty: false });
  writeAll(desk, 'repo', huggingFaceFiles());
  git('remote', 'set-url', 'origin', 'git@hf.co:acme/tiny');
  const { kind, repository } = (await source('repo')) ?? {};
  assert.equal([kind, repository], ['huggingface', 'hf.co:acme/tiny']);
});

test.run();
