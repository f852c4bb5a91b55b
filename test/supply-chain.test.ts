import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Spec, Validation } from '@cyclonedx/cyclonedx-library';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parse } from 'yaml';
import { judge } from '../.tools/audit.mjs';
import { DOCUMENT, isAllowed, licencesText } from '../.tools/licences.mjs';
import { productionPackages, publishedMembers } from '../.tools/production.mjs';
import { sbomText } from '../.tools/sbom.mjs';

// What the project is made of: pinned, few, under licences that are allowed, and written down.

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** Packages of others that are needed to run. A new one is a decision: look for a way without it before this number grows. */
const MOST_PACKAGES = 148;
/** What may compile when it is installed, and what of it really does here. */
const COMPILED = ['better-sqlite3', 'cbor-extract', 'pkcs11js'];
const ALLOWED_TO_COMPILE = ['better-sqlite3', 'pkcs11js'];

const packages = productionPackages();
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const workspace = parse(read('pnpm-workspace.yaml')) as {
  readonly onlyBuiltDependencies: readonly string[];
  readonly catalog: Readonly<Record<string, string>>;
};

test('every dependency has exactly one version, its own or that of the catalog', () => {
  const exact = /^(?:npm:[^@]+@)?\d+\.\d+\.\d+(?:-[0-9a-z.]+)?$/;
  for (const [name, version] of Object.entries(workspace.catalog)) assert.match(version, exact, name);
  const folders = ['packages', 'apps'].flatMap((group) => readdirSync(join(ROOT, group)).map((name) => `${group}/${name}`));
  const manifests = ['.', 'test', 'bench', ...folders].filter((folder) =>
    readdirSync(join(ROOT, folder)).includes('package.json'),
  );
  assert.is(manifests.length, publishedMembers().length + 3);
  for (const folder of manifests) {
    const manifest = JSON.parse(read(`${folder}/package.json`)) as Record<string, Readonly<Record<string, string>> | undefined>;
    assert.is(manifest.peerDependencies, undefined, folder);
    for (const kind of ['dependencies', 'devDependencies', 'optionalDependencies'])
      for (const [name, version] of Object.entries(manifest[kind] ?? {})) {
        if (name.startsWith('@treering/')) assert.is(version, 'workspace:*', `${folder}: ${name}`);
        else if (version !== 'catalog:') assert.match(version, exact, `${folder}: ${name}`);
      }
  }
});

test('the lock file is what is installed, and names the digest of every tarball', () => {
  assert.match(read('.tools/setup.mjs'), "'--frozen-lockfile'");
  for (const { id, integrity } of packages) assert.match(integrity, /^sha512-[A-Za-z0-9+/]{86}==$/, id);
});

test('only what is named runs anything when it is installed', () => {
  assert.equal(
    packages.filter(({ runsAtInstall }) => runsAtInstall).map(({ name }) => name),
    COMPILED,
  );
  assert.equal(workspace.onlyBuiltDependencies, ALLOWED_TO_COMPILE);
});

test(`no more than ${MOST_PACKAGES} packages of others are needed to run`, () => {
  assert.is(packages.length, MOST_PACKAGES, 'fewer is better: lower the number here and in docs/releases.md');
  assert.match(read('docs/releases.md'), `${MOST_PACKAGES} packages`);
});

test('every licence is one that is allowed, and the list of them is up to date', () => {
  for (const { id, licence } of packages) assert.ok(isAllowed(licence), `${id} is under ${licence}`);
  assert.is(read(DOCUMENT), licencesText(packages), 'run "pnpm run licences"');
});

test('a licence that is not listed is found, however it is written', () => {
  for (const licence of ['MIT', 'MIT OR GPL-3.0-only', '(MIT OR WTFPL)', 'MIT AND ISC']) assert.ok(isAllowed(licence), licence);
  for (const licence of [undefined, '', 'GPL-3.0-only', 'MIT AND GPL-3.0-only', 'Apache-2.0 WITH x', 'SEE LICENSE IN x', 'mit'])
    assert.not.ok(isAllowed(licence), String(licence));
  const [first] = packages;
  assert.match(licencesText([{ ...first, licence: 'GPL-3.0-only' }]), /GPL-3\.0-only +\| 1/);
});

test('the bill of materials is valid CycloneDX, lists what is shipped, and is the same each time', async () => {
  const text = sbomText({});
  assert.is(await new Validation.JsonStrictValidator(Spec.Version.v1dot6).validate(text), null);
  assert.is(sbomText({}), text);
  const bom = JSON.parse(text) as {
    readonly serialNumber: string;
    readonly metadata: Readonly<Record<string, unknown>>;
    readonly components: readonly { readonly 'bom-ref': string; readonly name: string; readonly version: string }[];
    readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
  };
  const refs = bom.components.map((component) => component['bom-ref']);
  assert.is(new Set(refs).size, publishedMembers().length + packages.length);
  assert.ok(refs.includes('pkg:npm/%40treering/cli@0.1.0'));
  for (const { ref, dependsOn } of bom.dependencies)
    for (const need of dependsOn) assert.ok(refs.includes(need), `${ref} needs ${need}`);
  const reached = new Set<string>();
  const reach = (ref: string): void => {
    if (reached.has(ref)) return;
    reached.add(ref);
    for (const need of bom.dependencies.find((node) => node.ref === ref)?.dependsOn ?? []) reach(need);
  };
  reach('treering');
  assert.is(reached.size, refs.length + 1);
  assert.is(bom.metadata.timestamp, undefined);
  const dated = JSON.parse(sbomText({ SOURCE_DATE_EPOCH: '1767225600' })) as typeof bom;
  assert.is(dated.metadata.timestamp, '2026-01-01T00:00:00.000Z');
  assert.is.not(dated.serialNumber, bom.serialNumber);
});

test('known vulnerabilities fail the gate when they are high or critical, and a registry that does not answer does not', () => {
  const advisory = { module_name: 'left', severity: 'high', title: 'It pads', url: 'https://advisories.test/1' };
  const answer = (counts: object, advisories: object): string =>
    JSON.stringify({ actions: [], advisories, muted: [], metadata: { vulnerabilities: counts, dependencies: 3 } });
  const none = { info: 0, low: 0, moderate: 0, high: 0, critical: 0 };
  assert.equal(judge(answer(none, {})), { verdict: 'clean', lines: ['0 known vulnerabilities, 0 of them high or critical'] });
  const high = judge(answer({ ...none, high: 1 }, { 1: advisory }));
  assert.is(high.verdict, 'vulnerable');
  assert.is(high.lines[0], 'high: left: It pads (https://advisories.test/1)');
  assert.is(judge(answer({ ...none, critical: 2 }, {})).verdict, 'vulnerable');
  assert.is(judge(answer({ ...none, moderate: 4 }, { 2: { ...advisory, severity: 'moderate' } })).verdict, 'clean');
  const refused = '{"error":{"code":"ERR_PNPM_AUDIT_BAD_RESPONSE","message":"The audit endpoint responded with 405"}}';
  assert.equal(judge(refused), {
    verdict: 'unknown',
    lines: ['known vulnerabilities were not looked up: The audit endpoint responded with 405'],
  });
  for (const broken of ['', 'null', '<html>', '{}', '{"metadata":{}}', '{"metadata":{"vulnerabilities":{}}}'])
    assert.is(judge(broken).verdict, 'unknown', broken);
});

test.run();
