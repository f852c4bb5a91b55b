// node .tools/pack.mjs <folder>: packs what is published of the newest commit into tarballs, with their digests in SHA256SUMS. The same
// commit gives the same bytes with the same Node, wherever, whenever and by whomever it is packed.
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';
import { cleanCopy, run } from './clean-copy.mjs';
import { isMain } from './is-main.mjs';
import { publishedMembers } from './production.mjs';

/**
 * Builds and packs a clean copy into a folder that is empty or not there yet. npm packs, because pnpm writes the dependencies into the
 * manifest in whatever order they were looked up.
 * @returns the tarballs: file and SHA-256 in hex
 */
export function packInto(target, copy) {
  mkdirSync(target, { recursive: true });
  if (readdirSync(target).length > 0) throw new Error(`${target} is not empty`);
  const at = { cwd: copy, env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' } };
  run(process.execPath, [join('node_modules', 'typescript', 'bin', 'tsc'), '-b'], at);
  run(process.execPath, [join('.tools', 'build-page.mjs')], at);
  const members = publishedMembers();
  const { catalog } = parse(readFileSync(join(copy, 'pnpm-workspace.yaml'), 'utf8'));
  const own = Object.fromEntries(members.map(({ manifest }) => [manifest.name, manifest.version]));
  for (const { folder } of members) {
    const path = join(copy, folder, 'package.json');
    const manifest = publishedManifest(JSON.parse(readFileSync(path, 'utf8')), own, catalog);
    writeFileSync(path, `${JSON.stringify(manifest, null, 2)}\n`);
    copyFileSync(join(copy, 'LICENSE'), join(copy, folder, 'LICENSE'));
  }
  const folders = members.map(({ folder }) => `./${folder}`);
  run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', target, ...folders], at);
  const tarballs = readdirSync(target)
    .sort()
    .map((file) => ({ file, sha256: sha256(readFileSync(join(target, file))) }));
  writeFileSync(join(target, 'SHA256SUMS'), tarballs.map(({ file, sha256: digest }) => `${digest}  ${file}\n`).join(''));
  return tarballs;
}

/** The manifest as it is published: exact versions, and nothing that only the workspace needs. */
function publishedManifest({ devDependencies: _, ...manifest }, own, catalog) {
  for (const kind of ['dependencies', 'optionalDependencies'])
    for (const [name, version] of Object.entries(manifest[kind] ?? {})) {
      if (version === 'workspace:*') manifest[kind][name] = own[name];
      else if (version === 'catalog:') manifest[kind][name] = catalog[name];
      if (!/^\d/.test(manifest[kind][name])) throw new Error(`${manifest.name} needs ${name} in no exact version`);
    }
  return manifest;
}

/** SHA-256 in hex. */
export function sha256(bytes) {
  return createHash('sha256').update(bytes).digest('hex');
}

if (isMain(import.meta.url)) {
  const [target] = process.argv.slice(2);
  if (target === undefined) throw new Error('pack.mjs takes the folder to pack into');
  const { folder, commit, remove } = cleanCopy();
  try {
    const tarballs = packInto(resolve(target), folder);
    process.stderr.write(`${tarballs.length} packages of commit ${commit} are in ${target}\n`);
  } finally {
    remove();
  }
}
