// A copy of the newest commit with the installed packages in it: what is built there depends on nothing that lies about here.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { publishedMembers } from './production.mjs';
import { root } from './setup.mjs';

/**
 * Makes the copy. `remove` deletes it.
 * @throws Error outside of a git checkout, and when the lock file is another than the commit has: other packages are installed then
 */
export function cleanCopy() {
  // The modes of files end up in what is packed.
  process.umask(0o022);
  const commit = run('git', ['rev-parse', 'HEAD'], { cwd: root }).toString('utf8').trim();
  const parent = mkdtempSync(join(tmpdir(), 'treering-copy-'));
  const remove = () => rmSync(parent, { recursive: true, force: true });
  try {
    const folder = join(parent, 'source');
    mkdirSync(folder);
    const archive = run('git', ['archive', '--format=tar', commit], { cwd: root });
    run('tar', ['-x', '--no-same-permissions', '-C', folder], { input: archive });
    const lock = (where) => readFileSync(join(where, 'pnpm-lock.yaml'), 'utf8');
    if (lock(folder) !== lock(root)) throw new Error('pnpm-lock.yaml is not as it was committed');
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    for (const member of publishedMembers()) {
      const [from, to] = [root, folder].map((where) => join(where, member.folder, 'node_modules'));
      // Links to the packages, relative to where they stand: those of the workspace lead into the copy.
      if (existsSync(from)) cpSync(from, to, { recursive: true, verbatimSymlinks: true });
    }
    return { folder, commit, remove };
  } catch (error) {
    remove();
    throw error;
  }
}

/** Runs a command. Its errors go to standard error. @returns its output @throws Error when it fails */
export function run(command, args, options = {}) {
  const { status, stdout, error } = spawnSync(command, args, {
    stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'inherit'],
    maxBuffer: 512 * 1024 * 1024,
    ...options,
  });
  if (error) throw new Error(`${command} cannot be started: ${error.message}`);
  if (status !== 0) throw new Error(`${command} ${args.slice(0, 3).join(' ')} ended with ${status}\n${stdout}`);
  return stdout;
}
