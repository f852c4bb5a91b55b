// Brings a checkout to the point where it runs: dependencies from the lock file, and the build. Needs Node and npm, nothing else.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const stamp = join(root, 'node_modules', '.setup-stamp');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** Installs and builds, unless that was done for this lock file, and builds what changed. Speaks on standard error only. */
export function setUp() {
  checkNode();
  const wanted = fingerprint();
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
    say('setting up: installing dependencies (the first time SQLite may be compiled, which takes a minute or two)');
    install();
    writeFileSync(stamp, wanted);
  }
  run(process.execPath, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-b'], {}, 'the build failed');
  run(process.execPath, [join(root, '.tools', 'build-page.mjs')], {}, 'the page of reports could not be built');
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 20)) stop(`Treering needs Node 20.20 or newer; this is ${process.version}`);
}

/** What the installed tree depends on. */
function fingerprint() {
  const hash = createHash('sha256').update(
    `${process.version} ${process.platform} ${process.arch} ${manifest.packageManager}\n`,
  );
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'package.json']) hash.update(readFileSync(join(root, file)));
  return hash.digest('hex');
}

function install() {
  const headers = nodeHeaders();
  const env = headers === undefined ? {} : { npm_config_nodedir: headers };
  const ok = run('npx', ['--yes', manifest.packageManager, 'install', '--frozen-lockfile', '--reporter=append-only'], env);
  if (ok) return;
  const hint =
    headers === undefined
      ? `If SQLite could not be compiled: the headers of Node ${process.version} are not beside ${process.execPath}, and could not be downloaded. Install them (Debian: the package that brought node, or libnode-dev) or set npm_config_nodedir to the folder that holds include/node.`
      : 'If SQLite could not be compiled: a C++ compiler, make and python3 are needed (Debian: build-essential python3).';
  stop(`the dependencies could not be installed. ${hint}`);
}

/** The prefix whose include/node belongs to exactly the Node that runs this, or undefined. */
function nodeHeaders() {
  if (process.env.npm_config_nodedir) return process.env.npm_config_nodedir;
  for (const prefix of [dirname(dirname(process.execPath)), '/usr', '/usr/local']) {
    const header = join(prefix, 'include', 'node', 'node_version.h');
    if (!existsSync(header)) continue;
    const text = readFileSync(header, 'utf8');
    const version = ['MAJOR', 'MINOR', 'PATCH']
      .map((part) => new RegExp(`#define NODE_${part}_VERSION (\\d+)`).exec(text)?.[1])
      .join('.');
    if (`v${version}` === process.version) return prefix;
  }
  return undefined;
}

/** Runs a command with its output on standard error, so that standard output belongs to what comes after the set-up. */
function run(command, args, env, failure) {
  const { status, error } = spawnSync(command, args, { cwd: root, env: { ...process.env, ...env }, stdio: ['ignore', 2, 2] });
  if (error) stop(`${command} cannot be started: ${error.message}`);
  if (status !== 0 && failure !== undefined) stop(failure);
  return status === 0;
}

function say(text) {
  process.stderr.write(`treering: ${text}\n`);
}

function stop(text) {
  say(text);
  process.exit(1);
}
