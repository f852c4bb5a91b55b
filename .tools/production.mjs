// What is shipped: the packages of this workspace that are published, and everything that they need to run, from the lock file.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { parse } from 'yaml';
import { root } from './setup.mjs';

/** Scripts that run when a package is installed, with the rights of whoever installs it. */
const INSTALL_SCRIPTS = ['preinstall', 'install', 'postinstall'];

/** The manifests of the packages and applications that are published, by their folder, in the order of the folders. */
export function publishedMembers() {
  return ['packages', 'apps'].flatMap((group) =>
    readdirSync(join(root, group))
      .sort()
      .map((name) => `${group}/${name}`)
      .filter((folder) => existsSync(join(root, folder, 'package.json')))
      .map((folder) => ({ folder, manifest: readJson(join(root, folder, 'package.json')) }))
      .filter(({ manifest }) => manifest.private !== true),
  );
}

/**
 * Every package of others that a published one needs when it runs, directly or not: name, version, integrity (SRI), where it is
 * installed, licence, whether its installation runs something, and the `name@version` of what it needs itself. Sorted by that.
 * @throws Error when one is not in the lock file, or not installed
 */
export function productionPackages() {
  const lock = readLock();
  const found = new Map();
  const queue = publishedMembers().flatMap(({ folder }) => needsOf(lock.importers[folder], folder));
  for (let id = queue.shift(); id !== undefined; id = queue.shift()) {
    if (found.has(id)) continue;
    const needs = needsOf(lock.snapshots[id], id);
    found.set(id, needs);
    queue.push(...needs);
  }
  const packages = new Map();
  for (const [id, needs] of found) packages.set(plain(id), describe(lock, plain(id), needs.map(plain)));
  return [...packages.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** The `name@version` of everything that a published package names as a dependency, those of this workspace among it. */
export function directNeeds(folder) {
  const members = new Map(publishedMembers().map((member) => [member.folder, member.manifest]));
  const { dependencies = {}, optionalDependencies = {} } = readLock().importers[folder];
  const linked = Object.values({ ...dependencies, ...optionalDependencies })
    .filter(({ version }) => version.startsWith('link:'))
    .map(({ version }) => members.get(posix.join(folder, version.slice('link:'.length))))
    .map(({ name, version }) => `${name}@${version}`);
  return [...linked, ...needsOf({ dependencies, optionalDependencies }, folder).map(plain)].sort();
}

function readLock() {
  return parse(readFileSync(join(root, 'pnpm-lock.yaml'), 'utf8'));
}

/** What an importer or a snapshot of the lock file needs of others when it runs, as keys of the lock file. */
function needsOf(node, from) {
  if (node === undefined) throw new Error(`the lock file does not know ${from}`);
  return Object.entries({ ...node.dependencies, ...node.optionalDependencies })
    .map(([name, value]) => [name, typeof value === 'string' ? value : value.version])
    .filter(([, version]) => !version.startsWith('link:'))
    .map(([name, version]) => (/^@?[^@(]+@/.test(version) ? version : `${name}@${version}`))
    .sort();
}

function describe(lock, id, needs) {
  const at = id.lastIndexOf('@');
  const [name, version] = [id.slice(0, at), id.slice(at + 1)];
  const locked = lock.packages[id];
  if (locked === undefined) throw new Error(`the lock file does not know ${id}`);
  const folder = installedAt(id, name);
  const manifest = readJson(join(folder, 'package.json'));
  return {
    id,
    name,
    version,
    integrity: locked.resolution.integrity,
    folder,
    licence: licenceOf(manifest),
    // npm and pnpm compile what has a binding.gyp, as if there was a script for it.
    runsAtInstall:
      INSTALL_SCRIPTS.some((script) => manifest.scripts?.[script] !== undefined) || existsSync(join(folder, 'binding.gyp')),
    needs,
  };
}

function installedAt(id, name) {
  const store = join(root, 'node_modules', '.pnpm');
  const folder = id.replaceAll('/', '+');
  // With peers, the folder has their versions behind it.
  const found = readdirSync(store).find((entry) => entry === folder || entry.startsWith(`${folder}_`));
  if (found === undefined) throw new Error(`${id} is not installed here`);
  return join(store, found, 'node_modules', name);
}

function licenceOf({ license, licenses }) {
  if (typeof license === 'string') return license;
  if (Array.isArray(licenses)) return licenses.map(({ type }) => type).join(' OR ');
  return license?.type;
}

/** A key of the lock file without the peers behind it. */
function plain(id) {
  return id.replace(/\(.*$/, '');
}

function readJson(path) {
  return JSON.parse(readFileSync(path, 'utf8'));
}
