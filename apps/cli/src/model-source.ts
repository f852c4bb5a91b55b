import { existsSync } from 'node:fs';
import { lstat, readFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import type { RecordOf } from '@treering/record';
import { dvcState } from './dvc.js';
import { gitState, gitTopLevel } from './git.js';

/** Where a model's files come from. */
export type ModelSource = NonNullable<RecordOf<'model'>['source']>;

/**
 * Where a model comes from, as far as the folder says it: DVC, a download from Hugging Face, a git repository. undefined when
 * nothing does.
 * @param path real and absolute
 * @throws UsageError when DVC's own files cannot be read
 */
export async function modelSource(path: string): Promise<ModelSource | undefined> {
  const dvc = await dvcState(path);
  if (dvc !== undefined) {
    const git = await gitState(dirname(dvc.file), [dvc.file]);
    return {
      kind: 'dvc',
      ...(await place(path)),
      ...(git === undefined ? {} : { revision: git.commit }),
      ...(git?.repository === undefined ? {} : { repository: git.repository }),
      dirty: dvc.differs || git?.dirty === true,
      ...(dvc.md5 === undefined ? {} : { id: `md5:${dvc.md5}` }),
    };
  }
  const downloaded = await downloadedCommit(path);
  if (downloaded !== undefined) return { kind: 'huggingface', revision: downloaded };
  const isFolder = (await lstat(path)).isDirectory();
  const git = isFolder ? await gitState(path, ['.']) : await gitState(dirname(path), [path]);
  if (git === undefined) return undefined;
  const { repository, commit, dirty } = git;
  return {
    kind: repository !== undefined && isHuggingFace(repository) ? 'huggingface' : 'git',
    ...(repository === undefined ? {} : { repository }),
    revision: commit,
    dirty,
    ...(await place(path)),
  };
}

/** The path within the working copy; nothing for the working copy itself. */
async function place(path: string): Promise<{ path?: string }> {
  const top = await gitTopLevel(dirname(path));
  const within = top === undefined ? '' : relative(top, path).split('\\').join('/');
  return within === '' || within.startsWith('..') ? {} : { path: within };
}

/** The commit that `hf download --local-dir` notes beside what it downloads. */
async function downloadedCommit(path: string): Promise<string | undefined> {
  const note = join(path, '.cache', 'huggingface', 'download', 'config.json.metadata');
  if (!existsSync(note)) return undefined;
  const [first] = (await readFile(note, 'utf8')).split('\n');
  return /^[0-9a-f]{40}$/.test(first) ? first : undefined;
}

function isHuggingFace(remote: string): boolean {
  return /^(?:[a-z+]+:\/\/)?(?:[^@/]*@)?(?:hf\.co|huggingface\.co)[:/]/.test(remote);
}
