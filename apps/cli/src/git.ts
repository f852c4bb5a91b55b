import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, readdir, readlink, realpath } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { printable } from '@treering/record';
import { withoutSecrets } from '@treering/recorder/without-secrets';

/*
 * A folder that is recorded may come from anybody, and with it the configuration of its repository, which can name programs for git
 * to run. Git is asked only for what it has stored: it never looks at the files, so that neither filters nor a file system monitor
 * nor flags in the index count. What the files are is hashed here.
 */

const run = promisify(execFile);

/** Where files stand in git. */
export interface GitState {
  readonly repository?: string;
  readonly commit: string;
  /** True when one of the files differs from the commit or is not in it, or one of the commit's is not there. */
  readonly dirty: boolean;
}

/** What a commit says of one path. */
interface TreeEntry {
  readonly mode: string;
  readonly id: string;
  /** In bytes; NaN when the repository does not have the blob. */
  readonly size: number;
}

/** Nothing that a repository's configuration names is run: neither programs, hooks nor anything that fetches. */
const NOTHING_RUNS = [
  'core.fsmonitor=false',
  'core.hooksPath=/dev/null',
  'core.pager=cat',
  'diff.external=',
  'protocol.allow=never',
];
const ENVIRONMENT = {
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_TERMINAL_PROMPT: '0',
  GIT_OPTIONAL_LOCKS: '0',
  GIT_NO_LAZY_FETCH: '1',
  GIT_ALLOW_PROTOCOL: 'none',
  GIT_SSH_COMMAND: 'false',
  GIT_NO_REPLACE_OBJECTS: '1',
  LC_ALL: 'C',
};
/** What git may answer, in bytes: the list of all files of a commit. */
const MOST_ANSWER = 512 * 1024 * 1024;
/** The largest pointer of Git LFS, in bytes, by its specification. */
const MOST_POINTER = 1024;

/**
 * The git state of files, or undefined outside a repository, without a commit, without git, or when the repository belongs to
 * somebody else or cannot be read.
 * @param files beside or below `folder`; '.' stands for all of it
 * @param remark is told why git is left out although there is a repository
 */
export async function gitState(
  folder: string,
  files: readonly string[],
  remark: (text: string) => void = () => undefined,
): Promise<GitState | undefined> {
  const top = await gitTopLevel(folder, remark);
  if (top === undefined) return undefined;
  const paths: string[] = [];
  for (const file of files) {
    const full = resolve(folder, file);
    // A link counts as what it is, and not as what it leads to.
    const real = full === resolve(folder) ? await realpath(full) : join(await realpath(dirname(full)), basename(full));
    const path = relative(top, real).split(sep).join('/');
    if (path.startsWith('..')) return undefined;
    paths.push(path);
  }
  try {
    const commit = await git(top, 'rev-parse', '--verify', '--quiet', 'HEAD^{commit}').catch((error: { code?: unknown }) => {
      if (error.code === 1) return undefined;
      throw error;
    });
    if (commit === undefined) return undefined;
    const tree = await treeOf(top, commit, paths);
    const remote = await git(top, 'config', '--local', '--get', 'remote.origin.url').catch(() => '');
    // It may carry a password or token; neither belongs in a log.
    const repository = remote === '' ? undefined : withoutSecrets(remote);
    return { ...(repository === undefined ? {} : { repository }), commit, dirty: await isDirty(top, paths, tree) };
  } catch (error) {
    if (typeof (error as { stderr?: unknown }).stderr !== 'string') throw error;
    remark(`The repository ${printable(top)} is left out of the record, because git cannot read it.`);
    return undefined;
  }
}

/**
 * The folder of the working copy that a folder lies in, or undefined outside of any.
 * @param remark is told why a repository that is there does not count
 */
export async function gitTopLevel(
  folder: string,
  remark: (text: string) => void = () => undefined,
): Promise<string | undefined> {
  return git(folder, 'rev-parse', '--show-toplevel').then(
    (top) => realpath(top),
    ({ code, stderr }: { code?: unknown; stderr?: unknown }) => {
      if (code === 'ENOENT' || /not a git repository|must be run in a work tree/.test(String(stderr))) return undefined;
      const why = /dubious ownership|is owned by/.test(String(stderr)) ? 'it belongs to somebody else' : 'git cannot read it';
      remark(`The repository of ${printable(folder)} is left out of the record, because ${why}.`);
      return undefined;
    },
  );
}

/** Runs git without anything that the environment or the repository could make it do. */
async function git(folder: string, ...args: string[]): Promise<string> {
  const own = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^GIT_/i.test(name)));
  const settings = NOTHING_RUNS.flatMap((setting) => ['-c', setting]);
  const { stdout } = await run('git', ['--no-pager', ...settings, '-C', folder, ...args], {
    encoding: 'utf8',
    env: { ...own, ...ENVIRONMENT },
    maxBuffer: MOST_ANSWER,
  });
  return stdout.replace(/\n$/, '');
}

/** What a commit holds at and below paths, by the path from the top. */
async function treeOf(top: string, commit: string, paths: readonly string[]): Promise<Map<string, TreeEntry>> {
  const below = paths.includes('') ? [] : paths;
  const list = await git(top, 'ls-tree', '-r', '-l', '-z', '--full-tree', commit, '--', ...below);
  const entries = list.split('\0').filter((line) => line !== '');
  return new Map(
    entries.map((line) => {
      const tab = line.indexOf('\t');
      const [mode, , id, size] = line.slice(0, tab).split(/ +/);
      return [line.slice(tab + 1), { mode, id, size: /^[0-9]+$/.test(size) ? Number(size) : Number.NaN }];
    }),
  );
}

async function isDirty(top: string, paths: readonly string[], tree: ReadonlyMap<string, TreeEntry>): Promise<boolean> {
  const found = new Set((await Promise.all(paths.map((path) => filesBelow(top, path)))).flat());
  if (found.size !== tree.size) return true;
  for (const path of found) {
    const entry = tree.get(path);
    if (entry === undefined || !(await isAsCommitted(top, path, entry))) return true;
  }
  return false;
}

/** Everything at or below a path that is no folder, but for the repository itself. */
async function filesBelow(top: string, path: string): Promise<string[]> {
  const stat = await lstat(join(top, path)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (stat === undefined) return [];
  if (!stat.isDirectory()) return [path];
  const names = (await readdir(join(top, path))).map((name) => (path === '' ? name : `${path}/${name}`));
  return (await Promise.all(names.filter((name) => name !== '.git').map((name) => filesBelow(top, name)))).flat();
}

/** Whether a file is, byte for byte, what a commit says; or what the commit's pointer of Git LFS says. */
async function isAsCommitted(top: string, path: string, { mode, id, size }: TreeEntry): Promise<boolean> {
  const full = join(top, path);
  const stat = await lstat(full);
  const algorithm = id.length === 64 ? 'sha256' : 'sha1';
  if (stat.isSymbolicLink()) {
    const target = Buffer.from(await readlink(full));
    return mode === '120000' && blobHash(algorithm, target.length).update(target).digest('hex') === id;
  }
  if (!stat.isFile() || !/^100/.test(mode)) return false;
  if (stat.size === size) return (await gitBlobId(full, size, algorithm)) === id;
  if (!(size <= MOST_POINTER)) return false;
  const pointer = await git(top, 'cat-file', 'blob', id);
  const [, sha256, length] =
    /^version https:\/\/git-lfs\.github\.com\/spec\/v1\n(?:[a-z0-9.-]+ [^\n]*\n)*?oid sha256:([0-9a-f]{64})\nsize ([0-9]+)$/.exec(
      pointer,
    ) ?? [];
  return sha256 !== undefined && Number(length) === stat.size && (await fileHash(full, createHash('sha256'))) === sha256;
}

/** The name that git gives the content of a file of `size` bytes, as it lies there, in hex. */
export async function gitBlobId(path: string, size: number, algorithm: 'sha1' | 'sha256' = 'sha1'): Promise<string> {
  return fileHash(path, blobHash(algorithm, size));
}

function blobHash(algorithm: string, size: number): ReturnType<typeof createHash> {
  return createHash(algorithm).update(`blob ${size}\0`);
}

async function fileHash(path: string, hash: ReturnType<typeof createHash>): Promise<string> {
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
