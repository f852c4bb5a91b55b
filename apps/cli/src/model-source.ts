import { existsSync } from 'node:fs';
import { lstat, readFile, realpath } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import type { RecordOf } from '@treering/record';
import type { ModelFiles } from '@treering/record/node';
import { dvcState } from './dvc.js';
import { gitState, gitTopLevel } from './git.js';

/** Where a model's files come from. */
export type ModelSource = NonNullable<RecordOf<'model'>['source']>;

/**
 * Where a model comes from, as far as the folder says it: DVC, a download from Hugging Face, a git repository. undefined when
 * nothing does.
 * @param given absolute; may be a link
 * @param files as hashed
 * @param remark is told what is left out although it is there
 * @throws UsageError when DVC's own files cannot be read
 */
export async function modelSource(
  given: string,
  files: ModelFiles,
  remark: (text: string) => void,
): Promise<ModelSource | undefined> {
  const path = await realpath(given);
  const dvc = await dvcSource(path, remark);
  if (dvc !== undefined) return dvc;
  const downloaded = await downloadSource(path, files);
  if (downloaded !== undefined) return downloaded;
  const isFolder = (await lstat(path)).isDirectory();
  const git = isFolder ? await gitState(path, ['.'], remark) : await gitState(dirname(path), [path], remark);
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

async function dvcSource(path: string, remark: (text: string) => void): Promise<ModelSource | undefined> {
  const dvc = await dvcState(path);
  if (dvc === undefined) return undefined;
  const git = await gitState(dirname(dvc.file), [dvc.file], remark);
  return {
    kind: 'dvc',
    ...(await place(path)),
    ...(git === undefined ? {} : { revision: git.commit }),
    ...(git?.repository === undefined ? {} : { repository: git.repository }),
    dirty: dvc.differs || git?.dirty === true,
    ...(dvc.md5 === undefined ? {} : { id: `md5:${dvc.md5}` }),
  };
}

/** The path within the working copy; nothing for the working copy itself. */
async function place(path: string): Promise<{ path?: string }> {
  const top = await gitTopLevel(dirname(path));
  const within = top === undefined ? '' : relative(top, path).split('\\').join('/');
  return within === '' || within.startsWith('..') ? {} : { path: within };
}

/** The commit that `hf download --local-dir` notes beside what it downloads. */
async function downloadSource(path: string, _files: ModelFiles): Promise<ModelSource | undefined> {
  const note = join(path, '.cache', 'huggingface', 'download', 'config.json.metadata');
  if (!existsSync(note)) return undefined;
  const [first] = (await readFile(note, 'utf8')).split('\n');
  return /^[0-9a-f]{40}$/.test(first) ? { kind: 'huggingface', revision: first } : undefined;
}

function isHuggingFace(remote: string): boolean {
  return /^(?:[a-z+]+:\/\/)?(?:[^@/]*@)?(?:hf\.co|huggingface\.co)[:/]/.test(remote);
}
