import { lstat, readdir, readFile, realpath } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';
import { DEFAULT_IGNORED, type RecordOf } from '@treering/record';
import type { ModelFiles } from '@treering/record/node';
import { dvcState } from './dvc.js';
import { gitBlobId, gitState, gitTopLevel } from './git.js';

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
  // DVC may put a link into its cache where the file was.
  const dvc =
    (await dvcSource(join(await realpath(dirname(given)), basename(given)), remark)) ?? (await dvcSource(path, remark));
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

/** Where the notes of `hf download --local-dir` lie, within the folder that it filled. */
const NOTES = '.cache/huggingface/download';

/**
 * The commit that `hf download --local-dir` notes beside every file that it downloads. The files are those of the commit when each
 * has a note, and is what its note says; undefined when there are no notes, and no revision when they name different commits.
 */
async function downloadSource(path: string, { resources }: ModelFiles): Promise<ModelSource | undefined> {
  const folder = join(path, ...NOTES.split('/'));
  const noted = await notesBelow(folder);
  if (noted.size === 0) return undefined;
  const files = resources.filter(({ name }) => !name.startsWith('.cache/huggingface/'));
  const revisions = new Set<string | undefined>();
  let dirty = false;
  for (const { name, digest } of files) {
    const note = noted.get(name);
    if (note === undefined) dirty = true;
    else {
      revisions.add(note.commit);
      dirty ||= !(await isAsNoted(join(path, ...name.split('/')), digest, note.etag));
    }
  }
  const found = new Set(files.map(({ name }) => name));
  dirty ||= [...noted.keys()].some((name) => !found.has(name) && !DEFAULT_IGNORED.includes(name));
  const [revision] = revisions;
  if (revisions.size !== 1 || revision === undefined) return { kind: 'huggingface', dirty: true };
  return { kind: 'huggingface', revision, dirty };
}

/** The Hub's ETag is the SHA-256 of a large file, and of another one the name that git gives it. */
async function isAsNoted(path: string, digest: Uint8Array, etag: string): Promise<boolean> {
  if (/^[0-9a-f]{64}$/.test(etag)) return Buffer.from(digest).toString('hex') === etag;
  return /^[0-9a-f]{40}$/.test(etag) && (await gitBlobId(path, (await lstat(path)).size)) === etag;
}

/** The notes below a folder, by the names of the files that they are about. */
async function notesBelow(folder: string): Promise<Map<string, { commit: string | undefined; etag: string }>> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [];
    throw error;
  });
  const notes = new Map<string, { commit: string | undefined; etag: string }>();
  for (const entry of entries) {
    if (!entry.isFile() || !entry.name.endsWith('.metadata')) continue;
    const full = join(entry.parentPath, entry.name);
    const [commit, etag = ''] = (await readFile(full, 'utf8')).split(/\r?\n/);
    const name = relative(folder, full)
      .split(sep)
      .join('/')
      .replace(/\.metadata$/, '');
    notes.set(name, { commit: /^[0-9a-f]{40}$/.test(commit) ? commit : undefined, etag });
  }
  return notes;
}

function isHuggingFace(remote: string): boolean {
  return /^(?:[a-z+]+:\/\/)?(?:[^@/]*@)?(?:hf\.co|huggingface\.co)[:/]/.test(remote);
}
