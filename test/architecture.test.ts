import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

// Reads every manifest, every project reference and every import, and proves from them that the layout is what it claims to be.

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SCOPE = '@treering/';

/** The direction of dependencies: each package, and all that it may and does depend on within the project. */
const DEPENDENCIES: Readonly<Record<string, readonly string[]>> = {
  wasm: [],
  merkle: ['wasm'],
  note: ['wasm'],
  statement: ['merkle', 'note'],
  record: ['statement'],
  governance: ['merkle', 'note', 'record', 'statement'],
  keys: ['note', 'statement'],
  foreign: ['governance', 'note', 'record', 'statement'],
  attestation: ['note', 'record', 'statement'],
  evidence: ['attestation', 'governance', 'merkle', 'note', 'record', 'statement'],
  evaluation: ['record'],
  deployment: ['evidence', 'merkle', 'note', 'record', 'statement'],
  report: ['evidence', 'note', 'record', 'statement'],
  storage: [],
  'storage-sqlite': ['storage'],
  server: ['merkle'],
  sequencer: ['merkle', 'note', 'storage'],
  client: ['evidence', 'merkle', 'note', 'record', 'statement'],
};

/** The applications that another application may start. Applications may depend on every package. */
const STARTED_BY: Readonly<Record<string, readonly string[]>> = { cli: ['admission', 'log', 'monitor', 'recorder', 'witness'] };

/** These run in a browser; only what lies in their `src/node` may need Node. */
const PORTABLE = [
  'wasm',
  'merkle',
  'note',
  'statement',
  'record',
  'governance',
  'foreign',
  'attestation',
  'evaluation',
  'evidence',
  'deployment',
  'report',
  'client',
];

/** What is run from the repository by others, and has no package of its own. */
const NO_PACKAGE = ['apps/action'];

const TOP_LEVEL = [
  'LICENSE',
  'README.md',
  'apps',
  'bench',
  'docs',
  'package.json',
  'packages',
  'pnpm-lock.yaml',
  'pnpm-workspace.yaml',
  'test',
  'tsconfig.json',
];

interface Manifest {
  readonly name: string;
  readonly license: string;
  readonly type: string;
  readonly files: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
}

/** A package or an application: `folder` is relative to the root. */
interface Member {
  readonly folder: string;
  readonly name: string;
  readonly manifest: Manifest;
  readonly sources: readonly Source[];
}

interface Source {
  readonly path: string;
  /** The file without its comments. */
  readonly code: string;
  /** What it imports or exports from, and what it imports dynamically. */
  readonly imports: readonly string[];
}

const packages = readMembers('packages');
const apps = readMembers('apps');
const members = [...packages, ...apps];

test('the packages and their dependencies are exactly those of the architecture', () => {
  assert.equal(packages.map(({ name }) => name).sort(), Object.keys(DEPENDENCIES).sort());
  for (const { name, manifest } of packages) assert.equal(workspaceDependencies(manifest), DEPENDENCIES[name], name);
});

test('a package comes after everything that it depends on', () => {
  const order = Object.keys(DEPENDENCIES);
  for (const [name, needs] of Object.entries(DEPENDENCIES)) {
    for (const need of needs) assert.ok(order.indexOf(need) < order.indexOf(name), `${name} -> ${need}`);
  }
});

test('applications depend on packages, and only on the applications that they start', () => {
  for (const { name, manifest } of apps) {
    const others = workspaceDependencies(manifest).filter((need) => !Object.hasOwn(DEPENDENCIES, need));
    assert.equal(others, STARTED_BY[name] ?? [], name);
  }
});

test('every import is declared in the manifest, and everything declared is imported', () => {
  const bench = { folder: 'bench', manifest: readJson<Manifest>('bench/package.json'), sources: readSources('bench') };
  for (const { folder, manifest, sources } of [...members, bench]) {
    const imported = new Set(
      sources
        .flatMap(({ imports }) => imports)
        .filter(isExternal)
        .map(packageName),
    );
    assert.equal(
      [...imported].sort(),
      Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies }).sort(),
      folder,
    );
  }
});

test('an import reaches another package through what that package exports, and never by a path', () => {
  for (const { folder, sources } of members) {
    for (const { path, imports } of sources) {
      for (const specifier of imports) {
        if (specifier.startsWith('.')) {
          const target = join(path, '..', specifier);
          assert.ok(target.startsWith(`${folder}/src/`), `${path} imports ${specifier}`);
        } else if (specifier.startsWith(SCOPE)) {
          const { manifest } = memberNamed(packageName(specifier).slice(SCOPE.length));
          assert.ok(
            Object.hasOwn(manifest.exports, `.${specifier.slice(manifest.name.length)}`),
            `${path} imports ${specifier}`,
          );
        }
      }
    }
  }
});

test('workspace dependencies are linked, never fetched', () => {
  for (const { folder, manifest } of members) {
    for (const need of workspaceDependencies(manifest)) {
      assert.is(manifest.dependencies?.[SCOPE + need], 'workspace:*', `${folder} -> ${need}`);
    }
  }
});

test('the project references of every member are its workspace dependencies', () => {
  for (const { folder, manifest } of members) {
    const wanted = workspaceDependencies(manifest).map((need) => memberNamed(need).folder);
    assert.equal(references(`${folder}/tsconfig.json`, folder), wanted.sort(), folder);
  }
});

test('the root project references every package and application', () => {
  assert.equal(references('tsconfig.json', '.'), members.map(({ folder }) => folder).sort());
});

test('portable packages need no Node outside src/node', () => {
  const portable = packages.filter(({ name }) => PORTABLE.includes(name));
  assert.is(portable.length, PORTABLE.length);
  for (const { folder, sources } of portable) {
    for (const { path, code, imports } of sources) {
      if (path.startsWith(`${folder}/src/node/`)) continue;
      const native = imports.filter((specifier) => specifier.startsWith('node:') || /(?:^|\/)node(?:\/|$)/.test(specifier));
      assert.equal(native, [], path);
      assert.not.match(code, /\bBuffer\b/, path);
      assert.not.match(code, /\bprocess\b/, path);
    }
  }
});

test('exports are named', () => {
  for (const { path, code } of members.flatMap(({ sources }) => sources)) {
    assert.not.match(code, /^\s*export\s+(?:type\s+)?\*/m, path);
    assert.not.match(code, /^\s*export\s+default\b|\bas\s+default\b/m, path);
  }
});

test('every export leads to a source that exists and to what is built from it', () => {
  for (const { folder, manifest } of members) {
    const { './package.json': own, ...entries } = manifest.exports;
    assert.is(own, './package.json', folder);
    assert.ok(Object.hasOwn(entries, '.'), `${folder} exports nothing under its own name`);
    for (const [path, targets] of Object.entries(entries)) {
      assert.type(targets, 'object', `${folder} ${path}`);
      const source = (targets as Record<string, string>)[`${SCOPE}source`] ?? '';
      assert.match(source, /^\.\/src\/.+\.ts$/, `${folder} ${path}`);
      assert.ok(existsSync(join(ROOT, folder, source)), `${folder}: ${source} does not exist`);
      const built = source.replace('./src/', './dist/').replace(/\.ts$/, '');
      // The order counts: the first condition that holds is taken.
      const wanted = [
        [`${SCOPE}source`, source],
        ['types', `${built}.d.ts`],
        ['default', `${built}.js`],
      ];
      assert.equal(Object.entries(targets), wanted, `${folder} ${path}`);
    }
  }
});

test('every member is ready to be published', () => {
  for (const { folder, name, manifest } of members) {
    assert.is(manifest.name, SCOPE + name);
    assert.is(manifest.license, 'Apache-2.0', folder);
    assert.is(manifest.type, 'module', folder);
    for (const wanted of ['dist', 'src', 'README.md'])
      assert.ok(manifest.files?.includes(wanted), `${folder} leaves out ${wanted}`);
    const lines = readText(`${folder}/README.md`).trimEnd().split('\n');
    assert.ok(lines.length <= 15, `the README of ${folder} has ${lines.length} lines`);
    assert.is(lines[0], `# ${manifest.name}`);
  }
});

test('the top level holds what the architecture names, and nothing else', () => {
  const names = new Set(ownFiles().map((path) => path.split('/')[0]));
  assert.equal([...names].filter((name) => !name.startsWith('.')).sort(), TOP_LEVEL);
});

test('a dependency cycle fails the install', () => {
  assert.match(readText('pnpm-workspace.yaml'), /^disallowWorkspaceCycles: true$/m);
});

test('no file names a place on one machine or a registry', () => {
  const secret = [['', 'work', ''].join('/'), ['', 'root', ''].join('/')];
  const sibling = ['..', 'shared', ''].join('/');
  for (const path of ownFiles()) {
    if (!lstatSync(join(ROOT, path)).isFile()) continue;
    const text = readText(path);
    for (const place of secret) assert.not.ok(new RegExp(`(?<![\\w.-])${place}`).test(text), `${path} names ${place}`);
    if (path !== 'test/vectors.ts') assert.not.ok(text.includes(sibling), `${path} names ${sibling}`);
    assert.not.match(text, /https?:\/\/[^\s/'"]*(?:registry|artifactory|nexus|verdaccio)[^\s/'"]*\//, path);
    if (path === 'pnpm-lock.yaml') assert.not.match(text, /\btarball:/, 'the lock file names where a package was fetched from');
  }
});

function readMembers(group: string): Member[] {
  const names = readdirSync(join(ROOT, group)).filter((name) => !NO_PACKAGE.includes(`${group}/${name}`));
  return names.map((name): Member => {
    const folder = `${group}/${name}`;
    return { folder, name, manifest: readJson(`${folder}/package.json`), sources: readSources(`${folder}/src`) };
  });
}

function memberNamed(name: string): Member {
  const member = members.find((candidate) => candidate.name === name);
  assert.ok(member, `there is no member ${name}`);
  return member as Member;
}

function readSources(folder: string): Source[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : readSources(path);
    return path.endsWith('.ts') ? [readSource(path)] : [];
  });
}

function readSource(path: string): Source {
  const code = withoutComments(readText(path));
  const dynamic = [...code.matchAll(/\bimport\(\s*(.)([^)]*)/g)];
  for (const [call, quote] of dynamic) assert.ok(quote === "'", `${path}: ${call}) hides what it imports`);
  const imports = [
    ...[...code.matchAll(/^(?:import|export)\b[^;']*?\bfrom\s+'([^']+)'/gm)].map(([, specifier]) => specifier),
    ...[...code.matchAll(/^import\s+'([^']+)'/gm)].map(([, specifier]) => specifier),
    ...dynamic.map(([, , rest]) => rest.slice(0, rest.indexOf("'"))),
  ];
  return { path, code, imports };
}

/** The formatter puts a comment on lines of its own or behind the code. */
function withoutComments(text: string): string {
  return text.replace(/^\s*\/\*[\s\S]*?\*\//gm, '').replace(/(^|\s)\/\/\s.*$/gm, '$1');
}

function isExternal(specifier: string): boolean {
  return !specifier.startsWith('.') && !specifier.startsWith('node:');
}

/** `@scope/name/path` and `name/path` without the path. */
function packageName(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}

/** The names of what a manifest depends on within the project, sorted. */
function workspaceDependencies({ dependencies = {} }: Manifest): string[] {
  return Object.keys(dependencies)
    .filter((name) => name.startsWith(SCOPE))
    .map((name) => name.slice(SCOPE.length))
    .sort();
}

/** The folders that a project references, relative to the root and sorted. */
function references(path: string, folder: string): string[] {
  const { references = [] } = readJson<{ references?: { path: string }[] }>(path);
  return references.map((reference) => join(folder, reference.path)).sort();
}

/** What belongs to the repository: everything that Git tracks or would track. */
function ownFiles(): string[] {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: ROOT });
  const files = listed.toString('utf8').split('\0');
  return [...new Set(files)].filter((path) => path !== '' && existsSync(join(ROOT, path)));
}

function readText(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

function readJson<T>(path: string): T {
  return JSON.parse(readText(path)) as T;
}

test.run();
