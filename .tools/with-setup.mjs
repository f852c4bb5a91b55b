// node .tools/with-setup.mjs start|test|treering|bench|pictures [arguments]: sets up what is missing, then does the job.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { root, setUp } from './setup.mjs';

const [job, ...args] = process.argv.slice(2);
const cli = join(root, 'apps', 'cli', 'bin', 'treering.js');
const source = ['--conditions=@treering/source', '--import', 'tsx'];
const jobs = {
  start: [cli, 'up', ...args],
  test: [...source, join(root, 'test', 'run.ts'), ...args],
  treering: [cli, ...args],
  pictures: [...source, join(root, 'test', 'pictures.ts'), ...args],
  bench: [...source, join(root, 'bench', 'run.ts'), ...args],
};
if (!Object.hasOwn(jobs, job)) {
  process.stderr.write(`with-setup.mjs knows ${Object.keys(jobs).join(', ')}\n`);
  process.exit(2);
}
setUp();
// npm runs scripts in the package's folder; a command of the user's belongs where the user is.
const cwd = job === 'treering' ? (process.env.INIT_CWD ?? process.cwd()) : root;
const child = spawn(process.execPath, jobs[job], { cwd, stdio: 'inherit' });
// Ctrl-C reaches the whole group of the terminal: the child has SIGINT already, and ends in its own time.
let told = false;
const tell = (signal) => {
  told = true;
  child.kill(signal);
};
process.on('SIGINT', () => {
  told = true;
});
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => tell(signal));
// npm passes a signal on to the shell between, which ends without telling this process: notice that the parent is gone.
const parent = process.ppid;
setInterval(() => process.ppid !== parent && !told && tell('SIGTERM'), 500).unref();
child.on('exit', (code, signal) => process.exit(signal === null ? code : 1));
