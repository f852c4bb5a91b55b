import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { publishedMembers } from '../../.tools/production.mjs';

// A release is made twice: from this checkout, and from a clone elsewhere by somebody with other habits. All bytes are the same.

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'treering-pack-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const members = publishedMembers();
const [here, elsewhere] = [join(folder, 'here'), join(folder, 'elsewhere')];

test('two releases of one commit are equal, byte for byte', () => {
  release(ROOT, here, '022', {});
  const clone = cloneOf(join(folder, 'some', 'other place'));
  release(clone, elsewhere, '077', {
    TZ: 'Pacific/Auckland',
    LC_ALL: 'C.UTF-8',
    TMPDIR: join(folder, 'some'),
    NODE_ENV: 'production',
  });
  const files = readdirSync(here).sort();
  assert.equal(readdirSync(elsewhere).sort(), files);
  assert.is(files.filter((file) => file.endsWith('.tgz')).length, members.length);
  const differing = files.filter((file) => !readFileSync(join(here, file)).equals(readFileSync(join(elsewhere, file))));
  assert.equal(differing, []);
});

test('a tarball holds what is built, its source and the licence, and no test', () => {
  for (const { manifest } of members) {
    const paths = listOf(manifest.name);
    for (const wanted of ['package.json', 'LICENSE', 'README.md', 'dist/index.js', 'dist/index.d.ts', 'src/index.ts'])
      assert.ok(paths.includes(`package/${wanted}`), `${manifest.name} has no ${wanted}`);
    const strange = paths.filter(
      (path) => !/^package\/(?:package\.json|LICENSE|README\.md|(?:dist|src|bin|kubernetes)\/.+)$/.test(path),
    );
    assert.equal(strange, [], manifest.name);
    const unwanted = paths.filter((path) => /\/test\/|\.test\.|tsbuildinfo|node_modules|\.tgz$/.test(path));
    assert.equal(unwanted, [], manifest.name);
  }
});

test('what is published names exact versions, no workspace and no catalog, and no place on the machine that built it', () => {
  for (const { manifest } of members) {
    const extracted = join(folder, 'extracted', manifest.name);
    mkdirSync(extracted, { recursive: true });
    execFileSync('tar', ['-xzf', tarballOf(manifest.name), '-C', extracted]);
    const published = JSON.parse(readFileSync(join(extracted, 'package', 'package.json'), 'utf8')) as typeof manifest;
    const needs = { ...(published.dependencies as object), ...(published.optionalDependencies as object) };
    for (const [name, version] of Object.entries(needs))
      assert.match(String(version), /^\d+\.\d+\.\d+$/, `${manifest.name}: ${name}`);
    for (const path of readdirSync(extracted, { recursive: true, encoding: 'utf8' }).filter((name) =>
      /\.(?:map|js)$/.test(name),
    )) {
      const text = readFileSync(join(extracted, path), 'utf8');
      for (const place of [ROOT, tmpdir() === '/' ? ROOT : join(tmpdir(), 'treering-')])
        assert.not.ok(text.includes(place), `${path} names ${place}`);
    }
  }
});

test('what the page bundles comes with its licences', () => {
  const extracted = join(folder, 'extracted', '@treering/report', 'package', 'dist');
  const text = readFileSync(join(extracted, 'page-licences.txt'), 'utf8');
  for (const name of ['zod', 'cbor-x', '@noble/hashes', '@noble/curves'])
    assert.match(text, new RegExp(`^${name} \\d`, 'm'), name);
  assert.match(text, 'Permission is hereby granted');
});

/** Makes a release of a checkout, with a file mode mask and an environment of its own. */
function release(checkout: string, target: string, umask: string, env: Readonly<Record<string, string>>): void {
  const script = `umask ${umask}; exec "$0" .tools/release.mjs "$1"`;
  execFileSync('sh', ['-c', script, process.execPath, target], {
    cwd: checkout,
    env: { ...process.env, ...env },
    stdio: 'pipe',
  });
}

/** A clone with other times of its files, and with what is installed here. */
function cloneOf(path: string): string {
  mkdirSync(path, { recursive: true });
  execFileSync('git', ['clone', '--quiet', '--no-hardlinks', `file://${ROOT}`, path], { stdio: 'pipe' });
  for (const name of readdirSync(path)) utimesSync(join(path, name), 1e9, 1e9);
  symlinkSync(join(ROOT, 'node_modules'), join(path, 'node_modules'));
  for (const member of members) {
    const modules = join(member.folder, 'node_modules');
    if (readdirSync(join(ROOT, member.folder)).includes('node_modules'))
      cpSync(join(ROOT, modules), join(path, modules), { recursive: true, verbatimSymlinks: true });
  }
  return path;
}

function listOf(name: string): string[] {
  return execFileSync('tar', ['-tzf', tarballOf(name)], { encoding: 'utf8' })
    .trim()
    .split('\n');
}

function tarballOf(name: string): string {
  return join(here, `${name.replace('@', '').replace('/', '-')}-0.1.0.tgz`);
}

test.run();
