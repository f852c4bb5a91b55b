// node .tools/sbom.mjs [file]: what is shipped as a CycloneDX 1.6 bill of materials, to the file or to standard output. The same lock
// file gives the same bytes; a time is in it only when SOURCE_DATE_EPOCH says which.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isMain } from './is-main.mjs';
import { directNeeds, productionPackages, publishedMembers } from './production.mjs';
import { root } from './setup.mjs';

/** The bill of materials, as text. */
export function sbomText(env = process.env) {
  const { version, license, description } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const members = publishedMembers();
  const packages = productionPackages();
  const own = members.map(({ manifest }) => purl(manifest.name, manifest.version));
  const product = { type: 'application', 'bom-ref': 'treering', name: 'treering', version };
  const content = {
    metadata: {
      ...timestamp(env),
      component: { ...product, description, licenses: [{ license: { id: license } }] },
    },
    components: [...members.map(ownComponent), ...packages.map(component)],
    dependencies: [
      { ref: 'treering', dependsOn: own },
      ...members.map(({ folder }, i) => ({ ref: own[i], dependsOn: directNeeds(folder).map(refOf) })),
      ...packages.map(({ name, version: at, needs }) => ({ ref: purl(name, at), dependsOn: needs.map(refOf) })),
    ],
  };
  const bom = {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${uuidOf(JSON.stringify(content))}`,
    version: 1,
    ...content,
  };
  return `${JSON.stringify(bom, null, 2)}\n`;
}

function timestamp({ SOURCE_DATE_EPOCH: seconds }) {
  if (seconds === undefined) return {};
  if (!/^[0-9]{1,11}$/.test(seconds)) throw new Error('SOURCE_DATE_EPOCH is a number of seconds');
  return { timestamp: new Date(Number(seconds) * 1000).toISOString() };
}

function ownComponent({ manifest: { name, version, description, license, bin } }) {
  return {
    type: bin === undefined ? 'library' : 'application',
    'bom-ref': purl(name, version),
    ...namesOf(name),
    version,
    description,
    licenses: [{ license: { id: license } }],
    purl: purl(name, version),
  };
}

function component({ name, version, integrity, licence }) {
  return {
    type: 'library',
    'bom-ref': purl(name, version),
    ...namesOf(name),
    version,
    hashes: [hashOf(integrity)],
    licenses: [/[ ()]/.test(licence) ? { expression: licence } : { license: { id: licence } }],
    purl: purl(name, version),
  };
}

function namesOf(name) {
  const [scope, rest] = name.split('/');
  return rest === undefined ? { name } : { group: scope, name: rest };
}

/** The integrity of the lock file: what the registry's tarball has to hash to. */
function hashOf(integrity) {
  const [, algorithm, digest] = /^(sha\d+)-(.+)$/.exec(integrity);
  return { alg: algorithm.replace('sha', 'SHA-'), content: Buffer.from(digest, 'base64').toString('hex') };
}

/** https://github.com/package-url/purl-spec */
function purl(name, version) {
  return `pkg:npm/${name.replace('@', '%40')}@${encodeURIComponent(version)}`;
}

/** `name@version` as a reference. */
function refOf(id) {
  const at = id.lastIndexOf('@');
  return purl(id.slice(0, at), id.slice(at + 1));
}

/** A UUID (version 8) made from a text. */
function uuidOf(text) {
  const bytes = createHash('sha256').update(text).digest().subarray(0, 16);
  bytes[6] = 0x80 | (bytes[6] & 0x0f);
  bytes[8] = 0x80 | (bytes[8] & 0x3f);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

if (isMain(import.meta.url)) {
  const [file] = process.argv.slice(2);
  if (file === undefined) process.stdout.write(sbomText());
  else writeFileSync(resolve(file), sbomText());
}
