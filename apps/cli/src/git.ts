import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { withoutSecrets } from '@treering/recorder';

const run = promisify(execFile);

/** Where files stand in git. */
export interface GitState {
  readonly repository?: string;
  readonly commit: string;
  /** True when one of the files differs from the commit or is not in it. */
  readonly dirty: boolean;
}

/** The git state of files, or undefined outside a repository, without a commit, or without git. */
export async function gitState(folder: string, files: readonly string[]): Promise<GitState | undefined> {
  const git = async (...args: string[]): Promise<string> =>
    (await run('git', ['-C', folder, ...args], { encoding: 'utf8' })).stdout.trim();
  let commit: string;
  try {
    commit = await git('rev-parse', '--verify', 'HEAD');
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (code === 128 || code === 'ENOENT') return undefined;
    throw error;
  }
  const status = await git('status', '--porcelain', '--ignored', '--', ...files);
  const remote = await git('config', '--get', 'remote.origin.url').catch(() => '');
  // It may carry a password or token; neither belongs in a log.
  const repository = remote === '' ? undefined : withoutSecrets(remote);
  return { ...(repository === undefined ? {} : { repository }), commit, dirty: status !== '' };
}

/** The folder of the working copy that a folder lies in, or undefined outside of any. */
export async function gitTopLevel(folder: string): Promise<string | undefined> {
  return run('git', ['-C', folder, 'rev-parse', '--show-toplevel'], { encoding: 'utf8' }).then(
    ({ stdout }) => stdout.trim(),
    (error: { code?: unknown }) => {
      if (error.code === 128 || error.code === 'ENOENT') return undefined;
      throw error;
    },
  );
}
